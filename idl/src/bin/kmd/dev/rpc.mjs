// As much of the server's protocol as the page needs: requests, answers and events over one WebSocket.

/** What a server answers with an error. */
export class Refusal extends Error {
  constructor({ code, message }) {
    super(message);
    this.code = code;
  }
}

export class Rpc {
  #socket;
  #open = new Map();
  #number = 0;
  #session;

  /** `onEvent({object, type, data})`; `onClose()` when the server has gone. */
  constructor(socket, onEvent, onClose) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#take(JSON.parse(data), onEvent);
    socket.onclose = () => {
      for (const { reject } of this.#open.values()) reject(new Error('the server has gone'));
      this.#open.clear();
      onClose();
    };
    // A server forgets sessions that say nothing.
    this.timer = setInterval(() => this.request('ping', { interval: 60_000 }).catch(() => {}), 30_000);
  }

  static connect(url, onEvent, onClose) {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url);
      socket.onerror = () => reject(new Error(`no server at ${url}, or it lets no page of this origin in (allowedOrigins)`));
      socket.onopen = () => resolve(new Rpc(socket, onEvent, onClose));
    });
  }

  #take(message, onEvent) {
    if (message.method === 'onEvent') {
      const { object, type, data } = message.params.value;
      onEvent({ object, type, data });
      return;
    }
    const waiting = this.#open.get(message.id);
    this.#open.delete(message.id);
    if (message.error) waiting?.reject(new Refusal(message.error));
    else {
      this.#session = message.result?.sessionId ?? this.#session;
      waiting?.resolve(message.result?.value);
    }
  }

  request(method, params) {
    const id = ++this.#number;
    const sessionId = this.#session;
    return new Promise((resolve, reject) => {
      this.#open.set(id, { resolve, reject });
      this.#socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, ...(sessionId && { sessionId }) } }));
    });
  }

  create(type, constructorParams) {
    return this.request('create', { type, constructorParams });
  }

  invoke(object, operation, operationParams = {}) {
    return this.request('invoke', { object, operation, operationParams });
  }

  subscribe(object, type) {
    return this.request('subscribe', { object, type });
  }

  release(object) {
    return this.request('release', { object });
  }

  close() {
    clearInterval(this.timer);
    this.#socket.onclose = null;
    this.#socket.close();
  }
}
