// J10: looking for faces takes its time, pictures flow on.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { BEHIND, IMAGE, cover, faceOverlayOf, makeImage } from '../lib/faces.mjs';
import { fixtureDirectory } from '../lib/fixtures.mjs';
import { live } from '../lib/live.mjs';
import { isConnected, seesColourAt } from '../lib/media.mjs';
import { until } from '../lib/wait.mjs';

/** So many look for faces in 20 pictures a second, which takes several processors when none is left out. */
const FILTERS = 24;
const FRAMES_PER_SECOND = 20;
const WATCHED_MS = 4000;
const LEFT = [0.28, 0.6];
const RIGHT = [0.72, 0.6];

const rivero = live();
const directory = fixtureDirectory();

test('with more filters than processors can serve, pictures flow and faces are covered', async (t) => {
  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  const pipeline = await rivero.client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  const filters = await Promise.all(Array.from({ length: FILTERS }, () => faceOverlayOf(pipeline, endpoint)));
  const image = await makeImage(directory);
  await Promise.all(filters.map((filter) => cover(filter, image)));
  await invoke(filters[0], 'connect', endpoint);
  const threads = () => rivero.server.usage().threads;

  await page.evaluate((options) => probe.createSource('camera', options), { colour: BEHIND, face: LEFT, scale: 2 });
  await calls.open('me', endpoint, { send: 'camera', codecs: { video: 'VP8', audio: 'opus' } });
  await isConnected(page, 'me');
  await seesColourAt(page, 'me', LEFT, IMAGE);

  const begin = await page.evaluate(() => (probe.watchPictures('me'), performance.now()));
  await until(() => page.evaluate((end) => performance.now() > end, begin + WATCHED_MS), 'pictures are watched');
  const { count, longestGap } = await page.evaluate((from) => probe.shownPictures('me', from), begin);
  t.diagnostic(`${count} pictures in ${WATCHED_MS} ms, the longest gap ${Math.round(longestGap)} ms; ${threads()} threads`);
  assert.ok(count > (WATCHED_MS / 1000) * FRAMES_PER_SECOND * 0.25, `${count} pictures in ${WATCHED_MS} ms`);

  await page.evaluate((place) => probe.moveFace('camera', place), RIGHT);
  await seesColourAt(page, 'me', RIGHT, IMAGE);
  await seesColourAt(page, 'me', LEFT, BEHIND);
  assert.deepEqual(filters.flatMap(({ errors }) => errors), []);
  await pipeline.release();
});
