// A session's events go to the connection that sent its last request; a connection
// belongs to the session of its last request.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { until } from '../lib/wait.mjs';

let server;
let actor;
before(async () => {
  server = await startRivero();
  actor = await connectRpc(server.url);
});
after(async () => {
  await actor?.close();
  await server?.stop();
});

/** An element to which `rpc` has subscribed in `sessionId`. */
async function subscribed(rpc, sessionId) {
  const pipeline = (await rpc.request('create', { type: 'MediaPipeline', sessionId })).result.value;
  const params = { type: 'PassThrough', constructorParams: { mediaPipeline: pipeline }, sessionId };
  const element = (await rpc.request('create', params)).result.value;
  for (const type of ['ElementConnected', 'ElementDisconnected']) await rpc.request('subscribe', { object: element, type, sessionId });
  return element;
}

const connect = (element, mediaType) => actor.invoke(element, 'connect', { sink: element, mediaType });
const types = (rpc) => rpc.events.map(({ data }) => data.mediaType);

test('a request of another connection in the session takes its events there', async () => {
  const [first, second] = [await connectRpc(server.url), await connectRpc(server.url)];
  const element = await subscribed(first, 'wanders');
  await connect(element, 'AUDIO');
  await until(() => first.events.length === 1, 'the event arrives');
  await second.request('keepAlive', { sessionId: 'wanders' });
  await connect(element, 'VIDEO');
  await until(() => second.events.length === 1, 'the event arrives');
  await first.request('ping', { sessionId: 'any' });
  assert.deepEqual([types(first), types(second)], [['AUDIO'], ['VIDEO']]);
  await first.close();
  await connect(element, 'DATA');
  await until(() => second.events.length === 2, 'the end of the older connection changes nothing');
  await second.close();
});

test('and a later one of the first connection takes them back', async () => {
  const [first, second] = [await connectRpc(server.url), await connectRpc(server.url)];
  const element = await subscribed(first, 'returns');
  await second.request('keepAlive', { sessionId: 'returns' });
  await first.request('keepAlive', { sessionId: 'returns' });
  await connect(element, 'AUDIO');
  await until(() => first.events.length === 1, 'the event arrives');
  await second.close();
  await connect(element, 'VIDEO');
  await until(() => first.events.length === 2, 'the end of the other connection changes nothing');
  await first.close();
});

test('so does a request that was answered before', async () => {
  const lost = await connectRpc(server.url);
  const element = await subscribed(lost, 'repeats');
  const text = JSON.stringify({ jsonrpc: '2.0', id: 'same', method: 'keepAlive', params: { sessionId: 'repeats' } });
  const answerTo = async (rpc) => {
    const answered = rpc.next(1);
    rpc.sendText(text);
    return answered;
  };
  const answer = await answerTo(lost);
  await lost.close();
  const back = await connectRpc(server.url);
  assert.deepEqual(await answerTo(back), answer);
  await connect(element, 'AUDIO');
  await until(() => back.events.length === 1, 'the event arrives');
  await back.close();
});

test('a connection that changes to another session leaves its old one without events until it returns', async () => {
  const rpc = await connectRpc(server.url);
  const element = await subscribed(rpc, 'left behind');
  await rpc.request('create', { type: 'MediaPipeline', sessionId: 'new' });
  await connect(element, 'AUDIO');
  await rpc.request('ping', { sessionId: 'new' });
  assert.deepEqual(types(rpc), []);
  await rpc.request('keepAlive', { sessionId: 'left behind' });
  await until(() => rpc.events.length === 1, 'what was missed is told');
  await rpc.close();
});

test('of more than 1,000 missed events the newest are told, in order', async () => {
  const [rpc, back] = [await connectRpc(server.url), await connectRpc(server.url)];
  const element = await subscribed(rpc, 'away');
  await rpc.close();
  await until(async () => (await connect(element, 'AUDIO'), true), 'an event');
  const rounds = 600;
  for (let round = 0; round < rounds; round++) {
    await actor.invoke(element, 'disconnect', { sink: element, mediaType: 'AUDIO' });
    await connect(element, 'AUDIO');
  }
  assert.equal((await back.request('connect', { sessionId: 'away' })).result.sessionId, 'away');
  await connect(element, 'VIDEO');
  await until(() => back.events.at(-1)?.data.mediaType === 'VIDEO', 'the newest event');
  const told = back.events.slice(0, -1).map(({ type }) => type);
  assert.equal(told.length, 1_000);
  assert.deepEqual(told.slice(-4), ['ElementDisconnected', 'ElementConnected', 'ElementDisconnected', 'ElementConnected']);
  assert.ok(told.every((type, index) => type !== told[index + 1]), 'the order is kept');
  await back.close();
});
