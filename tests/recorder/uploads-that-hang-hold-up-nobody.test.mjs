// Stores that never answer: neither calls of others nor files wait for them.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { recordingDirectory } from '../lib/recording.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { hangingStore } from '../lib/uploads.mjs';
import { within } from '../lib/wait.mjs';

/** More than there are threads for calls, or for disks. */
const UPLOADS = 200;
/** Far less than a client waits for a store. */
const AT_ONCE_MS = 4_000;

const directory = recordingDirectory();

test(`${UPLOADS} clients that wait for the end of uploads hold up nobody else`, async (context) => {
  const server = await startRivero({ modules: ['recorder', 'passthrough'] });
  context.after(() => {
    // Nothing that is still under way is waited for.
    process.kill(server.pid, 'SIGKILL');
    return server.stop();
  });
  const store = await hangingStore(context);
  // Replies of one connection wait a moment for each other: the uploads have one of their own.
  const [rpc, other] = [await connectRpc(server.url), await connectRpc(server.url)];
  const mediaPipeline = await rpc.create('MediaPipeline');
  const recorderTo = (uri, client = rpc) => client.create('RecorderEndpoint', { mediaPipeline, uri });
  const uploads = await Promise.all(Array.from({ length: UPLOADS }, (_, index) => recorderTo(`${store}/${index}`)));
  await Promise.all(uploads.map((recorder) => rpc.invoke(recorder, 'record')));
  let answered = 0;
  for (const recorder of uploads) rpc.invoke(recorder, 'stopAndWait').catch(() => {}).then(() => (answered += 1));

  const file = await within(recorderTo(`file://${join(directory, 'a.webm')}`, other), 'another one is created', AT_ONCE_MS);
  await within(other.invoke(file, 'record'), 'it records', AT_ONCE_MS);
  await within(other.invoke(file, 'stopAndWait'), 'its file is complete', AT_ONCE_MS);
  const others = Array.from({ length: 20 }, () => other.create('PassThrough', { mediaPipeline }));
  await within(Promise.all(others), 'others are created', AT_ONCE_MS);
  assert.equal(answered, 0, 'the uploads are still waited for');
});
