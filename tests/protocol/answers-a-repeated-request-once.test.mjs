// A11: the same id again in the same session is the same request.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { MANAGER } from '../lib/model.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';

const create = (id, sessionId) => JSON.stringify({ jsonrpc: '2.0', id, method: 'create', params: { type: 'MediaPipeline', sessionId } });

async function answersTo(rpc, ...texts) {
  const answered = rpc.next(texts.length);
  for (const text of texts) rpc.sendText(text);
  return answered;
}

test('A11 a duplicate request gets the identical reply, and nothing is created twice', async () => {
  const server = await startRivero();
  const rpc = await connectRpc(server.url);
  await rpc.request('create', { type: 'MediaPipeline', sessionId: 'a11' });
  const [first] = await answersTo(rpc, create('same', 'a11'));
  const [second] = await answersTo(rpc, create('same', 'a11'));
  assert.deepEqual(second, first);
  assert.equal((await rpc.invoke(MANAGER, 'getPipelines')).length, 2);

  // In another session it is another request, and on another connection it is the same.
  const [other] = await answersTo(rpc, create('same', 'another'));
  assert.notEqual(other.result.value, first.result.value);
  const elsewhere = await connectRpc(server.url);
  assert.deepEqual(await answersTo(elsewhere, create('same', 'a11')), [first]);
  await rpc.close();
  await elsewhere.close();
  await server.stop();
});

test('an error is repeated too, and whatever the method is', async () => {
  const server = await startRivero();
  const rpc = await connectRpc(server.url);
  await rpc.request('create', { type: 'MediaPipeline', sessionId: 's' });
  const wrong = JSON.stringify({ jsonrpc: '2.0', id: 77_000, method: 'create', params: { type: 'Nonsense', sessionId: 's' } });
  const [first] = await answersTo(rpc, wrong);
  assert.equal(first.error.code, 40108);
  assert.deepEqual(await answersTo(rpc, create(77_000, 's')), [first]);
  await rpc.close();
  await server.stop();
});

test('disableRequestCache switches it off', async () => {
  const server = await startRivero({ config: { resources: { disableRequestCache: true } } });
  const rpc = await connectRpc(server.url);
  await rpc.request('create', { type: 'MediaPipeline', sessionId: 's' });
  const [first] = await answersTo(rpc, create('same', 's'));
  const [second] = await answersTo(rpc, create('same', 's'));
  assert.notEqual(second.result.value, first.result.value);
  await rpc.close();
  await server.stop();
});
