// A12: ObjectCreated and ObjectDestroyed of the server manager.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { MANAGER } from '../lib/model.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { until } from '../lib/wait.mjs';

let server;
let rpc;
before(async () => {
  server = await startRivero();
  rpc = await connectRpc(server.url);
});
after(async () => {
  await rpc?.close();
  await server?.stop();
});

test('A12 events arrive with the right ids until both subscriptions are gone', async () => {
  const subscribe = (type) => rpc.value('subscribe', { object: MANAGER, type });
  const [created, destroyed, again] = [await subscribe('ObjectCreated'), await subscribe('ObjectDestroyed'), await subscribe('ObjectCreated')];
  assert.equal(new Set([created, destroyed, again]).size, 3);

  const other = await connectRpc(server.url);
  const pipeline = await other.create('MediaPipeline');
  const element = await other.create('PassThrough', { mediaPipeline: pipeline });
  await other.request('release', { object: pipeline });
  await until(() => rpc.events.length >= 4, 'four events arrive');
  const told = rpc.events.map(({ type, object, data }) => [type, object, data.object ?? data.objectId]);
  assert.deepEqual(told, [
    ['ObjectCreated', MANAGER, pipeline],
    ['ObjectCreated', MANAGER, element],
    ['ObjectDestroyed', MANAGER, element],
    ['ObjectDestroyed', MANAGER, pipeline],
  ]);
  assert.ok(rpc.events.every(({ data }) => !('type' in data) && data.source === MANAGER));

  for (const subscription of [created, destroyed, again]) await rpc.request('unsubscribe', { object: MANAGER, subscription });
  await other.create('MediaPipeline');
  await rpc.request('ping');
  assert.equal(rpc.events.length, 4);
  await other.close();
});

test('two subscriptions of one session deliver an event once, until both are gone', async () => {
  const own = await connectRpc(server.url);
  const subscriptions = [await own.value('subscribe', { object: MANAGER, type: 'ObjectCreated' }), await own.value('subscribe', { object: MANAGER, type: 'ObjectCreated' })];
  await own.create('MediaPipeline');
  await until(() => own.events.length > 0, 'an event arrives');
  await own.request('unsubscribe', { object: MANAGER, subscription: subscriptions[0] });
  await own.create('MediaPipeline');
  await own.request('unsubscribe', { object: MANAGER, subscription: subscriptions[1] });
  await own.create('MediaPipeline');
  await own.request('ping');
  assert.equal(own.events.length, 2);
  await own.close();
});
