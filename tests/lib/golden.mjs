// Replays recorded conversations with Kurento 7.3 (host/tests/data/golden.jsonl).
//
// A line of the file is a record, or says what the records refer to:
// - `{text, is}`: a text that requests name instead of repeating it;
// - `{object, constructorParams, calls}`: how an object that no record makes came to be;
// - records: `request` (or `text`, as it was sent), and what came back: an `error`, or a
//   `result` by its shape, `exact` members of it, `sdp` section by section, `stats`,
//   and the `events` of the named objects. Where that is otherwise here, `here` has it.
// `#N` stands for an id that the server chose, `@media` for the directory of files,
// `@result:NAME` for what record NAME answered (`/VP8`: reduced to that codec).

import { readFileSync } from 'node:fs';

import WebSocket from 'ws';

import { MANAGER } from './model.mjs';
import { connectRpc } from './rpc.mjs';
import { until, within } from './wait.mjs';

const FILE = new URL('../../host/tests/data/golden.jsonl', import.meta.url);
/** How long an event that Kurento sent may take: media stops to flow up to 4 s after its end. */
const EVENT_PATIENCE_MS = 12_000;

/** All lines of the file: `{texts, objects, records}`. */
export function goldenRecords() {
  const lines = readFileSync(FILE, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
  return {
    texts: new Map(lines.filter((line) => 'is' in line).map(({ text, is }) => [text, is])),
    objects: new Map(lines.filter(({ object }) => object).map((line) => [line.object, line])),
    records: lines.filter(({ name }) => name),
  };
}

export class Replay {
  #url;
  #golden;
  #media;
  #absent;
  #helper;
  #ids = new Map();
  #answers = new Map();
  #taken = new Set();
  #wanted = new Map();

  /** `absent`: names of the standard classes that no installed module makes. */
  static async of(url, golden, { media, absent }) {
    const replay = new Replay();
    replay.#url = url;
    replay.#golden = golden;
    replay.#media = media;
    replay.#absent = new Set(absent);
    replay.#helper = await connectRpc(url);
    for (const { object, type } of golden.records.flatMap(({ events = [] }) => events)) {
      replay.#wanted.set(object, (replay.#wanted.get(object) ?? new Set()).add(type));
    }
    for (const type of replay.#wanted.get(MANAGER) ?? []) await replay.#helper.value('subscribe', { object: MANAGER, type });
    return replay;
  }

  /** Whether all classes that a record is about can be created. */
  concerns(record) {
    const text = JSON.stringify([record.request ?? record.text, record.before, record.events, record.trickle]);
    const named = [...text.matchAll(/#\d+_\w+\.(\w+)/g)].map((match) => match[1]);
    const created = record.request?.method === 'create' ? [record.request.params?.type] : [];
    return ![...named, ...created].some((name) => this.#absent.has(String(name).split('.').at(-1)));
  }

  /** Sends a record's request; resolves to what is wrong with what came back, if anything. */
  async complaint(recorded) {
    const record = asHere(recorded);
    const text = await this.#text(record.text ?? JSON.stringify(record.request));
    for (const step of record.before ?? []) await this.#prepare(JSON.parse(await this.#text(JSON.stringify(step))));
    if (record.trickle) await this.#connect(...record.trickle.map((id) => this.#ids.get(id)));
    const reply = await this.#send(record, text);
    this.#remember(record, reply);
    return this.#verdict(record, reply) ?? this.#missingEvent(record);
  }

  async close() {
    for (const id of await this.#helper.invoke(MANAGER, 'getPipelines')) {
      await this.#helper.request('release', { object: id });
    }
    await this.#helper.close();
  }

  #remember(record, reply) {
    const value = reply?.result?.value;
    if (typeof value === 'string') this.#answers.set(record.name, value);
    if (record.value && typeof value === 'string') this.#ids.set(record.value, value);
  }

  /** `text` with everything in it that stands for something else, made where it has to be. */
  async #text(text) {
    for (const id of new Set(text.match(/#\d+_\w+\.\w+(\/#\d+_\w+\.\w+)*/g) ?? [])) await this.#make(id);
    const known = [...this.#ids].sort(([a], [b]) => b.length - a.length);
    const withIds = known.reduce((result, [recorded, real]) => result.replaceAll(recorded, real), text);
    const quoted = (value) => JSON.stringify(value).slice(1, -1);
    return withIds
      .replace(/@sdp\d+/g, (name) => quoted(this.#golden.texts.get(name)))
      .replaceAll('@media', this.#media)
      .replace(/@result:([\w.]+)(\/VP8)?/g, (_, name, reduced) => {
        const sdp = this.#answers.get(name);
        return quoted(reduced ? onlyVp8(sdp) : sdp);
      });
  }

  /** What the recording did beside its records: an operation, or another method on a connection of its own. */
  async #prepare({ object, operation, operationParams = {}, method, params }) {
    if (operation) return this.#helper.invoke(object, operation, operationParams);
    const rpc = await connectRpc(this.#url);
    await rpc.value(method, params);
    return rpc.close();
  }

  async #make(id) {
    const parts = id.split('/');
    for (let length = 1; length <= parts.length; length += 1) {
      const recorded = parts.slice(0, length).join('/');
      if (this.#ids.has(recorded)) continue;
      const parent = this.#ids.get(parts.slice(0, length - 1).join('/'));
      const type = parts[length - 1].split('.').at(-1);
      const how = this.#golden.objects.get(recorded);
      const params = JSON.parse((JSON.stringify(how?.constructorParams ?? usual(type))).replaceAll('@media', `file://${this.#media}`));
      const made = await this.#helper.create(type, { mediaPipeline: parent, hub: parent, ...params });
      this.#ids.set(recorded, made);
      for (const event of this.#wanted.get(recorded) ?? []) await this.#helper.value('subscribe', { object: made, type: event });
      for (const [operation, given] of how?.calls ?? []) await this.#helper.invoke(made, operation, given);
    }
  }

  async #send({ name, binary, bind, expect }, text) {
    const socket = new WebSocket(this.#url);
    await within(new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject)), 'the socket opens');
    const answer = () =>
      within(
        new Promise((resolve, reject) => {
          socket.on('message', (data) => {
            const message = String(data) && JSON.parse(String(data));
            if (message.method !== 'onEvent') resolve(message);
          });
          socket.once('close', (code) => reject(new Error(`closed with ${code}`)));
        }),
        `answer to ${name}`,
      );
    try {
      const first = bind === 'connect' ? { method: 'connect', params: {} } : { method: 'describe', params: { object: MANAGER } };
      if (bind) {
        socket.send(JSON.stringify({ jsonrpc: '2.0', id: `bind ${name}`, ...first }));
        await answer();
      }
      socket.send(binary ? Buffer.from(text) : text);
      const reply = await answer();
      // Kurento dropped the connection, or died: here it goes on.
      if (expect === 'disconnect') {
        socket.send(JSON.stringify({ jsonrpc: '2.0', id: 'still', method: 'ping' }));
        await answer();
      }
      return reply;
    } finally {
      socket.terminate();
    }
  }

  #verdict(record, reply) {
    const got = JSON.stringify(reply);
    if (record.expect === 'empty') return reply === '' ? undefined : `expected an empty message, got ${got}`;
    if (record.expect === 'disconnect') {
      const isValid = /getIceTcp$|mixer\.connect_video$/.test(record.name);
      return isValid === Boolean(reply.error) ? `expected ${isValid ? 'a result' : 'an error'}, got ${got}` : undefined;
    }
    const real = (value) => JSON.parse(this.#real(JSON.stringify(value)));
    if (record.error) {
      const { code, type, message } = real(record.error);
      const right = reply.error?.code === code && reply.error.data?.type === type && reply.error.message === message;
      return right ? undefined : `expected ${JSON.stringify(record.error)}, got ${got}`;
    }
    if (!fits(record.result, shape(reply.result))) return `expected the shape ${JSON.stringify(record.result)}, got ${got}`;
    if (record.exact && !equals(real(record.exact), reply.result)) return `expected ${JSON.stringify(record.exact)}, got ${got}`;
    if (record.stats) {
      const entries = Object.values(reply.result.value).map(shape);
      const missing = record.stats.find((entry) => !entries.some((given) => fits(entry, given)));
      if (missing) return `expected the statistics ${JSON.stringify(missing)}, got ${got}`;
    }
    if (record.sdp) {
      const sections = sectionsOf(reply.result.value);
      const wanted = record.sdp.map((section) => (section.rejected ? { ...section, direction: undefined, setup: undefined } : section));
      if (!equals(JSON.parse(JSON.stringify(wanted)), sections)) return `expected the sections ${JSON.stringify(record.sdp)}, got ${JSON.stringify(sections)}`;
    }
    return undefined;
  }

  #real(text) {
    const known = [...this.#ids].sort(([a], [b]) => b.length - a.length);
    return known.reduce((result, [recorded, real]) => result.replaceAll(recorded, real), text).replaceAll('@media', `file://${this.#media}`);
  }

  async #missingEvent({ events = [] }) {
    for (const expected of events) {
      const wanted = (event) => !this.#taken.has(event) && this.#is(event, expected) && fits(expected.data, shape(event.data));
      const found = () => {
        const event = this.#helper.events.find(wanted);
        if (event) this.#taken.add(event);
        return event;
      };
      const event = await until(found, expected.type, EVENT_PATIENCE_MS).catch(() => undefined);
      if (!event) return `no event ${JSON.stringify(expected)}`;
    }
    return undefined;
  }

  #is({ object, type, data }, expected) {
    return object === (this.#ids.get(expected.object) ?? expected.object) && type === expected.type && equals(expected.is ?? {}, data);
  }

  /** Lets two endpoints of this server find each other. */
  async #connect(...pair) {
    for (const id of pair) await this.#helper.value('subscribe', { object: id, type: 'IceCandidateFound' });
    for (const id of pair) await this.#helper.value('subscribe', { object: id, type: 'ConnectionStateChanged' });
    for (const id of pair) await this.#helper.invoke(id, 'gatherCandidates');
    const passed = new Set();
    await until(async () => {
      for (const event of this.#helper.events) {
        if (event.type !== 'IceCandidateFound' || passed.has(event) || !pair.includes(event.object)) continue;
        passed.add(event);
        await this.#helper.invoke(pair.find((id) => id !== event.object), 'addIceCandidate', { candidate: event.data.candidate });
      }
      return this.#helper.events.filter(({ type, object, data }) => type === 'ConnectionStateChanged' && pair.includes(object) && data.newState === 'CONNECTED').length === 2;
    }, 'the two endpoints are connected');
  }
}

/** What an object needs that the recording does not tell. */
function usual(type) {
  return { PlayerEndpoint: { uri: '@media/tiny.webm' }, RecorderEndpoint: { uri: '@media/unused.webm' }, GStreamerFilter: { command: 'identity' } }[type] ?? {};
}

function shape(value) {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return value.length > 0 ? [shape(value[0])] : [];
  if (typeof value !== 'object') return typeof value;
  const member = ([key, inner]) => [key, key === '__type__' || key === '__module__' ? inner : shape(inner)];
  return Object.fromEntries(Object.entries(value).map(member));
}

/** What is expected of a record: what was recorded, or what comes here instead. */
function asHere({ here, ...record }) {
  if (!here) return record;
  const { error, result, exact, sdp, stats, events, ...request } = record;
  return { ...request, ...here };
}

/** Same shape, also of empty lists; there may be more members. */
function fits(expected, got) {
  if (Array.isArray(expected)) return Array.isArray(got) && expected.length === got.length && (expected.length === 0 || fits(expected[0], got[0]));
  if (typeof expected !== 'object') return expected === got;
  return typeof got === 'object' && Object.entries(expected).every(([key, value]) => key in got && fits(value, got[key]));
}

/** Equal, but for additional members of objects, and for the order of lists of objects. */
function equals(expected, got) {
  if (Array.isArray(expected)) {
    const has = (item, index) => (typeof item === 'object' ? got.some((other) => equals(item, other)) : equals(item, got[index]));
    return Array.isArray(got) && got.length === expected.length && expected.every(has);
  }
  if (expected === null || typeof expected !== 'object') return expected === got;
  return got !== null && typeof got === 'object' && Object.entries(expected).every(([key, value]) => equals(value, got[key]));
}

/** The sections of an SDP, as far as what was agreed on goes; retransmissions are not looked at. */
function sectionsOf(sdp) {
  return sdp.split(/\r\n(?=m=)/).slice(1).map((section) => {
    const [media, port, protocol, ...formats] = section.slice(2).split('\r\n', 1)[0].split(' ');
    const attribute = (name) => section.match(new RegExp(`^a=${name}:(.*?)\r?$`, 'm'))?.[1];
    const found = {
      media,
      rejected: port === '0',
      protocol,
      formats: formats.filter((type) => !section.includes(`a=rtpmap:${type} rtx/`)).join(' '),
      direction: section.match(/^a=(sendrecv|sendonly|recvonly|inactive)\r?$/m)?.[1],
      setup: attribute('setup'),
      mid: attribute('mid'),
    };
    return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
  });
}

function onlyVp8(sdp) {
  const type = sdp.match(/^a=rtpmap:(\d+) VP8\//m)[1];
  const [head, video, ...rest] = sdp.split(/(?=^m=video)/m);
  const [own, ...others] = video.split(/(?=^m=)/m);
  const reduced = own
    .replace(/^(m=video \d+ \S+).*$/m, `$1 ${type}\r`)
    .replace(/\r\r/g, '\r')
    .split('\r\n')
    .filter((line) => !/^a=(rtpmap|fmtp|rtcp-fb):(\d+)/.test(line) || RegExp(`^a=\\S+?:${type} `).test(line))
    .join('\r\n');
  return [head, reduced, ...others, ...rest].join('');
}
