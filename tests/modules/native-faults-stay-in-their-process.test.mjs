// Eight faults in each callback of an isolated module, side by side, each in a pipeline of its own: they end the
// objects of their pipeline or nothing, and a call beside them loses no packet.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { connect, faults, goneEvent, isGone, UNEXPECTED_ERROR } from '../lib/isolated.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { until } from '../lib/wait.mjs';

const PLACES = ['create', 'invoke', 'packets', 'format', 'timer', 'release'];
/** Faults after which the process is gone; those that hang take what their callback may take. */
const FATAL = ['abort', 'segfault', 'exit', 'leak', 'loop', 'deadlock', 'signals', 'garbage'];
/** Cases side by side. */
const SIDE_BY_SIDE = 10;

let server;
let rpc;
before(async () => {
  server = await startRivero({
    modules: ['faults', 'upgrades'],
    config: { modules: { isolation: { faults: { mode: 'pipeline', memory: 256, ring: 1 } } } },
  });
  rpc = await connectRpc(server.url);
});
after(async () => {
  await rpc?.close();
  await server?.stop();
});

/** Two elements in a pipeline of their own; one has the fault. */
async function arranged(where, fault) {
  const mediaPipeline = await rpc.create('MediaPipeline');
  const other = await faults(rpc, mediaPipeline);
  if (where === 'create') return { mediaPipeline, other };
  return { mediaPipeline, other, element: await faults(rpc, mediaPipeline, { where, fault }) };
}

/** Makes the callback happen; resolves to what the client is answered. */
async function spring({ mediaPipeline, element, other }, where, fault) {
  if (where === 'create') return rpc.request('create', { type: 'fixturefaults.Faults', constructorParams: { mediaPipeline, where, fault } });
  if (where === 'invoke') return rpc.request('invoke', { object: element, operation: 'echo', operationParams: { text: 'x' } });
  if (where === 'release') return rpc.request('release', { object: element });
  if (where === 'timer') return {};
  await connect(rpc, other, element);
  if (where === 'packets') await rpc.invoke(other, 'send', { count: 3 });
  return {};
}

/** Media that flows beside, in the server's process, until `stop`: not a packet of it is lost. */
async function beside() {
  const mediaPipeline = await rpc.create('MediaPipeline');
  const [source, sink] = [await rpc.create('fixtureupgrades.Upgrades', { mediaPipeline }), await rpc.create('fixtureupgrades.Upgrades', { mediaPipeline })];
  await connect(rpc, source, sink);
  let goes = true;
  let sent = 0;
  const sends = (async () => {
    for (; goes; sent += 5) await rpc.invoke(source, 'send', { count: 5 });
  })();
  return async () => {
    goes = false;
    await sends;
    assert.ok(sent > 0);
    await until(async () => (await rpc.invoke(sink, 'getReceived')) === sent, `all ${sent} packets`);
  };
}

/** Tries a fault in each callback, or some, those that take long first. */
async function inEachPlace(faultsOf, check) {
  const cases = PLACES.toReversed().flatMap((where) => faultsOf.map((fault) => ({ where, fault })));
  const hangs = ({ fault }) => ['loop', 'deadlock', 'signals'].includes(fault);
  cases.sort((a, b) => hangs(b) - hangs(a));
  const next = async () => {
    for (let one = cases.shift(); one; one = cases.shift()) await check(one);
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, next));
}

test('faults that end a process end the objects of its pipeline', async () => {
  const stop = await beside();
  await inEachPlace(FATAL, async ({ where, fault }) => {
    const culprit = await arranged(where, fault);
    const { error } = await spring(culprit, where, fault);
    const name = `${fault} in ${where}`;
    if (fault !== 'garbage' && (where === 'create' || where === 'invoke')) assert.ok(error, `${name}: the caller is told`);
    const told = await goneEvent(rpc, culprit.other);
    if (fault === 'segfault') assert.match(told, /SIGSEGV/, name);
    await isGone(rpc, culprit.other);
    const next = await faults(rpc, culprit.mediaPipeline);
    assert.equal(await rpc.invoke(next, 'echo', { text: name }), name);
    await rpc.value('release', { object: culprit.mediaPipeline });
  });
  await stop();
  assert.ok(server.running);
});

test('a panic harms one object, as in the process of the server', async () => {
  const stop = await beside();
  await inEachPlace(['panic'], async ({ where, fault }) => {
    const culprit = await arranged(where, fault);
    const { error } = await spring(culprit, where, fault);
    if (where === 'create' || where === 'invoke') assert.equal(error?.code, UNEXPECTED_ERROR);
    assert.equal(await rpc.invoke(culprit.other, 'echo', { text: where }), where);
    await rpc.value('release', { object: culprit.mediaPipeline });
  });
  await stop();
  assert.ok(server.running);
});

test('a slow constructor is no hang', async () => {
  const mediaPipeline = await rpc.create('MediaPipeline');
  const element = await faults(rpc, mediaPipeline, { where: 'create', fault: 'sleep' });
  assert.equal(await rpc.invoke(element, 'echo', { text: 'x' }), 'x');
});
