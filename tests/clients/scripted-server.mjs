// A server that answers as it is told and keeps what it was asked: what a client sends can be looked at.

import { WebSocketServer } from 'ws';

export class ScriptedServer {
  requests = [];
  #server;
  #socket;

  /** `modules` are listed as installed; `answer({operation, operationParams, object})` is what an operation answers. */
  static async start(modules, answer) {
    const made = new ScriptedServer();
    made.modules = modules;
    made.answer = answer;
    made.#server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    await new Promise((resolve) => made.#server.once('listening', resolve));
    made.#server.on('connection', (socket) => {
      made.#socket = socket;
      socket.on('message', (text) => made.#receive(JSON.parse(text)));
    });
    return made;
  }

  get url() {
    return `ws://127.0.0.1:${this.#server.address().port}/kurento`;
  }

  #receive({ id, method, params = {} }) {
    let outcome;
    try {
      outcome = { result: { ...this.#result(method, params), sessionId: 'session' } };
    } catch (error) {
      outcome = { error: { code: 40003, message: error.message, data: { type: 'UNEXPECTED_ERROR' } } };
    }
    this.#socket.send(JSON.stringify({ jsonrpc: '2.0', id, ...outcome }));
  }

  #result(method, params) {
    if (method === 'ping') return { value: 'pong' };
    if (params.object === 'manager_ServerManager' && method === 'invoke') {
      return { value: { modules: ['core', 'elements', 'filters', ...this.modules].map((name) => ({ name })) } };
    }
    if (method === 'describe') {
      const [, qualifiedType] = params.object.split('_');
      return { type: qualifiedType.split('.').pop(), qualifiedType: qualifiedType.includes('.') ? qualifiedType : `kurento.${qualifiedType}`, hierarchy: ['kurento.MediaObject'] };
    }
    this.requests.push({ method, ...params });
    if (method === 'create') {
      const type = params.type.includes('.') ? params.type : `kurento.${params.type}`;
      return { value: `${this.requests.length}_${type}` };
    }
    return { value: method === 'invoke' ? (this.answer(params) ?? null) : 'token' };
  }

  /** The latest request. */
  get latest() {
    return this.requests.at(-1);
  }

  raise(object, type, data) {
    this.#socket.send(JSON.stringify({ jsonrpc: '2.0', method: 'onEvent', params: { value: { object, type, data } } }));
  }

  close() {
    this.#socket?.terminate();
    return new Promise((resolve) => this.#server.close(resolve));
  }
}
