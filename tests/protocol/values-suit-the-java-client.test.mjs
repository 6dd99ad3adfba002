// J09: what Java's client needs of values: complex ones say what they are at every depth,
// every field has its type, floats are exact, and what it sends itself is understood.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { MANAGER, readModel } from '../lib/model.mjs';
import { createOneOfEach } from '../lib/one-of-each.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { Dice, misfit } from '../lib/values.mjs';
import { until } from '../lib/wait.mjs';

let server;
let rpc;
let model;
const texts = [];

before(async () => {
  server = await startRivero();
  rpc = await connectRpc(server.url, { onText: (text) => texts.push(text) });
  model = await readModel(rpc);
});
after(async () => {
  await rpc?.close();
  await server?.stop();
});

/** Two WebRtcEndpoints of one pipeline that are each other's peer; resolves when media could flow. */
async function connectedPeers(events) {
  const pipeline = await rpc.create('MediaPipeline');
  await rpc.invoke(pipeline, 'setLatencyStats', { latencyStats: true });
  const peers = [await rpc.create('WebRtcEndpoint', { mediaPipeline: pipeline }), await rpc.create('WebRtcEndpoint', { mediaPipeline: pipeline })];
  for (const object of peers) for (const type of events) await rpc.value('subscribe', { object, type });
  await rpc.invoke(peers[0], 'addTag', { key: 'k', value: 'v' });
  await rpc.invoke(peers[0], 'setSendTagsInEvents', { sendTagsInEvents: true });
  await rpc.invoke(peers[0], 'connect', { sink: peers[1] });
  const offer = await rpc.invoke(peers[0], 'generateOffer');
  await rpc.invoke(peers[0], 'processAnswer', { answer: await rpc.invoke(peers[1], 'processOffer', { offer }) });
  for (const object of peers) await rpc.invoke(object, 'gatherCandidates');
  const told = (type, object) => rpc.events.filter((event) => event.type === type && event.object === object);
  for (const [object, other] of [peers, [...peers].reverse()]) {
    await until(() => told('IceGatheringDone', object).length > 0, 'IceGatheringDone');
    // As Java sends it: with its type, and without what is null.
    for (const { data } of told('IceCandidateFound', object)) await rpc.invoke(other, 'addIceCandidate', { candidate: data.candidate });
  }
  for (const object of peers) await until(() => told('ConnectionStateChanged', object).some(({ data }) => data.newState === 'CONNECTED'), 'the peers are connected');
  return peers;
}

test('every value that can be read of every class fits its descriptor, with types at every depth', async () => {
  const made = await createOneOfEach(rpc, model, new Dice(3), (name) => (/uri/i.test(name) ? 'file:///nonexistent/x.webm' : 'identity'));
  made.set('ServerManager', MANAGER);
  let [read, asked] = [0, 0];
  for (const [type, id] of made) {
    const readable = model.class(type).operations.filter(({ params, returns }) => returns && params.every(({ optional }) => optional));
    for (const { name, returns } of readable) {
      const { result, error } = await rpc.request('invoke', { object: id, operation: name, operationParams: name === 'getUsedCpu' ? { interval: 1 } : {} });
      asked += 1;
      if (error || result.value === null) continue;
      assert.equal(misfit(model, returns, result.value), undefined, `${type}.${name}`);
      read += 1;
    }
  }
  assert.ok(read > 0.9 * asked && asked > 300, `${read} values of ${asked}`);
});

test('events have all their properties, each of its type, and statistics say what they are', async () => {
  const peers = await connectedPeers(model.class('WebRtcEndpoint').events);
  const types = new Set();
  for (const { type, object, data } of rpc.events) {
    if (!peers.includes(object)) continue;
    types.add(type);
    assert.equal(data.source, object);
    assert.match(data.timestampMillis, /^\d{13}$/);
    assert.equal(data.type, type);
    assert.ok(!('__type__' in data));
    for (const { name, type: of, optional } of model.eventProperties(type)) {
      const isPrimitive = ['boolean', 'int', 'int64', 'float', 'double'].includes(of);
      if (data[name] === undefined && optional && !isPrimitive) continue;
      assert.equal(misfit(model, of, data[name]), undefined, `${type}.${name}`);
    }
    const tags = object === peers[0] && type !== 'ElementConnected' ? [{ __module__: 'kurento', __type__: 'Tag', key: 'k', value: 'v' }] : [];
    if (type !== 'ElementConnected') assert.deepEqual(data.tags, tags);
  }
  const expected = ['ElementConnected', 'IceCandidateFound', 'IceGatheringDone', 'IceComponentStateChanged', 'NewCandidatePairSelected', 'DtlsConnectionStateChange', 'ConnectionStateChanged', 'MediaSessionStarted'];
  for (const type of expected) assert.ok(types.has(type), `${type} among ${[...types]}`);

  for (const object of peers) {
    const pairs = await rpc.invoke(object, 'getICECandidatePairs');
    assert.ok(pairs.length > 0);
    assert.equal(misfit(model, 'IceCandidatePair[]', pairs), undefined);
    const stats = await rpc.invoke(object, 'getStats');
    assert.ok(stats === null || misfit(model, 'Stats<>', stats) === undefined, JSON.stringify(stats));
    for (const [id, entry] of Object.entries(stats ?? {})) {
      assert.equal(entry.id, id);
      assert.ok(Number.isInteger(entry.timestampMillis), 'a number in statistics, a text in events');
    }
  }
});

test('floats are the exact decimals of their 32-bit values', async () => {
  const pipeline = await rpc.create('MediaPipeline');
  const endpoint = await rpc.create('WebRtcEndpoint', { mediaPipeline: pipeline });
  await rpc.invoke(endpoint, 'setRembParams', { rembParams: { __type__: 'RembParams', __module__: 'kurento', exponentialFactor: 0.1, packetsRecvIntervalTop: 7 } });
  const { length } = texts;
  const params = await rpc.invoke(endpoint, 'getRembParams');
  assert.equal(misfit(model, 'RembParams', params), undefined);
  assert.equal(params.packetsRecvIntervalTop, 7);
  assert.ok(texts.slice(length).some((text) => text.includes('"exponentialFactor":0.10000000149011612,')), texts.slice(length).join());
});

test('ids of requests come back with their JSON type', async () => {
  for (const id of [900_001, '900001', 1.5, -3, true]) {
    const answered = rpc.next(1);
    rpc.sendText(JSON.stringify({ jsonrpc: '2.0', id, method: 'ping' }));
    assert.deepEqual((await answered).map((reply) => reply.id), [id]);
  }
});

test('a client’s life as Java’s client leads it', async () => {
  const own = await connectRpc(server.url);
  const ask = async (id, method, params) => {
    const answered = own.next(1);
    own.sendText(JSON.stringify({ id, method, params, jsonrpc: '2.0' }));
    return (await answered)[0];
  };
  assert.deepEqual((await ask(1, 'ping', { interval: 240_000 })).result, { value: 'pong' });
  const { sessionId } = (await ask(2, 'connect', undefined)).result;
  assert.equal((await ask(3, 'ping', { sessionId })).result.value, 'pong');
  const created = await ask(4, 'create', { type: 'MediaPipeline', constructorParams: {}, properties: {}, sessionId });
  assert.equal(created.result.sessionId, sessionId);
  const pipeline = created.result.value;
  // What stands behind the last underscore is the class whose proxy Java makes.
  assert.equal(pipeline.split('_').at(-1), 'kurento.MediaPipeline');
  const subscribed = await ask(5, 'subscribe', { type: 'Error', object: pipeline, sessionId });
  assert.equal(typeof subscribed.result.value, 'string');
  assert.deepEqual((await ask(6, 'keepAlive', { sessionId })).result, { sessionId });
  assert.deepEqual((await ask(7, 'release', { object: pipeline, sessionId })).result, { sessionId });
  assert.equal((await ask(8, 'closeSession', { sessionId })).result, null);

  // Its reconnection to a server that has forgotten the session.
  const again = await connectRpc(server.url);
  assert.equal((await again.request('connect', { sessionId })).error.code, 40007);
  assert.notEqual((await again.request('connect', undefined)).result.sessionId, sessionId);
  await again.close();
  await own.close();
});

test('every message is compact JSON with its keys in alphabetical order', () => {
  assert.ok(texts.length > 100);
  for (const text of texts) {
    assert.doesNotMatch(text.replace(/"(\\.|[^"\\])*"/g, '""'), /\s/, text);
    assertSorted(JSON.parse(text), text);
  }
});

function assertSorted(value, text) {
  if (typeof value !== 'object' || value === null) return;
  const keys = Object.keys(value);
  if (!Array.isArray(value)) assert.deepEqual(keys, [...keys].sort(), text);
  for (const key of keys) assertSorted(value[key], text);
}
