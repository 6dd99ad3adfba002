// Pipelines and what is in them, twice as many each round: every beginning and end is told once,
// and nothing is left.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { until } from '../lib/wait.mjs';

const MANAGER = 'manager_ServerManager';
const ROUNDS = 8;
const ELEMENTS = 3;
/** A kilobyte for each object of the last rounds. */
const SLACK_KIB = 2_500;
let server, rpc, observer;
before(async () => {
  server = await startRivero({ modules: ['passthrough', 'panics'] });
  [rpc, observer] = [await connectRpc(server.url), await connectRpc(server.url)];
  for (const type of ['ObjectCreated', 'ObjectDestroyed']) await observer.value('subscribe', { object: MANAGER, type });
});
after(async () => {
  await rpc?.close();
  await observer?.close();
  await server?.stop();
});

/** A pipeline with elements in it: the ids of all, the pipeline's first. */
async function pipelineWithElements() {
  const pipeline = await rpc.create('MediaPipeline');
  const elements = await Promise.all(Array.from({ length: ELEMENTS }, () => rpc.create('PassThrough', { mediaPipeline: pipeline })));
  return [pipeline, ...elements];
}

async function round(count) {
  observer.events.length = 0;
  const made = await Promise.all(Array.from({ length: count }, pipelineWithElements));
  await Promise.all(made.map(([pipeline]) => rpc.value('release', { object: pipeline })));
  const objects = made.flat();
  await until(() => observer.events.length >= 2 * objects.length, `${2 * objects.length} events`);
  const told = (type, id) => observer.events.filter((event) => event.type === type).map(({ data }) => id(data));
  assert.deepEqual(told('ObjectCreated', ({ object }) => object.id ?? object).sort(), objects.sort());
  assert.deepEqual(told('ObjectDestroyed', ({ objectId }) => objectId).sort(), objects);
  assert.equal((await rpc.invoke(MANAGER, 'getPipelines')).length, 0);
}

test('I01: each of 2^i pipelines is told once when it begins and once when it ends, and memory stays', async () => {
  for (let exponent = 0; exponent < ROUNDS; exponent += 1) await round(2 ** exponent);
  await round(2 ** (ROUNDS - 1));
  const warm = server.usage().rssKib;
  for (let again = 0; again < 5; again += 1) await round(2 ** (ROUNDS - 1));
  const used = server.usage().rssKib;
  assert.ok(used < warm + SLACK_KIB, `${used} KiB after ${warm} KiB`);
});

test('I03: chains and fans are connected and cut all at once while media flows', async () => {
  const mediaPipeline = await rpc.create('MediaPipeline');
  const element = () => rpc.create('fixturepanics.Panics', { mediaPipeline });
  const connect = (source, sink) => rpc.invoke(source, 'connect', { sink });
  const disconnect = (source, sink) => rpc.invoke(source, 'disconnect', { sink });
  const source = await element();
  const ends = await Promise.all(Array.from({ length: 4 }, element));
  // From the source a fan of four chains, each of five.
  const ways = [];
  for (const end of ends) {
    const links = await Promise.all(Array.from({ length: 5 }, () => rpc.create('PassThrough', { mediaPipeline })));
    ways.push([source, ...links, end]);
  }
  const links = ways.flatMap((way) => way.slice(1).map((sink, index) => [way[index], sink]));
  await Promise.all(links.map(([from, to]) => connect(from, to)));
  let sending = true;
  const sender = (async () => {
    while (sending) await rpc.invoke(source, 'send', { count: 8 });
  })();
  for (let again = 0; again < 10; again += 1) {
    await Promise.all(links.map(([from, to]) => disconnect(from, to)));
    await Promise.all(links.map(([from, to]) => connect(from, to)));
  }
  sending = false;
  await sender;

  const received = () => Promise.all(ends.map((end) => rpc.invoke(end, 'getReceived')));
  const before = await received();
  await rpc.invoke(source, 'send', { count: 5 });
  await until(async () => (await received()).every((count, index) => count === before[index] + 5), 'every end gets what is sent');
  for (const [from, to] of links) {
    const connected = await rpc.invoke(from, 'getSinkConnections', { mediaType: 'VIDEO' });
    assert.equal(connected.filter(({ sink }) => sink === to).length, 1);
  }
  await rpc.value('release', { object: mediaPipeline });
});
