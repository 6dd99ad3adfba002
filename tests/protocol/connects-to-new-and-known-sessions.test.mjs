// A02, B09: `connect` begins a session or returns to one.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';

const INVALID_SESSION = { code: 40007, data: { type: 'INVALID_SESSION' }, message: 'Invalid session' };
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

let server;
before(async () => (server = await startRivero()));
after(() => server?.stop());

test('A02 connect with null params answers sessionId and serverId', async () => {
  const rpc = await connectRpc(server.url);
  const { result } = await rpc.request('connect', null);
  assert.deepEqual(Object.keys(result).sort(), ['serverId', 'sessionId']);
  assert.match(result.sessionId, UUID);
  assert.match(result.serverId, UUID);
  await rpc.close();
});

test('A02 B09 connect with an invented session is 40007, and the connection serves on', async () => {
  const rpc = await connectRpc(server.url);
  const { error } = await rpc.request('connect', { sessionId: 'invented' });
  assert.deepEqual(error, INVALID_SESSION);
  assert.match((await rpc.request('connect')).result.sessionId, UUID);
  await rpc.close();
});

test('B09 a session that has touched an object is returned to, on any connection', async () => {
  const first = await connectRpc(server.url);
  const pipeline = await first.create('MediaPipeline');
  const { sessionId } = first;
  const second = await connectRpc(server.url);
  const { result } = await second.request('connect', { sessionId });
  assert.equal(result.sessionId, sessionId);
  assert.equal(await second.invoke(pipeline, 'getName'), pipeline);
  await first.close();
  await second.close();
});

test('B03 every connection begins a session of its own, and the server id is the same', async () => {
  const connections = await Promise.all(Array.from({ length: 5 }, () => connectRpc(server.url)));
  const results = await Promise.all(connections.map((rpc) => rpc.request('connect').then(({ result }) => result)));
  assert.equal(new Set(results.map(({ sessionId }) => sessionId)).size, 5);
  assert.equal(new Set(results.map(({ serverId }) => serverId)).size, 1);
  for (const rpc of connections) await rpc.close();
});

test('B03 a closed session is rejected', async () => {
  const rpc = await connectRpc(server.url);
  await rpc.create('MediaPipeline');
  const { sessionId } = rpc;
  assert.equal((await rpc.request('closeSession', { sessionId })).result, null);
  const other = await connectRpc(server.url);
  assert.deepEqual((await other.request('connect', { sessionId })).error, INVALID_SESSION);
  assert.deepEqual((await other.request('keepAlive', { sessionId })).error, INVALID_SESSION);
  await rpc.close();
  await other.close();
});

test('ping needs no session and answers with the one that it names', async () => {
  const rpc = await connectRpc(server.url);
  assert.deepEqual((await rpc.request('ping')).result, { value: 'pong' });
  assert.deepEqual((await rpc.request('ping', { interval: 240_000 })).result, { value: 'pong' });
  assert.deepEqual((await rpc.request('ping', { sessionId: 'any' })).result, { sessionId: 'any', value: 'pong' });
  await rpc.close();
});
