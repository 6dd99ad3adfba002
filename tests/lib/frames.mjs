// A WebSocket client that shows what is on the wire: the handshake's response and
// every frame, as Java's client (netty) sees them.

import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';

import { within } from './wait.mjs';

export const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

/** Opens a connection; `headers` are sent in addition. */
export async function connectFrames(port, headers = []) {
  const socket = connect(port, '127.0.0.1');
  const wire = new Frames(socket);
  const key = randomBytes(16).toString('base64');
  const lines = ['GET /kurento HTTP/1.1', `Host: 127.0.0.1:${port}`, 'Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Key: ${key}`, 'Sec-WebSocket-Version: 13', ...headers];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  wire.handshake = await within(wire.head(), 'the handshake is answered');
  return wire;
}

class Frames {
  #socket;
  #received = Buffer.alloc(0);
  #wake = () => {};

  /** Every frame so far: `{final, opcode, payload}`. */
  frames = [];

  constructor(socket) {
    this.#socket = socket;
    socket.on('data', (data) => ((this.#received = Buffer.concat([this.#received, data])), this.#wake()));
    socket.on('error', () => {});
    socket.on('close', () => this.#wake());
  }

  get closed() {
    return this.#socket.closed;
  }

  /** The response's head, with the blank line that ends it. */
  async head() {
    for (;;) {
      const end = this.#received.indexOf('\r\n\r\n');
      if (end >= 0) return this.#take(end + 4).toString('latin1');
      await this.#more();
    }
  }

  /** The next frame. */
  async frame() {
    const read = async () => {
      const [first, second] = await this.#bytes(2);
      const size = second & 0x7f;
      const length = size === 126 ? (await this.#bytes(2)).readUInt16BE() : size === 127 ? Number((await this.#bytes(8)).readBigUInt64BE()) : size;
      const frame = { final: (first & 0x80) !== 0, reserved: first & 0x70, masked: (second & 0x80) !== 0, opcode: first & 0x0f, payload: await this.#bytes(length) };
      this.frames.push(frame);
      return frame;
    };
    return within(read(), 'a frame arrives');
  }

  /** The next message, as its frames. */
  async message() {
    const frames = [await this.frame()];
    while (!frames.at(-1).final) frames.push(await this.frame());
    return frames;
  }

  /** The next message, parsed. */
  async json() {
    return JSON.parse(Buffer.concat((await this.message()).map(({ payload }) => payload)).toString('utf8'));
  }

  /** Sends a frame, masked as clients do. */
  send(opcode, payload, final = true) {
    const data = Buffer.from(payload);
    const head = [(final ? 0x80 : 0) | opcode];
    const length = Buffer.alloc(8);
    if (data.length < 126) head.push(0x80 | data.length);
    else {
      length.writeBigUInt64BE(BigInt(data.length));
      head.push(0x80 | 127, ...length);
    }
    const mask = randomBytes(4);
    this.#socket.write(Buffer.concat([Buffer.from(head), mask, data.map((byte, index) => byte ^ mask[index % 4])]));
  }

  /** Sends a request as text; resolves to the reply. */
  async request(id, method, params) {
    this.send(OPCODES.text, JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    for (;;) {
      const message = await this.json();
      if (message.id === id) return message;
    }
  }

  close() {
    this.#socket.destroy();
  }

  async #bytes(count) {
    while (this.#received.length < count) await this.#more();
    return this.#take(count);
  }

  #take(count) {
    const taken = this.#received.subarray(0, count);
    this.#received = this.#received.subarray(count);
    return taken;
  }

  #more() {
    if (this.closed) throw new Error('the server closed the connection');
    return new Promise((resolve) => (this.#wake = resolve));
  }
}
