import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { fixtureDirectory, makeMedia, playerOf, viewerOf } from '../lib/fixtures.mjs';
import { assertColoursAt, hearsTones, portOf } from '../lib/hubs.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, isConnected, seesColourAt } from '../lib/media.mjs';
import { hasRecorded, level, packets, probe, recorderOf, sound, stopped } from '../lib/recording.mjs';

const BLACK = [0, 0, 0];
const { red, green, blue, grey } = COLOURS;
/** File, colour, tone; sizes, rates and codecs differ. */
const FILES = [
  ['red.webm', red, 400, { size: '320x240', rate: 15 }],
  ['green.mp4', green, 800, { size: '640x480', rate: 30 }],
  ['blue.webm', blue, 1200, { size: '320x240', rate: 7 }],
  ['grey.mp4', grey, 1600, { size: '240x320', rate: 25 }],
];
const TONES = [...FILES.map(([, , tone]) => tone), 2400];
const MINE = 2400;
/** The middles of the cells of a grid of two rows and two columns. */
const CELLS = [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]];

const directory = fixtureDirectory();
const parts = live({}, async (arranged) => {
  arranged.page = await arranged.browser.openProbe();
  arranged.calls = await Calls.on(arranged.page);
  arranged.pipeline = await arranged.client.create('MediaPipeline');
  arranged.players = [];
  for (const [name, colour, toneHz, options] of FILES) {
    const path = await makeMedia(directory, name, { colours: [colour], seconds: 120, toneHz, ...options });
    const player = await playerOf(arranged.pipeline, `file://${path}`);
    await invoke(player, 'play');
    arranged.players.push(player);
  }
});
after(() => parts.pipeline?.release());

const seesColours = (page, name, places) => Promise.all(places.map(([place, colour]) => seesColourAt(page, name, place, colour)));

test('H01, D08: four pictures each in their place, everybody hears the others, some leave and come back', async () => {
  const { page, calls, pipeline, players } = parts;
  const composite = await pipeline.create('Composite', { width: 640, height: 480, framerate: 20 });
  // Whoever looks speaks, too, and has no camera: that takes no place, and is not heard by itself.
  const microphone = await pipeline.create('WebRtcEndpoint');
  await page.evaluate((toneHz) => probe.createSource('microphone', { toneHz, video: false }), MINE);
  await calls.open('microphone', microphone, { send: 'microphone', receive: false });
  const viewer = await viewerOf(pipeline, calls, 'me');
  const mine = await portOf(composite, microphone);
  await invoke(mine, 'connect', viewer);
  for (const name of ['microphone', 'me']) await isConnected(page, name);

  const ports = [await portOf(composite, players[0])];
  await seesColours(page, 'me', [[[0.5, 0.5], red]]);
  await hearsTones(page, 'me', [400], TONES);
  for (const player of players.slice(1)) ports.push(await portOf(composite, player));
  await seesColours(page, 'me', CELLS.map((cell, index) => [cell, FILES[index][1]]));
  await hearsTones(page, 'me', [400, 800, 1200, 1600], TONES);
  assert.deepEqual(await page.evaluate(() => probe.pictureSize('me')), [640, 480]);
  // Upright beside black: the ratio is kept.
  await seesColours(page, 'me', [[[0.53, 0.75], BLACK], [[0.97, 0.75], BLACK]]);

  // One is released, one is disconnected: the others move up.
  await page.evaluate(() => probe.watchPictures('me'));
  await ports[0].release();
  await invoke(players[1], 'disconnect', ports[1]);
  await seesColours(page, 'me', [[[0.25, 0.5], blue], [[0.75, 0.5], grey]]);
  await hearsTones(page, 'me', [1200, 1600], TONES);
  await invoke(players[1], 'connect', ports[1]);
  ports[0] = await portOf(composite, players[0]);
  // Places are by the order in which ports came.
  await seesColours(page, 'me', [[CELLS[0], green], [CELLS[1], blue], [CELLS[2], grey], [CELLS[3], red]]);
  await hearsTones(page, 'me', [400, 800, 1200, 1600], TONES);
  const { longestGap } = await page.evaluate(() => probe.shownPictures('me'));
  assert.ok(longestGap < 2000, `it stood still for ${longestGap} ms`);

  // Who says nothing hears all of them, and the viewer.
  const recorder = await recorderOf(pipeline, await portOf(composite), `file://${join(directory, 'h01.webm')}`);
  await invoke(recorder, 'record');
  await hasRecorded(recorder, 3000);
  await stopped(recorder);
  const samples = await sound(join(directory, 'h01.webm'));
  // A browser's sound has holes where the processor is busy.
  const loudest = (tone) => Math.max(...[0.5, 1, 1.5, 2, 2.5].map((at) => level(samples, tone, at, 0.2)));
  for (const tone of TONES) assert.ok(loudest(tone) > 300, `${tone} Hz are in the recording: ${TONES.map(loudest)}`);
  assert.deepEqual(players.flatMap(({ errors }) => errors), []);
  await composite.release();
  await recorder.release();
  await viewer.release();
  await microphone.release();
});

test('H02: a recording that begins before anybody has come has everybody at their time', async () => {
  const { pipeline, players } = parts;
  const file = join(directory, 'h02.webm');
  const composite = await pipeline.create('Composite', { width: 400, height: 300, framerate: 20 });
  const recorder = await recorderOf(pipeline, await portOf(composite), `file://${file}`);
  await invoke(recorder, 'record');
  await hasRecorded(recorder, 2000);
  const first = await portOf(composite, players[0]);
  await hasRecorded(recorder, 5000);
  const second = await portOf(composite, players[3]);
  await hasRecorded(recorder, 8000);
  await first.release();
  await hasRecorded(recorder, 11_000);
  await stopped(recorder);

  const { video, audio, duration } = await probe(file);
  assert.deepEqual([video.width, video.height], [400, 300]);
  assert.ok(audio && duration > 10, `${duration} s`);
  await assertColoursAt(file, 1, [[[0.5, 0.5], BLACK]]);
  await assertColoursAt(file, 4, [[[0.5, 0.5], red]]);
  await assertColoursAt(file, 7, [[[0.25, 0.5], red], [[0.75, 0.5], grey], [[0.25, 0.1], BLACK]]);
  await assertColoursAt(file, duration - 1, [[[0.5, 0.5], grey]]);
  const samples = await sound(file);
  const heard = (seconds) => TONES.filter((tone) => level(samples, tone, seconds, 0.2) > 300);
  assert.deepEqual([heard(1), heard(4), heard(7), heard(duration - 1)], [[], [400], [400, 1600], [1600]]);
  // Whatever comes and goes, the rate of pictures is its own.
  const times = (await packets(file, 'v')).map(({ time }) => time);
  const gaps = times.slice(1).map((time, index) => time - times[index]);
  assert.ok(gaps.filter((gap) => gap > 0.11).length < gaps.length / 20, `gaps: ${gaps.filter((gap) => gap > 0.11)}`);
  assert.deepEqual(recorder.errors, []);
  await second.release();
  await composite.release();
  await recorder.release();
});

test('a composite refuses what makes no sense, and moves on', async () => {
  const { pipeline, page } = parts;
  for (const options of [{ width: -1 }, { height: 100_000 }, { framerate: 1000 }]) {
    await assert.rejects(pipeline.create('Composite', options), (error) => error.code === 40107);
  }
  await (await pipeline.create('Composite', { width: 0, height: 0, framerate: 0 })).release();
  assert.deepEqual(page.troubles, []);
});
