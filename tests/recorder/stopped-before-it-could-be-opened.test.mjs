import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';

import { connectClient, invoke } from '../lib/client.mjs';
import { recorderOf } from '../lib/recording.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { nextEvent, within } from '../lib/wait.mjs';

// It takes connections and says nothing of TLS, until the test hangs up.
const store = createServer((socket) => socket.on('error', () => {}));
let server, client;
before(async () => {
  server = await startRivero();
  client = await connectClient(server.url);
  await new Promise((resolve) => store.listen(0, '127.0.0.1', resolve));
});
after(async () => {
  client?.close();
  await server?.stop();
  store.close();
});

/** Calls `record` and resolves to the connection that it opens. */
async function recordTowardsTheStore(recorder) {
  const connected = new Promise((resolve) => store.once('connection', resolve));
  await invoke(recorder, 'record');
  return within(connected, 'the recorder connects');
}

test('a recording that is stopped while its target is opened in vain ends with Stopped, and may be tried again', async () => {
  const pipeline = await client.create('MediaPipeline');
  const recorder = await recorderOf(pipeline, null, `https://127.0.0.1:${store.address().port}/a.webm`);
  for (let attempt = 1; attempt <= 2; attempt++) {
    const connection = await recordTowardsTheStore(recorder);
    const [error, ended] = [nextEvent(recorder, 'Error'), nextEvent(recorder, 'Stopped')];
    await invoke(recorder, 'stop');
    connection.destroy();
    assert.equal((await error).type, 'RESOURCE_ERROR_OPEN');
    await Promise.all([ended, invoke(recorder, 'stopAndWait')]);
    assert.equal(await invoke(recorder, 'getState'), 'STOP');
  }
  await pipeline.release();
});
