// Filters without vision: images at fixed places, elements of GStreamer, codes. What comes out is seen in a browser.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { TEXT, makeCodeVideo } from '../lib/codes.mjs';
import { IMAGE, makeImage } from '../lib/faces.mjs';
import { fixtureDirectory, makeMedia, playerOf, viewerOf } from '../lib/fixtures.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, hearsTone, seesColour, seesColourAt } from '../lib/media.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { nextEvent, until } from '../lib/wait.mjs';

const rivero = live();
const directory = fixtureDirectory();
const LEFT = [0.25, 0.5];
const RIGHT = [0.75, 0.5];

async function filterOf(pipeline, type, source, parameters) {
  const filter = await pipeline.create(type, parameters);
  filter.errors = [];
  filter.on('Error', (error) => filter.errors.push(error));
  await invoke(source, 'connect', filter);
  return filter;
}

test('C08, D09, F08: an image, a picture that is turned and a search for codes, one behind the other', async () => {
  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  const pipeline = await rivero.client.create('MediaPipeline');
  const media = await makeMedia(directory, 'film.webm', { colours: [COLOURS.red], seconds: 20, toneHz: 1000 });
  const player = await playerOf(pipeline, `file://${media}`);
  const overlay = await filterOf(pipeline, 'ImageOverlayFilter', player);
  const flip = await filterOf(pipeline, 'GStreamerFilter', overlay, { command: 'videoflip method=horizontal-flip' });
  const small = await filterOf(pipeline, 'GStreamerFilter', flip, { command: 'capsfilter caps=video/x-raw,width=160,height=120' });
  const codes = await filterOf(pipeline, 'ZBarFilter', small);
  const found = [];
  codes.on('CodeFound', (event) => found.push(event));
  const viewer = await viewerOf(pipeline, calls, 'viewer');
  await invoke(codes, 'connect', viewer);
  // Twice as wide as high, in the left half of the picture: a quarter of its height is left above and below.
  const image = await makeImage(directory, 'wide.png', IMAGE, '200x100');
  // kurento-client takes parameters that have an `id` for an object, and sends nothing of them.
  const rpc = await connectRpc(rivero.server.url);
  const box = { offsetXPercent: 0, offsetYPercent: 0, widthPercent: 0.5, heightPercent: 1 };
  await rpc.invoke(overlay.id, 'addImage', { id: 'wide', uri: image, ...box, keepAspectRatio: true, center: true });

  const end = nextEvent(player, 'EndOfStream', undefined, 60_000);
  await invoke(player, 'play');
  await seesColourAt(page, 'viewer', RIGHT, IMAGE);
  await seesColourAt(page, 'viewer', LEFT, COLOURS.red);
  await seesColourAt(page, 'viewer', [0.75, 0.2], COLOURS.red);
  await seesColourAt(page, 'viewer', [0.75, 0.8], COLOURS.red);
  await hearsTone(page, 'viewer', 1000);
  const width = await page.evaluate(() => document.querySelector('video').videoWidth);
  assert.equal(width, 160);
  await invoke(flip, 'setElementProperty', 'method', 'none');
  await seesColourAt(page, 'viewer', LEFT, IMAGE);
  await seesColourAt(page, 'viewer', RIGHT, COLOURS.red);
  await rpc.invoke(overlay.id, 'removeImage', { id: 'wide' });
  await rpc.close();
  await seesColour(page, 'viewer', COLOURS.red);
  await end;
  assert.deepEqual([player, overlay, flip, small, codes].flatMap(({ errors }) => errors), []);
  assert.deepEqual(found, []);
  await pipeline.release();
});

test('C08, F08: a code in a film is found once a second, whichever way it lies', async () => {
  const pipeline = await rivero.client.create('MediaPipeline');
  const player = await playerOf(pipeline, `file://${await makeCodeVideo(directory, 15)}`);
  const codes = await filterOf(pipeline, 'ZBarFilter', player);
  const found = [];
  codes.on('CodeFound', (event) => found.push(event));
  const end = nextEvent(player, 'EndOfStream', undefined, 60_000);
  await invoke(player, 'play');
  await until(() => found.length >= 2, 'the code is found twice');
  await end;
  assert.ok(found.every(({ codeType, value }) => codeType === 'QR-Code' && value === TEXT), JSON.stringify(found));
  assert.ok(found.length <= 7, `${found.length} events in 6 s`);
  await pipeline.release();
});

test('sound goes through an element, and what is not allowed is refused by name', async () => {
  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  const pipeline = await rivero.client.create('MediaPipeline');
  const media = await makeMedia(directory, 'sound.webm', { colours: [COLOURS.green], seconds: 10, toneHz: 440 });
  const player = await playerOf(pipeline, `file://${media}`);
  const volume = await filterOf(pipeline, 'GStreamerFilter', player, { command: 'volume volume=0.5' });
  const viewer = await viewerOf(pipeline, calls, 'sound');
  await invoke(volume, 'connect', viewer);
  await invoke(player, 'play');
  await hearsTone(page, 'sound', 440);
  await seesColour(page, 'sound', COLOURS.green);
  assert.deepEqual(volume.errors, []);
  for (const command of ['filesrc location=/etc/passwd', 'souphttpsrc location=http://127.0.0.1/', 'tee', 'videotestsrc ! fakesink']) {
    await assert.rejects(pipeline.create('GStreamerFilter', { command }), (error) => error.code === 40001, command);
  }
  await assert.rejects(pipeline.create('GStreamerFilter', { command: 'gdkpixbufoverlay location=/etc/passwd' }), ({ code }) => code === 40107);
  await assert.rejects(invoke(volume, 'setElementProperty', 'volume', 'loud'), ({ code }) => code === 40001);
  await pipeline.release();
});
