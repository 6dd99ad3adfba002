// H264 that has nothing to begin with but its first picture, or seldom: open groups of pictures, pictures refreshed part by part.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { fixtureDirectory, playerOf, playInto, viewerOf } from '../lib/fixtures.mjs';
import { live } from '../lib/live.mjs';
import { decodesFrames, isConnected } from '../lib/media.mjs';

const run = promisify(execFile);
const FRAMES = 30;
/** How FFmpeg makes them, and whether who joins later sees them where they are passed on as they are. */
const FILMS = {
  open: { encoder: ['-g', '25', '-x264-params', 'open-gop=1:bframes=3:scenecut=0'], isSeenLater: true },
  refreshed: { encoder: ['-g', '100000', '-x264-params', 'intra-refresh=1:bframes=0'] },
  rare: { encoder: ['-g', '450', '-bf', '0', '-x264-params', 'scenecut=0'] },
};

const directory = fixtureDirectory();
let page, calls, pipeline;
live({}, async ({ client, browser }) => {
  page = await browser.openProbe();
  calls = await Calls.on(page);
  pipeline = await client.create('MediaPipeline');
});

test('who watches from the beginning sees them, and who joins later where they are decoded', async () => {
  const cases = Object.entries(FILMS).flatMap(([name, film]) => [false, true].map((useEncodedMedia) => ({ name, useEncodedMedia, ...film })));
  const paths = {};
  for (const [name, { encoder }] of Object.entries(FILMS)) {
    paths[name] = join(directory, `${name}.mp4`);
    await run('ffmpeg', ['-v', 'error', '-nostdin', '-y', '-f', 'lavfi', '-i', 'testsrc2=s=320x240:r=15:d=40', '-c:v', 'libx264', '-preset', 'veryfast', ...encoder, '-pix_fmt', 'yuv420p', paths[name]]);
  }
  await Promise.all(
    cases.map(async ({ name, useEncodedMedia, isSeenLater }) => {
      const what = `${name}${useEncodedMedia ? ' as it is' : ''}`;
      const first = await viewerOf(pipeline, calls, what);
      await isConnected(page, what);
      const player = await playerOf(pipeline, `file://${paths[name]}`, { useEncodedMedia });
      await playInto(player, first);
      await decodesFrames(page, what, FRAMES);
      if (!useEncodedMedia || isSeenLater) {
        const later = await viewerOf(pipeline, calls, `${what}, later`);
        await invoke(player, 'connect', later);
        await decodesFrames(page, `${what}, later`, FRAMES);
        await invoke(player, 'setPosition', 10_000);
        const { video } = await page.evaluate((viewer) => probe.statistics(viewer), `${what}, later`);
        await decodesFrames(page, `${what}, later`, video.framesDecoded + FRAMES);
      }
      assert.equal(await invoke(player, 'getState'), 'START');
      assert.deepEqual(player.errors, [], what);
      await player.release();
    }),
  );
});
