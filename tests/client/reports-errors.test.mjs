// Errors arrive with Kurento's codes, in the classes that kurento-client makes of them.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { connectClient, invoke } from '../lib/client.mjs';
import { startRivero } from '../lib/rivero.mjs';

let server;
let client;
before(async () => {
  // Without the module of the hubs.
  server = await startRivero({ modules: ['passthrough', 'webrtc'] });
  client = await connectClient(server.url);
});
after(async () => {
  client?.close();
  await server?.stop();
});

const settled = (thenable) => Promise.resolve(thenable);

test('an unknown object is 40101, a ReferenceError', async () => {
  const unknown = settled(client.getMediaobjectById('00000000-0000-0000-0000-000000000000_kurento.MediaPipeline'));
  await assert.rejects(unknown, (error) => error instanceof ReferenceError && error.code === 40101 && error.data.type === 'MEDIA_OBJECT_NOT_FOUND');
});

test('elements of two pipelines cannot be connected: 40004', async () => {
  const [one, other] = [await client.create('MediaPipeline'), await client.create('MediaPipeline')];
  const [source, sink] = [await one.create('PassThrough'), await other.create('PassThrough')];
  await assert.rejects(invoke(source, 'connect', sink), { code: 40004, message: 'Media elements do not share pipeline' });
  await one.release();
  await other.release();
});

test('an offer that is no SDP is 40201', async () => {
  const pipeline = await client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  await assert.rejects(invoke(endpoint, 'processOffer', 'this is no offer'), { code: 40201 });
  await assert.rejects(invoke(endpoint, 'processOffer', ''), { code: 40201, message: 'Empty offer not valid' });
  await pipeline.release();
});

test('a class that the client knows and no module implements is 40108', async () => {
  const pipeline = await client.create('MediaPipeline');
  await assert.rejects(settled(pipeline.create('Mixer')), (error) => error.code === 40108 && /Factory 'Mixer' not found/.test(error.message));
  await pipeline.release();
});

test('the connection survives an error', async () => {
  const pipeline = await client.create('MediaPipeline');
  assert.ok(pipeline.id);
  await pipeline.release();
});
