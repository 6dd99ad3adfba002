// A module that is isolated does what it does in the server's process; when its process ends, its objects say so,
// another process serves new ones, and nothing of it outlives the server.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { connect, faults, goneEvent, isGone, processOf, received, runs } from '../lib/isolated.mjs';
import { metric } from '../lib/metrics.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { until } from '../lib/wait.mjs';

/** What a start and the end of a process may take: the bound is a second, measured by `make bench`. */
const isolation = { faults: 'module', counter: { mode: 'module', ring: 1 }, passthrough: 'pipeline' };

let server;
let rpc;
let pipeline;
before(async () => {
  server = await startRivero({
    modules: ['passthrough', 'faults', 'upgrades'],
    config: { modules: { isolation } },
    moduleConfig: { 'fixturefaults/Faults.conf.json': '{"answer": 42}' },
  });
  rpc = await connectRpc(server.url);
  pipeline = await rpc.create('MediaPipeline');
});
after(async () => {
  await rpc?.close();
  await server?.stop();
});

test('calls, answers that come later, configuration and look-ups', async () => {
  const element = await faults(rpc, pipeline);
  assert.notEqual(await processOf(rpc, element), server.pid);
  assert.equal(await rpc.invoke(element, 'echo', { text: 'grüße' }), 'grüße');
  const long = 'x'.repeat(100_000);
  assert.equal(await rpc.invoke(element, 'echo', { text: long }), long);
  assert.equal(await rpc.invoke(element, 'later'), 'later');
  assert.equal(await rpc.invoke(element, 'ownClass'), 'Faults');
  assert.deepEqual(JSON.parse(await rpc.invoke(element, 'getSetting')), { answer: 42 });
  // It has none, which is an answer too.
  await rpc.invoke(element, 'getStats');
  await rpc.value('release', { object: element });
});

test('objects of a module share a process', async () => {
  const [one, two] = [await faults(rpc, pipeline), await faults(rpc, await rpc.create('MediaPipeline'))];
  assert.equal(await processOf(rpc, one), await processOf(rpc, two));
});

test('media passes as it is, small and large, in and out of processes', async () => {
  const [source, between, last] = [await faults(rpc, pipeline), await faults(rpc, pipeline), await faults(rpc, pipeline)];
  const passThrough = await rpc.create('PassThrough', { mediaPipeline: pipeline });
  await connect(rpc, source, between);
  await connect(rpc, between, passThrough);
  await connect(rpc, passThrough, last);
  const sum = await rpc.invoke(source, 'send', { count: 3, size: 1_000_000 });
  await received(rpc, last, 3);
  await until(async () => (await rpc.invoke(last, 'getSum')) === sum, 'the same bytes arrive');
  assert.match(await rpc.invoke(last, 'getNoted'), /decoded 5 captured Some\(6\) level Some\(-30\) rtp 7 8 0 metadata sender=faults/);
  for (let burst = 1; burst <= 20; burst += 1) await rpc.invoke(source, 'send', { count: 64, size: 1200 });
  await received(rpc, last, 3 + 20 * 64);
  // What has no room in the memory between the processes is lost, and counted.
  await rpc.invoke(source, 'send', { count: 10, size: 1_000_000 });
  await rpc.invoke(source, 'send', { count: 1 });
  await received(rpc, last, 3 + 20 * 64 + 1);
  await until(async () => (await metric(server, 'rivero_fixturefaults_isolation_packets_lost_total')) === 10, 'lost packets are counted');
});

test('a ring of elements in several processes ends', async () => {
  const mediaPipeline = await rpc.create('MediaPipeline');
  const [one, two] = [await faults(rpc, mediaPipeline), await faults(rpc, mediaPipeline)];
  await connect(rpc, one, two);
  await connect(rpc, two, one);
  await rpc.invoke(one, 'send', { count: 1 });
  let last = -1;
  await until(async () => {
    const before = last;
    last = await rpc.invoke(one, 'getReceived');
    return last > 0 && last === before;
  }, 'the packet comes to rest');
  assert.ok(last < 200, `${last} rounds`);
  await rpc.value('release', { object: mediaPipeline });
});

test('when its process ends its objects say so, and a new one serves new objects', async () => {
  const mediaPipeline = await rpc.create('MediaPipeline');
  const elements = [await faults(rpc, mediaPipeline), await faults(rpc, mediaPipeline)];
  const between = await rpc.create('fixtureupgrades.Upgrades', { mediaPipeline });
  await connect(rpc, elements[0], between);
  const pid = await processOf(rpc, elements[0]);
  const started = await rpc.invoke(elements[0], 'startProcess');
  assert.ok(runs(started));
  process.kill(pid, 'SIGSEGV');
  for (const element of elements) {
    assert.match(await goneEvent(rpc, element), /signal 11 \(SIGSEGV\)/);
    await isGone(rpc, element);
  }
  await until(() => !runs(started), 'what it had started ends with it');
  const next = await faults(rpc, mediaPipeline);
  assert.notEqual(await processOf(rpc, next), pid);
  await rpc.invoke(next, 'echo', { text: 'x' });
  for (const element of elements) await rpc.value('release', { object: element });
  assert.match(server.log, new RegExp(`process of the module is gone.*|process=${pid}`));
});

test('processes that end leave no descriptor behind', async () => {
  const mediaPipeline = await rpc.create('MediaPipeline');
  const die = async () => {
    const element = await faults(rpc, mediaPipeline);
    process.kill(await processOf(rpc, element), 'SIGKILL');
    await goneEvent(rpc, element);
    await rpc.value('release', { object: element });
  };
  await die();
  const next = await faults(rpc, mediaPipeline);
  const before = server.usage().descriptors;
  for (let death = 0; death < 3; death += 1) await die();
  await rpc.value('release', { object: next });
  await faults(rpc, mediaPipeline);
  await until(() => server.usage().descriptors <= before, `no more than ${before} descriptors`);
});

test('a pipeline has a process of its own, which ends with its objects', async () => {
  const pipelines = [await rpc.create('MediaPipeline'), await rpc.create('MediaPipeline')];
  const children = () => server.log.match(/a process of the module runs.* module=passthrough/g)?.length ?? 0;
  const before = children();
  for (const mediaPipeline of pipelines) await rpc.create('PassThrough', { mediaPipeline });
  await until(() => children() >= before + 2, 'others wait for the next pipelines');
  for (const mediaPipeline of pipelines) await rpc.value('release', { object: mediaPipeline });
});

test('nothing outlives a server that is killed', async () => {
  const element = await faults(rpc, pipeline);
  const pids = [await processOf(rpc, element), await rpc.invoke(element, 'startProcess')];
  assert.ok(pids.every(runs));
  process.kill(server.pid, 'SIGKILL');
  await server.exit;
  await until(() => !pids.some(runs), 'both processes end');
});
