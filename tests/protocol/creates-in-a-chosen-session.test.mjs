// A03, A04, A06: sessions whose ids clients choose.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';

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

test('A03 a pipeline and a WebRtcEndpoint in it, in a session of the client’s choice', async () => {
  const sessionId = 'chosen by the client';
  const pipeline = await rpc.request('create', { type: 'MediaPipeline', constructorParams: {}, sessionId });
  assert.equal(pipeline.result.sessionId, sessionId);
  assert.equal(typeof pipeline.result.value, 'string');
  const id = 9_000_001;
  const answered = rpc.next(1);
  const params = { type: 'WebRtcEndpoint', constructorParams: { mediaPipeline: pipeline.result.value }, sessionId };
  rpc.sendText(JSON.stringify({ jsonrpc: '2.0', id, method: 'create', params, extra: { ignored: true }, dest: 'x' }));
  const [endpoint] = await answered;
  assert.equal(endpoint.id, id);
  assert.equal(endpoint.result.sessionId, sessionId);
  assert.ok(endpoint.result.value.startsWith(`${pipeline.result.value}/`));
});

test('A04 getName takes null operationParams, and another session may hold the object', async () => {
  const pipeline = (await rpc.request('create', { type: 'MediaPipeline', sessionId: 'owner' })).result.value;
  for (const operationParams of [null, {}, undefined]) {
    const { result } = await rpc.request('invoke', { object: pipeline, operation: 'getName', operationParams, sessionId: 'owner' });
    assert.deepEqual(result, { sessionId: 'owner', value: pipeline });
  }
  assert.deepEqual((await rpc.request('ref', { object: pipeline, sessionId: 'guest' })).result, { sessionId: 'guest' });
  await rpc.request('closeSession', { sessionId: 'owner' });
  assert.equal((await rpc.request('invoke', { object: pipeline, operation: 'getName', sessionId: 'guest' })).result.value, pipeline);
});

test('A06 release answers with the session that asked', async () => {
  const pipeline = (await rpc.request('create', { type: 'MediaPipeline', sessionId: 'releaser' })).result.value;
  assert.deepEqual((await rpc.request('release', { object: pipeline, sessionId: 'releaser' })).result, { sessionId: 'releaser' });
  assert.equal((await rpc.request('describe', { object: pipeline })).error.code, 40101);
});

test('without a sessionId the session of the connection is meant, or a new one', async () => {
  const own = await connectRpc(server.url);
  const first = await own.request('create', { type: 'MediaPipeline', sessionId: undefined });
  const second = await own.request('create', { type: 'MediaPipeline', sessionId: undefined });
  assert.equal(typeof first.result.sessionId, 'string');
  assert.equal(second.result.sessionId, first.result.sessionId);
  await own.close();
});
