// A09, A10: several sessions hold the same objects, and let go of them.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';

import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';

let server;
let rpc;
before(async () => {
  server = await startRivero();
  rpc = await connectRpc(server.url);
});
beforeEach(async () => {
  for (const sessionId of ['1', '2', '3']) await rpc.request('closeSession', { sessionId, release: true });
});
after(async () => {
  await rpc?.close();
  await server?.stop();
});

async function inSession(sessionId, method, params) {
  const { result, error } = await rpc.request(method, { ...params, sessionId });
  if (error) throw Object.assign(new Error(error.message), error);
  assert.ok(result === null || result.sessionId === sessionId);
  return result?.value;
}

const create = (session, type, mediaPipeline) => inSession(session, 'create', { type, constructorParams: mediaPipeline ? { mediaPipeline } : {} });
const connect = (session, object, sink) => inSession(session, 'invoke', { object, operation: 'connect', operationParams: { sink } });
const children = (session, object) => inSession(session, 'invoke', { object, operation: 'getChildren' });

test('A09 two sessions share a pipeline, and each lets go of every object', async () => {
  const pipeline = await create('1', 'MediaPipeline');
  const [first, second] = [await create('1', 'PassThrough', pipeline), await create('2', 'WebRtcEndpoint', pipeline)];
  await connect('1', first, second);
  await connect('2', second, first);
  for (const session of ['1', '2']) {
    for (const object of [second, first, pipeline]) await inSession(session, 'unref', { object });
  }
  await assert.rejects(inSession('3', 'describe', { object: pipeline }), { code: 40101 });
});

test('A10 closing a session takes what it alone holds', async () => {
  const pipeline = await create('1', 'MediaPipeline');
  // Before session 2 holds the pipeline: it holds only children that come later.
  for (let count = 0; count < 2; count++) await create('1', 'PassThrough', pipeline);
  // Naming it in `create` is using it: children of session 2 are held by both.
  for (let count = 0; count < 2; count++) await create('2', 'PassThrough', pipeline);
  await inSession('3', 'ref', { object: pipeline });
  assert.equal((await children('3', pipeline)).length, 4);

  await inSession('1', 'closeSession', {});
  assert.equal((await children('3', pipeline)).length, 2);
  await inSession('2', 'closeSession', {});
  assert.deepEqual(await children('3', pipeline), []);
  await inSession('3', 'closeSession', { release: true });
  await assert.rejects(inSession('3', 'describe', { object: pipeline }), { code: 40101, message: `Object '${pipeline}' not found` });
});

test('unref of a parent lets go of its children too', async () => {
  const pipeline = await create('1', 'MediaPipeline');
  const element = await create('1', 'PassThrough', pipeline);
  await inSession('2', 'ref', { object: element });
  await inSession('1', 'unref', { object: pipeline });
  assert.deepEqual(await children('2', pipeline), [element]);
  await inSession('2', 'unref', { object: pipeline });
  await assert.rejects(inSession('2', 'describe', { object: element }), { code: 40101 });
});

test('release, unref and unsubscribe of unknown things succeed', async () => {
  const pipeline = await create('1', 'MediaPipeline');
  for (const [method, params] of [
    ['release', { object: 'nothing' }],
    ['unref', { object: 'nothing' }],
    ['unsubscribe', { object: pipeline, subscription: 'nothing' }],
    ['unsubscribe', { object: 'nothing', subscription: 'nothing' }],
  ]) {
    assert.deepEqual((await rpc.request(method, { ...params, sessionId: '1' })).result, { sessionId: '1' }, method);
  }
  await assert.rejects(inSession('1', 'ref', { object: 'nothing' }), { code: 40101 });
});
