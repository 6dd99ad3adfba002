import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { BEHIND, IMAGE, cover, faceOverlayOf, makeFaceVideo, makeImage } from '../lib/faces.mjs';
import { fixtureDirectory, playerOf, viewerOf } from '../lib/fixtures.mjs';
import { live } from '../lib/live.mjs';
import { hearsTone, seesColour, seesColourAt } from '../lib/media.mjs';
import { serve, sendWhole } from '../lib/media-server.mjs';
import { nextEvent } from '../lib/wait.mjs';

const TONE_HZ = 1000;
const rivero = live();
const directory = fixtureDirectory();

test('F08, D09: the face of a file is covered in a browser, to the end of the file', async () => {
  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  const image = await makeImage(directory);
  const images = await serve((request, response) => sendWhole(request, response, image));
  const pipeline = await rivero.client.create('MediaPipeline');
  const player = await playerOf(pipeline, `file://${await makeFaceVideo(directory, { toneHz: TONE_HZ })}`);
  const filter = await faceOverlayOf(pipeline, player);
  const viewer = await viewerOf(pipeline, calls, 'viewer');
  await invoke(filter, 'connect', viewer);
  await cover(filter, `${images.origin}/image.png`);

  const end = nextEvent(player, 'EndOfStream');
  await invoke(player, 'play');
  await seesColour(page, 'viewer', IMAGE);
  await seesColourAt(page, 'viewer', [0.1, 0.5], BEHIND);
  await hearsTone(page, 'viewer', TONE_HZ);
  await end;
  assert.equal(images.requests.length, 1);
  assert.deepEqual([player.errors, filter.errors], [[], []]);
  images.close();
  await pipeline.release();
});
