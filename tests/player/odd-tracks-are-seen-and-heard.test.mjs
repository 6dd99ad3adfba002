import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { fixtureDirectory, playerOf, playInto, viewerOf } from '../lib/fixtures.mjs';
import { live } from '../lib/live.mjs';
import { writeAhead } from '../lib/matroska.mjs';
import { COLOURS, decodesFrames, hearsTone, isConnected, seesColour } from '../lib/media.mjs';
import { within } from '../lib/wait.mjs';

const run = promisify(execFile);
const directory = fixtureDirectory();
let page, calls, pipeline;
const players = [];
live({}, async ({ client, browser }) => {
  page = await browser.openProbe();
  calls = await Calls.on(page);
  pipeline = await client.create('MediaPipeline');
});
after(() => Promise.allSettled(players.map((player) => within(player.release(), 'a player goes'))));

const red = (seconds) => ['-f', 'lavfi', '-i', `color=c=0xc82828:s=320x240:r=15:d=${seconds}`];
const tone = (seconds, more = '') => ['-f', 'lavfi', '-i', `sine=frequency=1000:sample_rate=48000:duration=${seconds},volume=4${more}`];
const H264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-pix_fmt', 'yuv420p', '-g', '15'];
const GREY = "color=c=0xe0e0e0:s=320x240:r=15:d=8,format=gbrp,scale=out_range=pc,format=yuvj420p";
const REORDERED = ['-c:v', 'libx264', '-bf', '3', '-b_strategy', '0', '-g', '30', '-pix_fmt', 'yuv420p', '-c:a', 'aac'];

/** Files: how FFmpeg makes them, how they are played, and what comes of them. */
const FILES = {
  'short-sound.mp4': { make: [...red(12), ...tone(2), ...H264, '-c:a', 'aac'], colour: COLOURS.red, toneHz: 1000 },
  'short-picture.mov': { make: [...red(2), ...tone(12), ...H264, '-c:a', 'pcm_s16le'], colour: COLOURS.red, toneHz: 1000 },
  'no-places.mov': { make: [...red(8), ...tone(8, ',pan=5c|c0=c0|c1=c0'), ...H264, '-c:a', 'pcm_s16le'], colour: COLOURS.red, toneHz: 1000 },
  'full-range.mp4': { make: ['-f', 'lavfi', '-i', GREY, ...H264.slice(0, -4), '-pix_fmt', 'yuvj420p', '-color_range', 'pc'], colour: [224, 224, 224], tolerance: 10 },
  'pictures.mjpeg': { make: [...red(8), '-c:v', 'mjpeg', '-q:v', '4'], colour: COLOURS.red },
  'reordered.mkv': { make: [...red(8), ...tone(8), ...REORDERED], settings: { useEncodedMedia: true }, colour: COLOURS.red, toneHz: 1000, frames: 60 },
  'high-rate.mov': { make: [...tone(8), '-ar', '96000', '-c:a', 'pcm_s24le'], toneHz: 1000 },
  'sound.aiff': { make: tone(8), toneHz: 1000 },
  'mulaw.aifc': { make: [...tone(8), '-c:a', 'pcm_mulaw', '-f', 'aiff'], toneHz: 1000 },
  'picture.jpg': { make: [...red(1), '-frames:v', '1'], colour: COLOURS.red },
  'picture.gif': { make: [...red(1), '-frames:v', '1'], colour: COLOURS.red },
};

test('tracks are seen and heard that are short, without places or order, or one picture', async () => {
  await Promise.all(
    Object.entries(FILES).map(async ([file, { make, settings, colour, toneHz, frames, tolerance }]) => {
      const path = join(directory, file);
      await run('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...make, path]);
      const viewer = await viewerOf(pipeline, calls, file);
      await isConnected(page, file);
      const player = await playerOf(pipeline, `file://${path}`, settings);
      players.push(player);
      await playInto(player, viewer);
      const expectations = [];
      if (colour) expectations.push(seesColour(page, file, colour));
      if (toneHz) expectations.push(hearsTone(page, file, toneHz));
      if (frames) expectations.push(decodesFrames(page, file, frames));
      await Promise.all(expectations);
      if (tolerance) {
        const seen = await page.evaluate((sink) => probe.colourAt(sink, [0.5, 0.5]), file);
        seen.forEach((value, channel) => assert.ok(Math.abs(value - colour[channel]) <= tolerance, `${file} shows ${seen}`));
      }
      assert.deepEqual(player.errors, [], file);
    }),
  );
});

test('a picture that a Matroska has far behind its sound is seen at once', async () => {
  const [plain, ahead] = ['plain.mkv', 'ahead.mkv'].map((name) => join(directory, name));
  await run('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...red(30), ...tone(30), ...H264, '-c:a', 'libopus', plain]);
  writeAhead(plain, ahead, 2, 20_000);
  const viewer = await viewerOf(pipeline, calls, 'ahead');
  await isConnected(page, 'ahead');
  const player = await playerOf(pipeline, `file://${ahead}`);
  await playInto(player, viewer);
  // It would come after 17 s.
  await Promise.all([seesColour(page, 'ahead', COLOURS.red, 10_000), hearsTone(page, 'ahead', 1000, 10_000)]);
  await decodesFrames(page, 'ahead', 45);
  assert.deepEqual(player.errors, []);
  await Promise.all([player.release(), viewer.release()]);
});

test('who joins later sees the last picture, of a player that stands still and of an image', async () => {
  const path = join(directory, 'two.mp4');
  const green = ['-f', 'lavfi', '-i', 'color=c=0x28a028:s=320x240:r=15:d=4'];
  await run('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...red(2), ...green, '-filter_complex', '[0][1]concat=n=2:v=1:a=0,setsar=1', ...H264, path]);
  const player = await playerOf(pipeline, `file://${path}`);
  players.push(player);
  await invoke(player, 'pause');
  const viewer = await viewerOf(pipeline, calls, 'late');
  await invoke(player, 'connect', viewer);
  await seesColour(page, 'late', COLOURS.red);
  await invoke(player, 'setPosition', 4000);
  await seesColour(page, 'late', COLOURS.green);
  for (const name of ['picture.jpg', 'picture.gif']) {
    const image = await playerOf(pipeline, `file://${join(directory, name)}`);
    players.push(image);
    await invoke(image, 'play');
    await invoke(image, 'connect', await viewerOf(pipeline, calls, name));
    await seesColour(page, name, COLOURS.red);
    assert.equal(await invoke(image, 'getState'), 'START');
  }
});
