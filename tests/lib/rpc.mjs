// The protocol without a client library: one WebSocket, JSON-RPC as written.

import WebSocket from 'ws';

import { until, within } from './wait.mjs';

/** Ids are not used again on a later connection: a session remembers the replies to them. */
let nextId = 1;

/** Opens a connection; see `Rpc`. `onText` is shown every message as it came. */
export async function connectRpc(url, { onText = () => {} } = {}) {
  const socket = new WebSocket(url);
  const opened = new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  await within(opened, `WebSocket to ${url} opens`);
  return new Rpc(socket, onText);
}

class Rpc {
  #socket;
  #pending = new Map();
  #sessionId;
  #unexpected;

  /** Every event's `params.value` so far, in the order of arrival. */
  events = [];

  /** Replies that name no request: those with the id null, and empty messages as undefined. */
  nameless = [];

  constructor(socket, onText) {
    this.#socket = socket;
    /** Resolves to `{code, reason}` of the close frame, or code 1006 without one. */
    this.closed = new Promise((resolve) => socket.once('close', (code, reason) => resolve({ code, reason: String(reason) })));
    socket.on('message', (data) => {
      const text = String(data);
      onText(text);
      this.#receive(text === '' ? undefined : JSON.parse(text));
    });
  }

  /** The session that the server named last. */
  get sessionId() {
    return this.#sessionId;
  }

  /** Sends a message as it is. */
  sendText(text) {
    this.#socket.send(text);
  }

  /**
   * Sends a request; resolves to the whole response, be it `result` or `error`.
   * An object as `params` gets the session's id; anything else is sent as it is.
   */
  request(method, params = {}) {
    const id = nextId++;
    const session = this.#sessionId ? { sessionId: this.#sessionId } : {};
    const answered = new Promise((resolve) => this.#pending.set(id, resolve));
    const members = params?.constructor === Object ? { ...session, ...params } : params;
    this.#socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params: members }));
    const cut = this.closed.then(() => {
      throw new Error(`the connection was closed before an answer to ${method}`);
    });
    return within(Promise.race([answered, cut]), `answer to ${method}`);
  }

  /** The next `count` replies to requests that were not made by `request`. */
  next(count) {
    const replies = [];
    const all = new Promise((resolve) => (this.#unexpected = (reply) => replies.push(reply) === count && resolve(replies)));
    return within(all, `${count} replies`);
  }

  /** The `value` of a request's result; rejects with the server's error. */
  async value(method, params) {
    const { result, error } = await this.request(method, params);
    if (error) throw Object.assign(new Error(error.message), error);
    return result.value;
  }

  create(type, constructorParams = {}) {
    return this.value('create', { type, constructorParams });
  }

  invoke(object, operation, operationParams = {}) {
    return this.value('invoke', { object, operation, operationParams });
  }

  async close() {
    this.#socket.close();
    // It may have been closed before, by a server that ended.
    await this.closed;
  }

  #receive(message) {
    if (message?.method === 'onEvent') return this.events.push(message.params.value);
    if (message?.id === undefined || message.id === null) return this.nameless.push(message);
    this.#sessionId = message.result?.sessionId ?? this.#sessionId;
    const answer = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    return (answer ?? this.#unexpected)?.(message);
  }
}

/**
 * Waits until the server has no pipeline. By ids only: kurento-client describes
 * what it gets, and a session that has named an object keeps it alive.
 */
export async function noPipelineIsLeft(url) {
  const rpc = await connectRpc(url);
  try {
    await until(async () => (await rpc.invoke('manager_ServerManager', 'getPipelines')).length === 0, 'no pipeline is left');
  } finally {
    await rpc.close();
  }
}
