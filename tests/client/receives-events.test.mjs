import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { connectClient, invoke } from '../lib/client.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { nextEvent } from '../lib/wait.mjs';

let server;
let client;
before(async () => {
  server = await startRivero();
  client = await connectClient(server.url);
});
after(async () => {
  client?.close();
  await server?.stop();
});

test('ObjectCreated and ObjectDestroyed tell of every object on the server', async () => {
  const manager = await client.getServerManager();
  const created = nextEvent(manager, 'ObjectCreated');
  const destroyed = nextEvent(manager, 'ObjectDestroyed');
  const other = await connectClient(server.url);
  const pipeline = await other.create('MediaPipeline');
  const { id } = pipeline;

  const event = await created;
  assert.equal(event.object, id);
  assert.equal(event.source, 'manager_ServerManager');
  assert.match(event.timestampMillis, /^\d{13}$/);

  await pipeline.release();
  assert.equal((await destroyed).objectId, id);
  other.close();
});

test('ElementConnected comes once per media type, from the source', async () => {
  const pipeline = await client.create('MediaPipeline');
  const source = await pipeline.create('PassThrough');
  const sink = await pipeline.create('PassThrough');
  const types = [];
  source.on('ElementConnected', (event) => {
    assert.equal(event.sink, sink.id);
    types.push(event.mediaType);
  });
  const all = nextEvent(source, 'ElementConnected', () => types.length === 3);
  await invoke(source, 'connect', sink);
  await all;
  assert.deepEqual(types.sort(), ['AUDIO', 'DATA', 'VIDEO']);
  await pipeline.release();
});
