// Requests made up from a server's own descriptors: mostly right, and wrong here
// and there in every way that a client can be wrong. The same seed makes the same
// requests of the same server.

import { isKnownError } from './error-codes.mjs';
import { MANAGER } from './model.mjs';
import { fitting, misfit, ODDITIES } from './values.mjs';

/** Messages that are answered without naming a request. */
const NO_REQUESTS = [
  '', '{', '[]', 'null', '"x"', '{"jsonrpc":"2.0","id":1,"method":"ping"', '{"jsonrpc":"2.0","id":1e999,"method":"ping"}',
  '{"jsonrpc":"2.0","id":1,"method":"create","params":{"type":"\\ud800"}}', '{"jsonrpc":"2.0","id":1,"method":"\\udc00\\ud800"}',
  '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"\\u12"}}', '[{"jsonrpc":"2.0","id":1,"method":"ping"}]',
  '{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}', '{"jsonrpc":"1.0","id":1,"method":"ping"}', '{"jsonrpc":"2.0","id":1}',
  `{"jsonrpc":"2.0","id":1,"method":"ping","params":${'['.repeat(5_000)}${']'.repeat(5_000)}}`,
  `{"jsonrpc":"2.0","id":1,"method":"ping","params":${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}}`,
];

const CANDIDATE = 'candidate:1 1 udp 2130706431 127.0.0.1 9 typ host';
const OFFER = [
  'v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=group:BUNDLE 0 1', 'm=audio 9 UDP/TLS/RTP/SAVPF 111 0', 'c=IN IP4 0.0.0.0',
  'a=ice-ufrag:abcd', 'a=ice-pwd:abcdefghijklmnopqrstuvwx', `a=fingerprint:sha-256 ${Array(32).fill('AB').join(':')}`, 'a=setup:actpass',
  'a=mid:0', 'a=sendrecv', 'a=rtcp-mux', 'a=rtpmap:111 opus/48000/2', 'm=video 9 UDP/TLS/RTP/SAVPF 96', 'c=IN IP4 0.0.0.0', 'a=mid:1',
  'a=sendrecv', 'a=rtcp-mux', 'a=rtpmap:96 VP8/90000', 'a=rtcp-fb:96 nack pli', 'a=extmap:1 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time',
];

export class GeneratedRequests {
  #model;
  #dice;
  #directory;
  #objects = [{ id: MANAGER, class: 'ServerManager' }];
  #released = ['00000000-0000-0000-0000-000000000000_kurento.MediaPipeline'];
  #subscriptions = ['no subscription'];
  #sessions;
  #methods;

  /** `directory`: the only place that generated URIs lead to. `sessions`: ids to use. */
  constructor(model, dice, { directory, sessions }) {
    this.#model = model;
    this.#dice = dice;
    this.#directory = directory;
    this.#sessions = sessions;
    this.#methods = [
      [50, () => this.#invoke()], [22, () => this.#create()], [4, () => this.#named('release')], [5, () => this.#subscribe()],
      [2, () => this.#unsubscribe()], [3, () => this.#named('describe')], [2, () => this.#named('ref')], [1, () => this.#named('unref')],
      [1, () => this.#request('keepAlive')], [1, () => this.#request('connect')], [1, () => this.#request('ping')],
      [0.4, () => this.#request('closeSession', { release: this.#dice.pick([true, false, null, 'x']) })], [4, () => this.#transaction()],
      [1, () => this.#request(this.#dice.pick(['', 'Ping', 'constructor', '__proto__', 'onEvent']), { a: this.#odd() })],
      [2.6, () => ({ text: this.#dice.pick(NO_REQUESTS) })],
    ];
  }

  /** `{method, params}`, or `{text}` for a message that is no request. */
  next() {
    const total = this.#methods.reduce((sum, [weight]) => sum + weight, 0);
    let point = this.#dice.fraction() * total;
    return this.#methods.find(([weight]) => (point -= weight) < 0)[1]();
  }

  /** What is wrong with the reply to a request; undefined when nothing is. */
  problem({ method, params, expects }, reply) {
    if (reply.error) return isKnownError(reply.error) && !('result' in reply) ? undefined : `no error that clients know: ${JSON.stringify(reply.error)}`;
    if (!('result' in reply)) return 'neither a result nor an error';
    const value = reply.result?.value;
    if (method === 'create' && !this.#isIdOf(params.type, value)) return `not the id of a ${params.type}: ${value}`;
    if (method !== 'invoke' || value === null) return undefined;
    if (!expects) return `a value although the operation has none: ${JSON.stringify(value)}`;
    return misfit(this.#model, expects, value);
  }

  /** Remembers what the reply tells about the objects that there are. */
  note({ method, params }, { result, error }) {
    const gone = method === 'release' && result ? params.object : /^Object '(.*)' not found$/.exec(error?.message ?? '')?.[1];
    if (gone && gone !== MANAGER) this.#forget(gone);
    if (method === 'create' && result) this.#objects.push({ id: result.value, class: result.value.split('.').at(-1) });
    if (method === 'subscribe' && result) this.#subscriptions.push(result.value);
    for (const [index, response] of (method === 'transaction' && result ? result.value : []).entries()) {
      this.note(params.operations[index] ?? {}, response);
    }
  }

  #forget(id) {
    const isGone = (object) => object.id === id || object.id.startsWith(`${id}/`);
    for (const { id: gone } of this.#objects.filter(isGone)) this.#released.push(gone);
    this.#objects = this.#objects.filter((object) => !isGone(object));
  }

  #isIdOf(type, id) {
    return typeof id === 'string' && id.endsWith(`.${String(type).split('.').at(-1)}`);
  }

  #odd() {
    return this.#dice.pick(ODDITIES);
  }

  /** The object to call: mostly one that exists. */
  #target() {
    const dice = this.#dice;
    if (dice.chance(0.05)) return { id: dice.pick(this.#released), class: dice.pick(this.#model.classNames) };
    if (dice.chance(0.03)) return { id: this.#odd(), class: 'MediaPipeline' };
    if (dice.chance(0.1)) return this.#objects[0];
    return dice.pick(this.#objects);
  }

  /** The id of an object that fits `className`, and now and then of another one. */
  #object(className) {
    const dice = this.#dice;
    if (dice.chance(0.12)) return this.#target().id;
    const fit = this.#objects.filter((object) => this.#model.isA(object.class, className));
    return fit.length > 0 ? dice.pick(fit).id : dice.pick(this.#released);
  }

  #text(parameter) {
    const dice = this.#dice;
    const name = parameter.toLowerCase();
    if (/uri|url|background|image/.test(name)) return dice.pick([`file://${this.#directory}/out-${dice.below(9)}.webm`, `file://${this.#directory}/below/x.webm`, 'http://127.0.0.1:9/x', '']);
    if (/offer|answer/.test(name)) return OFFER.filter(() => !dice.chance(dice.pick([0, 0, 0.05, 0.3]))).join('\r\n') + '\r\n';
    if (name === 'candidate') return dice.pick([CANDIDATE, '', 'candidate:', CANDIDATE.replace('udp', 'tcp')]);
    if (name === 'modulename') return dice.pick(['core', 'elements', 'x']);
    return dice.pick(['x', '', 'default', '0', 'identity']);
  }

  #value(type, parameter) {
    const sources = { object: (name) => this.#object(name), text: (name) => this.#text(name) };
    return this.#dice.chance(0.12) ? this.#odd() : fitting(this.#model, type, this.#dice, sources, parameter);
  }

  /** Values of parameters by name: some missing, some too many, some of the wrong kind. */
  #params(declared) {
    const dice = this.#dice;
    if (dice.chance(0.03)) return this.#odd();
    if (declared.length === 0 && dice.chance(0.5)) return undefined;
    const given = {};
    for (const { name, type, optional } of declared) {
      if (!dice.chance(optional ? 0.5 : 0.06)) given[name] = this.#value(type, name);
    }
    if (dice.chance(0.05)) given[dice.pick(['', 'extra', '__proto__', 'object'])] = this.#odd();
    return given;
  }

  #request(method, params = {}, expects) {
    const dice = this.#dice;
    const sessionId = dice.chance(0.9) ? dice.pick(this.#sessions) : dice.pick([undefined, null, 5, '', dice.pick(this.#sessions)]);
    if (dice.chance(0.01)) return { method, params: this.#odd() };
    if (dice.chance(0.01)) for (const name of Object.keys(params)) params[name] = this.#odd();
    return { method, params: { ...params, sessionId }, expects };
  }

  #named(method) {
    return this.#request(method, { object: this.#target().id });
  }

  #invoke() {
    const dice = this.#dice;
    const target = this.#target();
    const own = this.#model.class(dice.chance(0.05) ? dice.pick(this.#model.classNames) : target.class);
    const operation = dice.pick(own.operations);
    const isItsOwn = this.#model.isA(target.class, own.name);
    const name = dice.chance(0.02) ? this.#odd() : operation.name;
    const params = { object: target.id, operation: name, operationParams: this.#params(operation.params) };
    return this.#request('invoke', params, isItsOwn ? operation.returns : (operation.returns ?? 'String'));
  }

  #create() {
    const dice = this.#dice;
    const names = dice.chance(0.1) ? this.#model.classNames : this.#model.factories;
    const type = dice.chance(0.15) ? 'MediaPipeline' : dice.pick(names);
    const definition = this.#model.class(type);
    const setters = definition.operations.filter(({ name, params }) => name.startsWith('set') && params.length === 1);
    const chosen = dice.chance(0.1) && setters.length > 0 ? [dice.pick(setters).params[0]] : [];
    const properties = chosen.length > 0 ? Object.fromEntries(chosen.map(({ name, type: of }) => [name, this.#value(of, name)])) : undefined;
    return this.#request('create', { type, constructorParams: this.#params(definition.params), properties });
  }

  #subscribe() {
    const target = this.#target();
    const events = this.#dice.chance(0.1) ? [...this.#model.events.keys(), 'Nonsense', ''] : this.#model.class(target.class).events;
    return this.#request('subscribe', { object: target.id, type: this.#dice.pick(events) });
  }

  #unsubscribe() {
    return this.#request('unsubscribe', { object: this.#target().id, subscription: this.#dice.pick(this.#subscriptions) });
  }

  #transaction() {
    const dice = this.#dice;
    const makers = [() => this.#create(), () => this.#invoke(), () => this.#named('release'), () => this.#named('describe')];
    const operations = Array.from({ length: dice.below(5) }, (_, index) => {
      const { method, params } = dice.pick(makers)();
      const id = dice.chance(0.97) ? index : this.#odd();
      return { jsonrpc: '2.0', id, method, params: index > 0 && dice.chance(0.4) ? this.#referring(params, index) : params };
    });
    return this.#request('transaction', { operations: dice.chance(0.97) ? operations : this.#odd() });
  }

  #referring(params, index) {
    if (typeof params !== 'object' || params === null) return params;
    const reference = `newref:${this.#dice.below(index + 1)}`;
    const inner = this.#dice.pick(['constructorParams', 'operationParams']);
    return { ...params, object: reference, [inner]: { mediaPipeline: reference, sink: reference } };
  }
}
