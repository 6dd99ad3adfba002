// The life of media objects as an application sees it through kurento-client.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';

import { connectClient, invoke } from '../lib/client.mjs';
import { startRivero } from '../lib/rivero.mjs';

let server;
let client;
let pipeline;

before(async () => {
  server = await startRivero();
  client = await connectClient(server.url);
});
beforeEach(async () => (pipeline = await client.create('MediaPipeline')));
after(async () => {
  client?.close();
  await server?.stop();
});

test('ids have the shape that clients rely on', async () => {
  const endpoint = await pipeline.create('WebRtcEndpoint');
  assert.match(pipeline.id, /^[0-9a-f-]{36}_kurento\.MediaPipeline$/);
  assert.match(endpoint.id, /^[0-9a-f-]{36}_kurento\.MediaPipeline\/[0-9a-f-]{36}_kurento\.WebRtcEndpoint$/);
  await pipeline.release();
});

test('the qualified class name creates the same', async () => {
  const element = await pipeline.create('kurento.PassThrough');
  assert.match(element.id, /_kurento\.PassThrough$/);
  await pipeline.release();
});

test('an element knows its pipeline, a pipeline its children', async () => {
  const element = await pipeline.create('PassThrough');
  assert.equal((await element.getMediaPipeline()).id, pipeline.id);
  assert.equal((await element.getParent()).id, pipeline.id);
  assert.deepEqual((await pipeline.getChildren()).map(({ id }) => id), [element.id]);
  await pipeline.release();
});

test('connections can be asked for on both sides, and end with disconnect', async () => {
  const source = await pipeline.create('PassThrough');
  const sink = await pipeline.create('PassThrough');
  await invoke(source, 'connect', sink);
  const types = (connections) => connections.map(({ type }) => type).sort();
  assert.deepEqual(types(await source.getSinkConnections()), ['AUDIO', 'DATA', 'VIDEO']);
  assert.deepEqual(types(await sink.getSourceConnections()), ['AUDIO', 'DATA', 'VIDEO']);
  await invoke(source, 'disconnect', sink);
  assert.deepEqual(await source.getSinkConnections(), []);
  await pipeline.release();
});

test('releasing a pipeline releases what is in it', async () => {
  const element = await pipeline.create('PassThrough');
  await pipeline.release();
  const stranger = await connectClient(server.url);
  await assert.rejects(Promise.resolve(stranger.getMediaobjectById(element.id)), { code: 40101 });
  stranger.close();
});
