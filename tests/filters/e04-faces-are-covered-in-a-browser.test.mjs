import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { BEHIND, IMAGE, cover, faceOverlayOf, makeImage } from '../lib/faces.mjs';
import { fixtureDirectory } from '../lib/fixtures.mjs';
import { live } from '../lib/live.mjs';
import { decodesFrames, hearsTone, isConnected, seesColourAt, seesMotion } from '../lib/media.mjs';

const TONE_HZ = 1000;
const LEFT = [0.28, 0.6];
const RIGHT = [0.72, 0.6];
/** The middle of the nose, which is drawn in this colour. */
const SKIN = [240, 205, 180];

const rivero = live();
const directory = fixtureDirectory();

test('E04, C08: an image covers a face in a loopback, follows it, and goes', async () => {
  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  const pipeline = await rivero.client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  const filter = await faceOverlayOf(pipeline, endpoint);
  await invoke(filter, 'connect', endpoint);

  const source = { colour: BEHIND, toneHz: TONE_HZ, face: LEFT };
  await page.evaluate((options) => probe.createSource('camera', options), source);
  await calls.open('me', endpoint, { send: 'camera', codecs: { video: 'VP8', audio: 'opus' } });
  await isConnected(page, 'me');

  // Without an image everything passes.
  await seesColourAt(page, 'me', LEFT, SKIN);
  await seesMotion(page, 'me');
  await hearsTone(page, 'me', TONE_HZ);

  await cover(filter, await makeImage(directory));
  await seesColourAt(page, 'me', LEFT, IMAGE);
  await seesColourAt(page, 'me', RIGHT, BEHIND);
  await seesMotion(page, 'me');

  await page.evaluate((place) => probe.moveFace('camera', place), RIGHT);
  await seesColourAt(page, 'me', RIGHT, IMAGE);
  await seesColourAt(page, 'me', LEFT, BEHIND);

  await invoke(filter, 'unsetOverlayedImage');
  await seesColourAt(page, 'me', RIGHT, SKIN);
  await seesMotion(page, 'me');
  await hearsTone(page, 'me', TONE_HZ);

  const { video } = await decodesFrames(page, 'me', 40);
  assert.equal(video.codec, 'VP8');
  assert.deepEqual([filter.errors, page.troubles], [[], []]);
  await pipeline.release();
});

test('an image is placed and sized in units of the face', async () => {
  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  const pipeline = await rivero.client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  const filter = await faceOverlayOf(pipeline, endpoint);
  await invoke(filter, 'connect', endpoint);
  await page.evaluate((options) => probe.createSource('camera', options), { colour: BEHIND, face: LEFT });
  await calls.open('me', endpoint, { send: 'camera', codecs: { video: 'H264', audio: 'opus' } });

  // Beside the face, to its right: faces are about a quarter of the picture wide.
  await invoke(filter, 'setOverlayedImage', `file://${await makeImage(directory)}`, 1.2, 0, 1, 1);
  await seesColourAt(page, 'me', [LEFT[0] + 0.31, LEFT[1]], IMAGE);
  await seesColourAt(page, 'me', LEFT, SKIN);
  assert.deepEqual(filter.errors, []);
  await pipeline.release();
});
