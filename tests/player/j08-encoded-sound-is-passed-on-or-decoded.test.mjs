// J08: with useEncodedMedia, sound is heard however its file packs it: what frames cannot carry is decoded.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { fixtureDirectory, makeMedia, playerOf, playInto, viewerOf } from '../lib/fixtures.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, hearsTone, isConnected, seesColour } from '../lib/media.mjs';
import { nextEvent } from '../lib/wait.mjs';

const H264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-pix_fmt', 'yuv420p'];
const CASES = [
  ['AAC in a transport stream', 'a.ts', 'red', [...H264, '-c:a', 'aac']],
  ['AAC of MPEG-2 by itself', 'mpeg2.aac', undefined, ['-c:a', 'aac', '-profile:a', 'mpeg2_aac_low', '-write_mpeg2', '1']],
  ['AAC at 8 kHz', 'slow.m4a', undefined, ['-c:a', 'aac', '-ar', '8000', '-ac', '1']],
  ['AAC at 16 kHz with pictures', 'slow.mp4', 'green', [...H264, '-c:a', 'aac', '-ar', '16000']],
  ['AAC as LATM in a transport stream', 'latm.ts', 'blue', [...H264, '-c:a', 'aac', '-mpegts_flags', 'latm']],
  ['Opus of six channels', 'six.mkv', undefined, ['-c:a', 'libopus', '-ac', '6', '-mapping_family', '1']],
];
const TONES = [600, 1000, 1400];

const directory = fixtureDirectory();
let page, pipeline, viewer;
live({}, async ({ client, browser }) => {
  page = await browser.openProbe();
  pipeline = await client.create('MediaPipeline');
  viewer = await viewerOf(pipeline, await Calls.on(page), 'viewer');
  await isConnected(page, 'viewer');
});

for (const [index, [what, name, colour, codecs]] of CASES.entries()) {
  test(`${what} is heard`, async () => {
    const toneHz = TONES[index % TONES.length];
    const colours = colour ? [COLOURS[colour]] : [];
    const path = await makeMedia(directory, name, { colours, seconds: 4, toneHz, codecs });
    const player = await playerOf(pipeline, `file://${path}`, { useEncodedMedia: true });
    const end = nextEvent(player, 'EndOfStream');
    await playInto(player, viewer);
    await hearsTone(page, 'viewer', toneHz);
    if (colour) await seesColour(page, 'viewer', COLOURS[colour]);
    await end;
    assert.deepEqual(player.errors, []);
    await player.release();
  });
}
