import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';

import { connectClient, invoke } from '../lib/client.mjs';
import { fixtureDirectory, makeMedia, playerOf } from '../lib/fixtures.mjs';
import { hasRecorded, recorderOf } from '../lib/recording.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { nextEvent } from '../lib/wait.mjs';

const JAVA_CLIENT_GIVES_UP_MS = 10_000;

const directory = fixtureDirectory();
let server, client, store, confirm;
/** Resolves when a whole recording has arrived, before that is confirmed. */
const arrived = new Promise((resolve) => {
  store = createServer((request, response) => {
    confirm = () => response.writeHead(201).end();
    request.resume().on('end', resolve);
  });
});
before(async () => {
  server = await startRivero();
  client = await connectClient(server.url);
  await new Promise((resolve) => store.listen(0, '127.0.0.1', resolve));
});
after(async () => {
  client?.close();
  await server?.stop();
  store.closeAllConnections();
  store.close();
});

test('stopAndWait ends with an error while a slow store keeps it waiting, and Stopped follows', async () => {
  const pipeline = await client.create('MediaPipeline');
  const source = await makeMedia(directory, 'a.webm', { toneHz: 1000, seconds: 30 });
  const player = await playerOf(pipeline, `file://${source}`, { useEncodedMedia: true });
  const uri = `http://127.0.0.1:${store.address().port}/a.webm`;
  const recorder = await recorderOf(pipeline, player, uri, { mediaProfile: 'WEBM_AUDIO_ONLY' });
  let stopped = false;
  const end = nextEvent(recorder, 'Stopped').then(() => (stopped = true));
  await invoke(recorder, 'record');
  await invoke(player, 'play');
  await hasRecorded(recorder, 1000);

  const began = performance.now();
  await assert.rejects(invoke(recorder, 'stopAndWait'), /not complete yet/);
  const waited = performance.now() - began;
  assert.ok(waited > 5_000 && waited < JAVA_CLIENT_GIVES_UP_MS, `${waited} ms`);
  await arrived;
  assert.equal(stopped, false, 'Stopped waits for the store');

  confirm();
  await end;
  assert.deepEqual(recorder.errors, []);
});
