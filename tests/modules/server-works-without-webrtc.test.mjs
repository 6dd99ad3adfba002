// Removing a module leaves a working server that says what is missing.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { connectClient, invoke } from '../lib/client.mjs';
import { builtModules, startRivero } from '../lib/rivero.mjs';

let server;
let client;
before(async () => {
  server = await startRivero({ modules: builtModules().filter((name) => name !== 'webrtc') });
  client = await connectClient(server.url);
});
after(async () => {
  client?.close();
  await server?.stop();
});

test('other elements work', async () => {
  const pipeline = await client.create('MediaPipeline');
  const source = await pipeline.create('PassThrough');
  const sink = await pipeline.create('PassThrough');
  await invoke(source, 'connect', sink);
  await pipeline.release();
});

test('creating a WebRtcEndpoint is refused with 40108, naming the class', async () => {
  const pipeline = await client.create('MediaPipeline');
  await assert.rejects(Promise.resolve(pipeline.create('WebRtcEndpoint')), (error) => {
    assert.equal(error.code, 40108);
    assert.equal(error.data.type, 'MEDIA_OBJECT_NOT_AVAILABLE');
    assert.match(error.message, /Factory 'WebRtcEndpoint' not found/);
    return true;
  });
  await pipeline.release();
});

test('getInfo does not list the factory', async () => {
  const manager = await client.getServerManager();
  const { modules } = await manager.getInfo();
  assert.ok(!modules.flatMap((module) => module.factories).includes('WebRtcEndpoint'));
});

test('a server without any module starts and answers', async () => {
  const bare = await startRivero({ modules: [] });
  const guest = await connectClient(bare.url);
  const pipeline = await guest.create('MediaPipeline');
  assert.ok(pipeline.id);
  guest.close();
  await bare.stop();
});
