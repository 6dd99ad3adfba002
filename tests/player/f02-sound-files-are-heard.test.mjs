import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { fixtureDirectory, makeMedia, playerOf, playInto, viewerOf } from '../lib/fixtures.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, hearsTone, isConnected, seesColour } from '../lib/media.mjs';
import { nextEvent } from '../lib/wait.mjs';

const TONES = [600, 1000, 1400];

const directory = fixtureDirectory();
let page, pipeline, viewer;
live({}, async ({ client, browser }) => {
  page = await browser.openProbe();
  pipeline = await client.create('MediaPipeline');
  viewer = await viewerOf(pipeline, await Calls.on(page), 'viewer');
  await isConnected(page, 'viewer');
});

for (const [index, ending] of ['mp3', 'wav', 'flac', 'ogg', 'm4a', 'wma'].entries()) {
  test(`${ending} is heard, and ends`, async () => {
    const toneHz = TONES[index % TONES.length];
    const path = await makeMedia(directory, `a.${ending}`, { seconds: 4, toneHz });
    const player = await playerOf(pipeline, `file://${path}`);
    const end = nextEvent(player, 'EndOfStream');
    await playInto(player, viewer);
    await hearsTone(page, 'viewer', toneHz);
    const { audio } = await page.evaluate(() => probe.statistics('viewer'));
    assert.equal(audio.codec, 'OPUS', 'not one that keeps less of it');
    await end;
    assert.deepEqual(player.errors, []);
    await player.release();
  });
}

test('a picture without sound is seen, and ends', async () => {
  const path = await makeMedia(directory, 'silent.mp4', { colours: [COLOURS.blue], seconds: 3 });
  const player = await playerOf(pipeline, `file://${path}`);
  const end = nextEvent(player, 'EndOfStream');
  await playInto(player, viewer);
  await seesColour(page, 'viewer', COLOURS.blue);
  await end;
  assert.deepEqual(player.errors, []);
});
