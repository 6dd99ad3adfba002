// J11: Twenty endpoints with uploads under way, created and released again and again, leave nothing.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { connectClient, invoke } from '../lib/client.mjs';
import { fixtureDirectory, makeMedia } from '../lib/fixtures.mjs';
import { COLOURS } from '../lib/media.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { beginPost, uploadEndpointOf, uploadsAt } from '../lib/uploads.mjs';
import { nextEvent, until } from '../lib/wait.mjs';

const ENDPOINTS = 20;
const ROUNDS = 5 * Number(process.env.SCALE ?? 1);
const directory = fixtureDirectory();
let server, client, pipeline, film;
before(async () => {
  server = await startRivero({ moduleConfig: uploadsAt() });
  client = await connectClient(server.url);
  pipeline = await client.create('MediaPipeline');
  film = readFileSync(await makeMedia(directory, 'a.webm', { colours: [COLOURS.red], seconds: 3, toneHz: 1000 }));
});
after(async () => {
  client?.close();
  await server?.stop();
});

/** Endpoints, a quarter of which are being uploaded to when they are released. */
async function cycle() {
  const endpoints = await Promise.all(Array.from({ length: ENDPOINTS }, () => uploadEndpointOf(pipeline)));
  const used = endpoints.filter((_, index) => index % 4 === 0);
  const started = used.map((endpoint) => nextEvent(endpoint, 'MediaSessionStarted'));
  await Promise.all(used.map((endpoint) => invoke(endpoint, 'getUrl'))); // after the subscriptions
  const uploads = used.map((endpoint) => beginPost(endpoint.url));
  for (const upload of uploads) await upload.write(film);
  await Promise.all(started);
  await Promise.all(endpoints.map((endpoint) => endpoint.release()));
  for (const upload of uploads) assert.equal(await upload.answered, 410);
  for (const upload of uploads) upload.abort();
  await invoke(pipeline, 'getName'); // the subscriptions that the client ends with the objects are over, too
}

test('threads do not grow with endpoints', async () => {
  const first = await uploadEndpointOf(pipeline);
  const { threads } = server.usage();
  const others = await Promise.all(Array.from({ length: ENDPOINTS }, () => uploadEndpointOf(pipeline)));
  await until(() => server.usage().threads <= threads + 2, 'there are as many threads as with one');
  for (const endpoint of [first, ...others]) await endpoint.release();
});

test(`${ENDPOINTS} endpoints, ${ROUNDS} times`, async () => {
  await cycle();
  await cycle();
  const before = server.usage();
  for (let round = 0; round < ROUNDS; round++) await cycle();
  await until(() => {
    const now = server.usage();
    assert.ok(now.threads <= before.threads + 2, `${now.threads} threads, ${before.threads} before`);
    assert.ok(now.descriptors <= before.descriptors + 2, `${now.descriptors} descriptors, ${before.descriptors} before`);
    assert.ok(now.rssKib <= before.rssKib + 40_000, `${now.rssKib} KiB, ${before.rssKib} before`);
    return true;
  }, 'everything is given back');
});
