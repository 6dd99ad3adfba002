// J11: players and recorders leave nothing.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { connectClient, invoke } from '../lib/client.mjs';
import { makeMedia } from '../lib/fixtures.mjs';
import { COLOURS } from '../lib/media.mjs';
import { sendParts, serve } from '../lib/media-server.mjs';
import { recordingDirectory, recordingStatistics } from '../lib/recording.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { until } from '../lib/wait.mjs';

const ROUNDS = 5 * Number(process.env.SCALE ?? 1);
const PAIRS = 20;

const directory = recordingDirectory();
let server, client, pipeline, source, store;
before(async () => {
  server = await startRivero();
  client = await connectClient(server.url);
  pipeline = await client.create('MediaPipeline');
  source = await makeMedia(directory, 'source.webm', { colours: [COLOURS.red], seconds: 10, toneHz: 1000 });
  store = await serve((request, response) => sendParts(request, response, source));
});
after(async () => {
  store?.close();
  client?.close();
  await server?.stop();
});

/** Players, every other of them of a web server, and a recorder for each; released while they run. */
async function round() {
  const pairs = await Promise.all(
    Array.from({ length: PAIRS }, async (_, index) => {
      const uri = index % 2 ? `${store.origin}/source.webm` : `file://${source}`;
      const player = await pipeline.create('PlayerEndpoint', { uri, useEncodedMedia: true });
      const recorder = await pipeline.create('RecorderEndpoint', { uri: `file://${join(directory, `${index}.webm`)}`, mediaProfile: 'WEBM' });
      await invoke(player, 'connect', recorder);
      await invoke(recorder, 'record');
      await invoke(player, 'play');
      return { player, recorder };
    }),
  );
  await Promise.all(
    pairs.map(async ({ player, recorder }) => {
      await until(async () => (await recordingStatistics(recorder))?.recordedMillis > 200, 'it records');
      await Promise.all([player.release(), recorder.release()]);
    }),
  );
}

test(`${PAIRS} players and recorders that come and go ${ROUNDS} times leave nothing`, async () => {
  await round();
  await round();
  const before = server.usage();
  for (let count = 0; count < ROUNDS; count++) await round();
  await until(() => {
    const now = server.usage();
    assert.ok(now.threads <= before.threads + 4, `${now.threads} threads, ${before.threads} before`);
    assert.ok(now.descriptors <= before.descriptors + 4, `${now.descriptors} descriptors, ${before.descriptors} before`);
    assert.ok(now.rssKib <= before.rssKib + 40_000, `${now.rssKib} KiB, ${before.rssKib} before`);
    return true;
  }, 'everything is given back');
});
