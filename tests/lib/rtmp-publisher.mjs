// A publisher of RTMP that says what OBS says, and nothing that a test does not ask for.

import { readFileSync } from 'node:fs';
import { connect } from 'node:net';

import { until } from './wait.mjs';

const CHUNK_SIZE = 4096;
const [SET_CHUNK_SIZE, AUDIO, VIDEO, COMMAND] = [1, 8, 9, 20];

/** The tags of an FLV file: `{type, time, body}`, without metadata. */
export function tagsOf(file) {
  const bytes = readFileSync(file);
  const tags = [];
  for (let at = 13; at + 11 <= bytes.length; ) {
    const length = bytes.readUIntBE(at + 1, 3);
    const time = bytes.readUIntBE(at + 4, 3) + bytes[at + 7] * 2 ** 24;
    const tag = { type: bytes[at], time, body: bytes.subarray(at + 11, at + 11 + length) };
    if ([AUDIO, VIDEO].includes(tag.type)) tags.push(tag);
    at += 11 + length + 4;
  }
  return tags;
}

/** Whether a tag is a keyframe of pictures, not what decoders are set up with. */
export function isKeyframe({ type, body }) {
  if (type !== VIDEO) return false;
  return body[0] & 0x80 ? [0x91, 0x93].includes(body[0]) : body[0] >> 4 === 1 && body[1] === 1;
}

export class RtmpPublisher {
  #socket;
  #said = '';
  #playing;

  /** Resolves once the server has taken the handshake. `server`: `{host, port}`. */
  static async connect({ host = '127.0.0.1', port }) {
    const publisher = new RtmpPublisher();
    publisher.#socket = connect(port, host).setNoDelay(true);
    publisher.#socket.on('error', () => {});
    publisher.#socket.on('data', (data) => (publisher.#said += data.toString('latin1')));
    publisher.#socket.write(Buffer.concat([Buffer.of(3), Buffer.alloc(1536, 7).fill(0, 0, 8)]));
    await until(() => publisher.#said.length >= 3073, 'the server answers the handshake');
    publisher.#socket.write(Buffer.from(publisher.#said.slice(1, 1537), 'latin1'));
    publisher.#said = publisher.#said.slice(3073);
    return publisher;
  }

  /** Asks to publish, as OBS does: what stands in its fields for the server and for the key. Resolves to what the status's code ends with: `Start`, `BadName`. */
  async publish(app, name) {
    this.send({ type: SET_CHUNK_SIZE, time: 0, body: uint32(CHUNK_SIZE) }, 128);
    this.#command('connect', 1, object({ app, type: 'nonprivate', flashVer: 'FMLE/3.0 (compatible; FMSc/1.0)', tcUrl: `rtmp://127.0.0.1/${app}` }));
    this.#command('releaseStream', 2, NULL, string(name));
    this.#command('FCPublish', 3, NULL, string(name));
    this.#command('createStream', 4, NULL);
    await until(() => this.#said.includes('onFCPublish'), 'the server answers commands');
    this.#said = '';
    this.#command('publish', 5, NULL, string(name), string('live'));
    const status = await until(() => this.#said.match(/NetStream\.Publish\.(\w+)\0/), 'the server answers publish');
    return status[1];
  }

  /** Sends a message. */
  send({ type, time, body }, chunkSize = CHUNK_SIZE) {
    const stream = { [VIDEO]: 6, [AUDIO]: 4, [COMMAND]: 3 }[type] ?? 2;
    const header = Buffer.alloc(12);
    header[0] = stream;
    header.writeUIntBE(Math.min(time, 0xffffff), 1, 3);
    header.writeUIntBE(body.length, 4, 3);
    header[7] = type;
    header.writeUInt32LE(stream > 3 ? 1 : 0, 8);
    const extended = time >= 0xffffff ? uint32(time) : Buffer.alloc(0);
    const parts = [header, extended];
    for (let at = 0; at < body.length; at += chunkSize) {
      if (at > 0) parts.push(Buffer.of(0xc0 | stream), extended);
      parts.push(body.subarray(at, at + chunkSize));
    }
    this.#socket.write(Buffer.concat(parts));
  }

  /** Sends tags at their times, over and over until `silence` or `close`. `told(tag)` hears of each that goes out. */
  play(tags, { firstTime = 0, told = () => {} } = {}) {
    const begin = performance.now();
    const length = tags.at(-1).time + 40;
    let next = 0;
    this.#playing = setInterval(() => {
      const now = performance.now() - begin;
      for (;;) {
        const time = tags[next % tags.length].time + Math.floor(next / tags.length) * length;
        if (time > now) return;
        const tag = tags[next % tags.length];
        this.send({ ...tag, time: (time + firstTime) % 2 ** 32 });
        told({ ...tag, time });
        next++;
      }
    }, 5);
  }

  /** Sends nothing any more, and stays. */
  silence() {
    clearInterval(this.#playing);
  }

  /** Whether the server has closed the connection. */
  get isClosed() {
    return this.#socket.readableEnded || this.#socket.destroyed;
  }

  close() {
    this.silence();
    this.#socket.destroy();
  }

  #command(name, transaction, ...values) {
    const body = Buffer.concat([string(name), number(transaction), ...values]);
    this.send({ type: COMMAND, time: 0, body });
  }
}

// AMF 0.
const NULL = Buffer.of(5);

function string(text) {
  return Buffer.concat([Buffer.of(2), name(text)]);
}

function name(text) {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 255), bytes]);
}

function number(value) {
  const bytes = Buffer.alloc(9);
  bytes.writeDoubleBE(value, 1);
  return bytes;
}

function object(entries) {
  const all = Object.entries(entries).flatMap(([key, value]) => [name(key), string(value)]);
  return Buffer.concat([Buffer.of(3), ...all, Buffer.of(0, 0, 9)]);
}

function uint32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
