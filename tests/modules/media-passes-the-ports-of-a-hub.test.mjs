// A hub of a loaded library: what comes in at a port goes where the hub sends it, for as long as
// the ports are there.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { until } from '../lib/wait.mjs';

const NOT_FOUND = 40101;
let server, rpc, pipeline, hub;
before(async () => {
  server = await startRivero({ modules: ['panics'] });
  rpc = await connectRpc(server.url);
  pipeline = await rpc.create('MediaPipeline');
  hub = await rpc.create('fixturepanics.PanicsHub', { mediaPipeline: pipeline });
});
after(async () => {
  await rpc?.close();
  await server?.stop();
});

/** An element that sends and counts packets, with a port of its own, connected both ways. */
async function member() {
  const element = await rpc.create('fixturepanics.Panics', { mediaPipeline: pipeline });
  const port = await rpc.create('HubPort', { hub });
  await rpc.invoke(element, 'connect', { sink: port });
  await rpc.invoke(port, 'connect', { sink: element });
  const received = () => rpc.invoke(element, 'getReceived');
  return { element, port, received, send: (count) => rpc.invoke(element, 'send', { count }) };
}

async function haveReceived(members, counts) {
  const all = () => Promise.all(members.map(({ received }) => received()));
  await until(async () => (await all()).every((count, index) => count >= counts[index]), `${counts} packets arrive`);
  assert.deepEqual(await all(), counts);
}

test('media passes from each port to the others, also after ports have come and gone', async () => {
  const members = [await member(), await member(), await member()];
  await members[0].send(5);
  await haveReceived(members, [0, 5, 5]);
  await members[2].send(7);
  await haveReceived(members, [7, 12, 5]);

  // One that leaves takes nothing from the others, and hears nothing any more.
  const [staying, leaving, other] = members;
  await rpc.value('release', { object: leaving.port });
  await staying.send(3);
  await haveReceived(members, [7, 12, 8]);
  const late = await member();
  await other.send(1);
  await haveReceived([...members, late], [8, 12, 8, 1]);

  // Without a connection to its port an element is heard by nobody.
  await rpc.invoke(staying.element, 'disconnect', { sink: staying.port });
  await staying.send(9);
  await late.send(1);
  await haveReceived([...members, late], [9, 12, 9, 1]);

  await rpc.value('release', { object: hub });
  const { error } = await rpc.request('invoke', { object: staying.port, operation: 'getName', operationParams: {} });
  assert.equal(error.code, NOT_FOUND);
  await other.send(1);
  await haveReceived([...members, late], [9, 12, 9, 1]);
});

test('a port may be refused, with the words of the hub', async () => {
  const full = await rpc.create('fixturepanics.PanicsHub', { mediaPipeline: pipeline, where: 'refusedPort' });
  const { error } = await rpc.request('create', { type: 'HubPort', constructorParams: { hub: full } });
  assert.equal(error.code, 49001);
  assert.equal(error.data.type, 'FIXTURE_FULL');
  assert.match(error.message, /no place is left in this hub/);
  assert.deepEqual(await rpc.invoke(full, 'getChildren'), []);
  await rpc.value('release', { object: full });
});

test('ports show one pad of their hub, and what was noted of a packet comes along', async () => {
  hub = await rpc.create('fixturepanics.PanicsHub', { mediaPipeline: pipeline, shows: true });
  const members = [await member(), await member(), await member()];
  await members[0].send(5);
  await haveReceived(members, [5, 5, 5]);
  for (const { element } of members) assert.equal(await rpc.invoke(element, 'getNoted'), members[0].element);
  await rpc.value('release', { object: members[1].port });
  await members[2].send(2);
  await haveReceived(members, [7, 5, 7]);
  for (const { element } of [members[0], members[2]]) assert.equal(await rpc.invoke(element, 'getNoted'), members[2].element);
  await rpc.value('release', { object: hub });
});
