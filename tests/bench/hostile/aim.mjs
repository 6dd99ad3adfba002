// What an attacker does with a server: connections from an address of its own, requests in
// numbers, and a count of what came back.

import { connect } from 'node:net';

import WebSocket from 'ws';

/** The attacker's address: on loopback every one of 127/8 is there, and another client has another one. */
export const ATTACKER = '127.0.0.66';
/** Requests that are under way on a connection at a time. */
const WINDOW = 400;
const PATIENCE_MS = 30_000;

export const MANAGER = 'manager_ServerManager';

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A server under attack, until `deadline` (of `performance.now()`). */
export class Aim {
  answered = 0;
  refused = 0;
  closed = 0;
  /** What refusals say, each kind once, and how often it was said. */
  words = new Map();

  constructor(port, deadline) {
    this.port = port;
    this.url = `ws://127.0.0.1:${port}/kurento`;
    this.deadline = deadline;
  }

  get isOver() {
    return performance.now() > this.deadline;
  }

  /** A WebSocket; `undefined` where the server takes none. */
  async open() {
    const socket = new WebSocket(this.url, { localAddress: ATTACKER, perMessageDeflate: false, maxPayload: 0, skipUTF8Validation: true });
    const isOpen = await new Promise((resolve) => {
      socket.once('open', () => resolve(true));
      socket.once('unexpected-response', (_, response) => {
        this.note(`HTTP ${response.statusCode}`);
        resolve(false);
      });
      socket.on('error', (error) => {
        this.note(error.code ?? error.message);
        resolve(false);
      });
    });
    if (!isOpen) {
      this.refused += 1;
      socket.terminate();
      return undefined;
    }
    return new Shot(this, socket);
  }

  /** `count` of them, as many at a time as a listener's backlog takes. */
  async openMany(count) {
    const all = [];
    while (all.length < count && !this.isOver) {
      const opened = await Promise.all(Array.from({ length: Math.min(50, count - all.length) }, () => this.open()));
      all.push(...opened);
    }
    return all.filter(Boolean);
  }

  /** A TCP connection that says `text` and no more. */
  raw(text = '') {
    const socket = connect({ port: this.port, host: '127.0.0.1', localAddress: ATTACKER });
    socket.on('error', () => {}).once('close', () => (this.closed += 1));
    if (text) socket.write(text);
    return socket;
  }

  note(text) {
    this.words.set(text, (this.words.get(text) ?? 0) + 1);
  }

  summary() {
    const words = [...this.words].sort(([, a], [, b]) => b - a).slice(0, 3).map(([text, count]) => `${count} x ${text}`);
    return { answered: this.answered, refused: this.refused, closed: this.closed, words };
  }
}

/** One connection of the attacker. Answers are counted, and read only as far as their first words. */
class Shot {
  #aim;
  #underWay = 0;
  #wakers = [];
  #nextId = 1;
  isOpen = true;
  /** Value of the latest answer, where `values` is set. */
  value;
  values = false;

  constructor(aim, socket) {
    this.#aim = aim;
    this.socket = socket;
    socket.on('message', (data) => this.#receive(data));
    socket.once('close', (code, reason) => {
      this.isOpen = false;
      aim.closed += 1;
      aim.note(`closed ${code} ${reason}`.trim());
      this.#wake();
    });
  }

  #receive(data) {
    const begin = data.subarray(0, 400).toString('latin1');
    if (begin.startsWith('{"error"')) {
      this.#aim.refused += 1;
      const message = begin.match(/"message":"((?:\\.|[^"\\])*)/)?.[1] ?? begin;
      const code = begin.match(/"code":(-?\d+)/)?.[1];
      this.#aim.note(`${code} ${message.replace(/\d+/g, 'N').slice(0, 90)}`);
    } else if (begin.includes('"method":"onEvent"')) {
      return;
    } else {
      this.#aim.answered += 1;
      if (this.values) this.value = JSON.parse(String(data)).result?.value;
    }
    this.#underWay -= 1;
    this.#wake();
  }

  #wake() {
    for (const waker of this.#wakers.splice(0)) waker();
  }

  /** Waits while `what` holds, as long as the connection is there. */
  async #while(what, patience = PATIENCE_MS) {
    const until = Math.min(this.#aim.deadline, performance.now() + patience);
    while (what() && this.isOpen && performance.now() < until) {
      await Promise.race([new Promise((resolve) => this.#wakers.push(resolve)), pause(1_000)]);
    }
  }

  /** A request as text. */
  text(method, params) {
    return `{"jsonrpc":"2.0","id":${this.#nextId++},"method":"${method}","params":${JSON.stringify(params)}}`;
  }

  /** Sends a message as it is, as soon as the window has room. */
  async send(text) {
    await this.#while(() => this.#underWay >= WINDOW);
    if (!this.isOpen) return;
    this.#underWay += 1;
    this.socket.send(text);
  }

  /** Sends a request; see `send`. */
  request(method, params) {
    return this.send(this.text(method, params));
  }

  /** Sends a request and waits for the answer's value, `undefined` when it is refused. */
  async ask(method, params) {
    await this.answered();
    [this.values, this.value] = [true, undefined];
    await this.request(method, params);
    await this.answered();
    this.values = false;
    return this.value;
  }

  create(type, constructorParams = {}) {
    return this.ask('create', { type, constructorParams });
  }

  /** Waits until everything is answered. */
  answered() {
    return this.#while(() => this.#underWay > 0);
  }

  /** Sends the requests that `make` gives for 0 to `count`, until the time is up. */
  async volley(count, make) {
    for (let index = 0; index < count && this.isOpen && !this.#aim.isOver; index += 1) await this.request(...make(index));
    await this.answered();
  }
}
