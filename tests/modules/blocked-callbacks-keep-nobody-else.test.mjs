// Each callback that the host can make does not return for twelve seconds, all of them side by side.
// Meanwhile clients are answered, other modules make and end objects, and media of other pipelines flows
// without a gap; the log and /health name each of them.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { metric } from '../lib/metrics.mjs';
import { builtModules, startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { until } from '../lib/wait.mjs';

const BLOCKED_MS = 12_000;
const NOT_AVAILABLE = 40108;

/** What the server calls them: by where the fixture is told to block. */
const NAMES = {
  invoke: 'echo',
  stats: 'stats',
  format: 'format',
  consumers: 'consumers',
  upstream: 'upstream',
  packets: 'packets',
  group: 'push_batch',
  timer: 'a timer',
  released: 'release',
  drop: 'a destructor',
  portAdded: 'port_added',
};

let server;
let rpc;
before(async () => {
  server = await startRivero({ modules: [...builtModules(), 'panics', 'upgrades'] });
  rpc = await connectRpc(server.url);
});
after(async () => {
  await rpc?.close();
  await server?.stop();
});

/** Elements of the fixture in a pipeline of their own: one that blocks, and one that does not. */
async function blocking(where) {
  const pipeline = await rpc.create('MediaPipeline');
  const element = await rpc.create('fixturepanics.Panics', { mediaPipeline: pipeline, where, blocks: true });
  await rpc.value('subscribe', { object: element, type: 'Error' });
  const other = await rpc.create('fixturepanics.Panics', { mediaPipeline: pipeline });
  return { where, element, other, pipeline };
}

const connect = (source, sink) => rpc.invoke(source, 'connect', { sink });

/** Has the callback made. What the client asks for may be answered late, or not at all. */
async function spring({ where, element, other, pipeline }) {
  switch (where) {
    case 'invoke':
      return rpc.invoke(element, 'echo', { text: 'x' });
    case 'stats':
      return rpc.invoke(element, 'getStats');
    case 'timer':
      return undefined;
    case 'released':
    case 'drop':
      return rpc.value('release', { object: element });
    case 'consumers':
      return connect(element, other);
    case 'upstream':
      // A consumer that begins asks for a keyframe.
      return connect(element, other);
    case 'format':
      return connect(other, element);
    case 'portAdded':
      return rpc.create('HubPort', { hub: await rpc.create('fixturepanics.PanicsHub', { mediaPipeline: pipeline, where, blocks: true }) });
    default:
      await connect(other, element);
      return rpc.invoke(other, 'send', { count: 5 });
  }
}

/** Media of another module, through a third one. */
async function media() {
  const mediaPipeline = await rpc.create('MediaPipeline');
  const [source, sink] = [await rpc.create('fixtureupgrades.Upgrades', { mediaPipeline }), await rpc.create('fixtureupgrades.Upgrades', { mediaPipeline })];
  const between = await rpc.create('PassThrough', { mediaPipeline });
  await connect(source, between);
  await connect(between, sink);
  return { source, sink };
}

async function health() {
  const response = await fetch(`http://127.0.0.1:${server.port}/health`);
  assert.equal(response.status, 200);
  return response.text();
}

test('callbacks that do not return keep nobody but themselves, and are named', async (t) => {
  assert.equal(await health(), 'ok\n');
  const mediaPipeline = await rpc.create('MediaPipeline');
  const others = async () => {
    for (const type of ['PassThrough', 'WebRtcEndpoint']) await rpc.value('release', { object: await rpc.create(type, { mediaPipeline }) });
  };
  // Loads their modules.
  await others();
  // The hub's port comes last: what a pipeline is made of must be there before.
  const wheres = Object.keys(NAMES);
  const culprits = await Promise.all(wheres.map((where) => blocking(where === 'portAdded' ? '' : where)));
  culprits.forEach((culprit, index) => (culprit.where = wheres[index]));
  const released = await blocking('');
  const { source, sink } = await media();

  const began = performance.now();
  const pending = culprits.map((culprit) => spring(culprit).catch((error) => error));
  pending.push(rpc.create('fixturepanics.Panics', { mediaPipeline, where: 'create', blocks: true }).catch((error) => error));

  let sent = 0;
  let slowest = 0;
  while (performance.now() - began < BLOCKED_MS) {
    const asked = performance.now();
    assert.equal(await rpc.value('ping', { interval: 240_000 }), 'pong');
    await rpc.invoke(source, 'send', { count: 5 });
    sent += 5;
    await others();
    slowest = Math.max(slowest, performance.now() - asked);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  t.diagnostic(`the slowest round of five calls beside them took ${slowest.toFixed(0)} ms`);
  await until(async () => (await rpc.invoke(sink, 'getReceived')) === sent, 'no packet of another pipeline is lost');

  const lines = server.log.split('\n').filter((line) => line.includes('has not returned for 1 s'));
  const page = await health();
  for (const [index, name] of [...Object.values(NAMES), 'the constructor'].entries()) {
    const line = lines.find((text) => text.includes(`callback=${name}`));
    assert.ok(line, `the log names ${name}:\n${lines.join('\n')}`);
    assert.match(line, /module=panics .*class=\w+.*thread=[\w-]+/);
    assert.match(page, new RegExp(`module panics, \\w+ .*: ${name} has not returned for`));
    assert.ok((await metric(server, 'rivero_module_calls_overdue_total', { module: 'panics', call: name })) > 0, name);
    // Of what has to return at once the object's listeners hear.
    if (['format', 'consumers', 'upstream', 'packets', 'push_batch', 'a timer'].includes(name)) {
      const { element } = culprits[index];
      assert.ok(rpc.events.some(({ type, object, data }) => type === 'Error' && object === element && data.description.startsWith(name)), `an Error event of ${name}`);
    }
  }

  // Too many of its threads are lost: it makes nothing more until they are back.
  const { error } = await rpc.request('create', { type: 'fixturepanics.Panics', constructorParams: { mediaPipeline } });
  assert.equal(error?.code, NOT_AVAILABLE);
  assert.match(error.message, /the module panics is retired: \d+ of its threads do not return/);

  await rpc.invoke(released.element, 'unblock');
  await Promise.all(pending);
  await until(async () => (await health()) === 'ok\n', 'all calls have returned');
  const fresh = await rpc.create('fixturepanics.Panics', { mediaPipeline });
  assert.equal(await rpc.invoke(fresh, 'echo', { text: 'still here' }), 'still here');

  // What had hung takes media again.
  const { element, other } = culprits[wheres.indexOf('format')];
  await until(async () => {
    await rpc.invoke(other, 'send', { count: 1 });
    return (await rpc.invoke(element, 'getReceived')) > 0;
  }, 'media reaches the element that hung in format');
  assert.ok(server.running);

  // Each of them blocks again where it is told to.
  const letGo = setInterval(() => rpc.invoke(fresh, 'unblock').catch(() => {}), 50);
  await Promise.all(culprits.map(({ pipeline }) => rpc.value('release', { object: pipeline })));
  clearInterval(letGo);
});
