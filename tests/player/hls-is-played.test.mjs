import assert from 'node:assert/strict';
import { copyFileSync, existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { changesTogether } from '../lib/changes.mjs';
import { invoke } from '../lib/client.mjs';
import { fixtureDirectory, makeMedia, playerOf, playInto, viewerOf } from '../lib/fixtures.mjs';
import { encryption, makeStream, playlist, segmentsOf, SEGMENT } from '../lib/hls.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, hearsTone, isConnected, seesColour } from '../lib/media.mjs';
import { sendParts, serve } from '../lib/media-server.mjs';
import { probe, recorderOf, stopped } from '../lib/recording.mjs';
import { nextEvent, until } from '../lib/wait.mjs';

const H264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-pix_fmt', 'yuv420p', '-c:a', 'aac'];
/** What the film shows, for two segments each. */
const SIDES = [
  { colour: COLOURS.red, toneHz: 600 },
  { colour: COLOURS.green, toneHz: 1000 },
  { colour: COLOURS.blue, toneHz: 1400 },
];
const PART = 2 * SEGMENT;

const directory = fixtureDirectory();
let page, calls, pipeline, store, started;
live({}, async ({ client, browser }) => {
  page = await browser.openProbe();
  calls = await Calls.on(page);
  pipeline = await client.create('MediaPipeline');
  const film = await makeMedia(directory, 'film.mp4', { colours: SIDES.map(({ colour }) => colour), seconds: PART, toneHz: SIDES.map(({ toneHz }) => toneHz), codecs: [...H264, '-force_key_frames', `expr:gte(t,n_forced*${SEGMENT})`] });
  const fragments = ['-hls_segment_type', 'fmp4'];
  await makeStream(film, directory, 'ts');
  await makeStream(film, directory, 'fmp4', { options: fragments });
  await makeStream(film, directory, 'parts', { options: [...fragments, '-hls_flags', 'single_file'] });
  await makeStream(film, directory, 'locked', { options: encryption(directory) });
  copyFileSync(join(directory, 'key'), join(directory, 'locked', 'key'));
  // On one clock, which both keep.
  const clocked = await makeMedia(directory, 'clocked.ts', { colours: SIDES.map(({ colour }) => colour), seconds: PART, toneHz: SIDES.map(({ toneHz }) => toneHz), codecs: [...H264, '-force_key_frames', `expr:gte(t,n_forced*${SEGMENT})`] });
  await makeStream(clocked, directory, 'pictures', { tracks: ['0:v'], options: ['-copyts'] });
  await makeStream(clocked, directory, 'sound', { tracks: ['0:a'], options: ['-copyts'] });
  const variant = (attributes, uri) => `#EXT-X-STREAM-INF:BANDWIDTH=${attributes}\n${uri}\n`;
  const rendition = '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x",DEFAULT=YES,URI="sound/list.m3u8"\n';
  const variants = [variant('100,RESOLUTION=160x120', 'none.m3u8'), variant('9000,RESOLUTION=320x240,AUDIO="a"', 'pictures/list.m3u8'), variant('90000,RESOLUTION=3840x2160', 'none.m3u8')];
  writeFileSync(join(directory, 'master.m3u8'), `#EXTM3U\n${rendition}${variants.join('')}`);
  // The film back to front: its times jump.
  const parts = segmentsOf(join(directory, 'ts')).map(({ lines, uri }, index) => ({ uri: `ts/${uri}`, lines: index % 2 ? lines : ['#EXT-X-DISCONTINUITY', ...lines] }));
  writeFileSync(join(directory, 'cut.m3u8'), playlist([4, 5, 2, 3, 0, 1].map((index) => parts[index])));
  store = await serve(answer);
});
after(() => store?.close());

function answer(request, response) {
  const { pathname } = new URL(request.url, 'http://x');
  if (pathname.startsWith('/live/')) {
    const window = liveWindow();
    if (pathname.endsWith('.m3u8')) return response.writeHead(200, { 'content-type': 'application/vnd.apple.mpegurl' }).end(playlist(window.entries, window));
    return sendParts(request, response, join(directory, 'ts', pathname.split('/').at(-1)));
  }
  if (pathname === '/moved.m3u8') return response.writeHead(302, { location: '/ts/list.m3u8' }).end();
  const file = join(directory, pathname);
  return existsSync(file) && statSync(file).isFile() ? sendParts(request, response, file) : response.writeHead(404).end();
}

/** Five segments of a stream that has been on air for ten, and ends when the film has gone through three times. */
function liveWindow() {
  started ??= performance.now();
  const film = segmentsOf(join(directory, 'ts'));
  const onAir = 10 + Math.floor((performance.now() - started) / 1000 / SEGMENT);
  const count = Math.min(onAir, 3 * film.length);
  const from = count - 5;
  const entries = Array.from({ length: 5 }, (_, index) => {
    const { lines, uri } = film[(from + index) % film.length];
    return { lines: (from + index) % film.length ? lines : ['#EXT-X-DISCONTINUITY', ...lines], uri };
  });
  return { entries, from, ends: count < onAir };
}

/** Plays a URI into a new viewer. */
async function play(name, uri, settings) {
  const viewer = await viewerOf(pipeline, calls, name);
  await isConnected(page, name);
  const player = await playerOf(pipeline, uri, settings);
  player.end = nextEvent(player, 'EndOfStream', undefined, 90_000);
  await playInto(player, viewer);
  return player;
}

const appears = (name, { colour, toneHz }) => Promise.all([seesColour(page, name, colour), hearsTone(page, name, toneHz)]);

/** Whose picture and sound are compared in a recording, too. */
const RECORDED = ['transport streams', 'ranges of one file', 'a variant, with sound that is apart'];
const KINDS = {
  'ts/list.m3u8': 'transport streams',
  'fmp4/list.m3u8': 'fragments of MP4',
  'parts/list.m3u8': 'ranges of one file',
  'locked/list.m3u8': 'encrypted segments',
  'master.m3u8': 'a variant, with sound that is apart',
  'moved.m3u8': 'a playlist that was moved',
};

test('films are seen and heard from their first segment to their last', async (t) => {
  const kinds = [...Object.entries(KINDS).map(([path, what]) => [what, `${store.origin}/${path}`]), ['files', `file://${directory}/fmp4/list.m3u8`]];
  await Promise.all(kinds.map(([what, uri]) => t.test(what, async () => {
    const player = await play(what, uri);
    const file = join(directory, `${what.replaceAll(' ', '-')}.mkv`);
    const recorder = RECORDED.includes(what) && (await recorderOf(pipeline, player, `file://${file}`, { mediaProfile: 'MKV' }));
    if (recorder) await invoke(recorder, 'record');
    for (const side of SIDES) await appears(what, side);
    const { isSeekable, duration } = await invoke(player, 'getVideoInfo');
    assert.ok(isSeekable && Math.abs(duration - 3000 * PART) < 100, `${duration} ms`);
    await player.end;
    assert.deepEqual(player.errors, []);
    await player.release();
    if (!recorder) return;
    await stopped(recorder);
    assert.deepEqual(recorder.errors, []);
    const { duration: recorded } = await probe(file);
    assert.ok(recorded > 3 * PART - 1.5 && recorded < 3 * PART + 0.2, `recorded ${recorded} s`);
    await changesTogether(file, SIDES);
    await recorder.release();
  })));
});

test('films are sought in, forward and back, and paused', async (t) => {
  const cases = [['ts/list.m3u8', false], ['parts/list.m3u8', true], ['master.m3u8', false], ['cut.m3u8', false]];
  await Promise.all(cases.map(([path, useEncodedMedia]) => t.test(path, async () => {
    const name = `sought ${path}`;
    const sides = path.startsWith('cut') ? SIDES.toReversed() : SIDES;
    const player = await play(name, `${store.origin}/${path}`, { useEncodedMedia });
    await appears(name, sides[0]);
    await invoke(player, 'setPosition', 2000 * PART + 200);
    await appears(name, sides[2]);
    await invoke(player, 'pause');
    await invoke(player, 'setPosition', 1000 * PART);
    await invoke(player, 'play');
    await appears(name, sides[1]);
    await appears(name, sides[2]);
    await player.end;
    assert.equal(await invoke(player, 'getState'), 'STOP');
    assert.deepEqual(player.errors, []);
    await player.release();
  })));
});

test('what is live is begun near its end, goes on while its playlist does, and ends with it', async () => {
  const player = await play('live', `${store.origin}/live/list.m3u8`);
  const asked = () => store.requests.find(({ url }) => /^\/live.*ts$/.test(url))?.url;
  const first = await until(asked, 'a segment is asked for');
  assert.equal(first, `/live/${segmentsOf(join(directory, 'ts'))[7 % 6].uri}`, 'three target durations before the end');
  for (const side of [SIDES[0], SIDES[1], SIDES[2], SIDES[0]]) await appears('live', side);
  const { isSeekable, duration } = await invoke(player, 'getVideoInfo');
  assert.deepEqual({ isSeekable, duration }, { isSeekable: false, duration: 0 });
  await player.end;
  assert.deepEqual(player.errors, []);
  await player.release();
});
