// The protocol without a client library: one WebSocket, JSON-RPC as written.

import WebSocket from 'ws';

import { until, within } from './wait.mjs';

/** Opens a connection; see `Rpc`. */
export async function connectRpc(url) {
  const socket = new WebSocket(url);
  const opened = new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  await within(opened, `WebSocket to ${url} opens`);
  return new Rpc(socket);
}

class Rpc {
  #socket;
  #nextId = 1;
  #pending = new Map();
  #sessionId;

  /** Every event's `params.value` so far, in the order of arrival. */
  events = [];

  constructor(socket) {
    this.#socket = socket;
    socket.on('message', (text) => this.#receive(JSON.parse(text)));
  }

  /** Sends a request; resolves to the whole response, be it `result` or `error`. */
  request(method, params = {}) {
    const id = this.#nextId++;
    const session = this.#sessionId ? { sessionId: this.#sessionId } : {};
    const answered = new Promise((resolve) => this.#pending.set(id, resolve));
    this.#socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...session, ...params } }));
    return within(answered, `answer to ${method}`);
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
    const closed = new Promise((resolve) => this.#socket.once('close', resolve));
    this.#socket.close();
    await closed;
  }

  #receive(message) {
    if (message.method === 'onEvent') return this.events.push(message.params.value);
    this.#sessionId = message.result?.sessionId ?? this.#sessionId;
    const answer = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    return answer?.(message);
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
