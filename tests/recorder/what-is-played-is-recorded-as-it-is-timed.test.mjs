// Whatever a player reads, a recording of it is as long as that is, and changes picture and sound when that does.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { makePicture, serveCameras } from '../lib/camera.mjs';
import { changesOfColour, changesOfTone } from '../lib/changes.mjs';
import { connectClient, invoke } from '../lib/client.mjs';
import { makeMedia, playerOf } from '../lib/fixtures.mjs';
import { writeAhead } from '../lib/matroska.mjs';
import { COLOURS } from '../lib/media.mjs';
import { colours, hasRecorded, probe, recorderOf, recordingDirectory, sound, soundsAt, stopped } from '../lib/recording.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { nextEvent } from '../lib/wait.mjs';

const run = promisify(execFile);

/** What is shown and heard, for a second each. */
const SIDES = [
  { colour: COLOURS.red, toneHz: 600 },
  { colour: COLOURS.green, toneHz: 1000 },
  { colour: COLOURS.blue, toneHz: 1400 },
  { colour: COLOURS.red, toneHz: 600 },
];
const COLOURS_IN_TURN = SIDES.map(({ colour }) => colour);
const TONES = SIDES.map(({ toneHz }) => toneHz);
const LENGTH = SIDES.length;
const CHANGES = SIDES.slice(1).map((_, index) => index + 1);

/** Seconds that a recording may be longer or shorter. */
const LENGTH_TOLERANCE = 0.2;
/** Seconds between a change of the picture and that of the sound. */
const SYNC_TOLERANCE = 0.04;
/** And between a change of either and when it should be. */
const TIME_TOLERANCE = 0.1;
/** Recordings at a time. */
const TOGETHER = 4;
/** Seconds that are recorded of a camera: what is wrong by little after ten of them is wrong by much after ten minutes. The last ones are looked at. */
const CAMERA_SECONDS = Number(process.env.SCALE ?? 1) >= 10 ? 600 : 8;
const LOOKED_AT = Math.min(20, CAMERA_SECONDS);

const X264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p'];
const IN_ORDER = [...X264, '-tune', 'zerolatency'];
const REORDERED = ['-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p', '-bf', '3', '-b_strategy', '0'];
const X265 = ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none'];
const AAC = ['-c:a', 'aac'];
const useEncodedMedia = true;

/** Films: how FFmpeg makes them where their ending does not say it, and how they are played. */
const FILMS = {
  'vp8-vorbis.webm': {},
  'vp9-opus.webm': { codecs: ['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', '-c:a', 'libopus'] },
  'vp8-opus.mkv': { settings: { useEncodedMedia } },
  'h264-aac.mp4': {},
  'as-it-is.mp4': { codecs: [...IN_ORDER, ...AAC], settings: { useEncodedMedia } },
  'fragments.mp4': { codecs: [...IN_ORDER, ...AAC, '-movflags', '+frag_keyframe+empty_moov'] },
  'reordered.mp4': { codecs: [...REORDERED, ...AAC] },
  'reordered-as-it-is.mkv': { codecs: [...REORDERED, ...AAC], settings: { useEncodedMedia } },
  'turned.mov': { codecs: [...X265, '-pix_fmt', 'yuv420p10le', '-tag:v', 'hvc1', '-metadata:s:v:0', 'rotate=90', ...AAC] },
  'samples.mov': {},
  'high-rate.mov': { codecs: [...IN_ORDER, '-c:a', 'pcm_s24le', '-ar', '96000'] },
  'telephone.mov': { codecs: [...IN_ORDER, '-c:a', 'pcm_mulaw', '-ar', '8000', '-ac', '1'] },
  // FFmpeg leaves out its second picture.
  'mpeg4-mp3.avi': { rate: 30 },
  'pictures.avi': { codecs: ['-c:v', 'mjpeg', '-q:v', '4', '-c:a', 'pcm_s16le'] },
  'theora.ogv': {},
  'mpeg4.3gp': {},
  'h264-aac.ts': {},
  'latm.ts': { codecs: [...IN_ORDER, ...AAC, '-mpegts_flags', 'latm'], settings: { useEncodedMedia } },
  'ac3.ts': { codecs: ['-c:v', 'mpeg2video', '-q:v', '4', '-c:a', 'ac3'], rate: 25 },
  'mpeg2.mpg': { codecs: ['-c:v', 'mpeg2video', '-q:v', '4', '-c:a', 'mp2'], rate: 25 },
  'h264-aac.flv': { codecs: [...IN_ORDER, ...AAC] },
  'wmv2.wmv': { codecs: ['-c:v', 'wmv2', '-q:v', '4', '-c:a', 'wmav2'] },
  'mpeg2.mxf': { codecs: ['-c:v', 'mpeg2video', '-q:v', '4', '-c:a', 'pcm_s16le', '-ar', '48000'], rate: 25 },
  'ahead.mkv': { codecs: [...IN_ORDER, '-c:a', 'libopus'], change: (from, to) => writeAhead(from, to, 2, 20_000) },
  'restarts.ts': { change: restart },
};

/** Sound or pictures alone. */
const PARTS = {
  'sound.aiff': { codecs: ['-c:a', 'pcm_s16be'], toneHz: TONES },
  'mulaw.aifc': { codecs: ['-c:a', 'pcm_mulaw', '-f', 'aiff'], toneHz: TONES },
  'adpcm.aifc': { codecs: ['-c:a', 'adpcm_ima_qt', '-f', 'aiff'], toneHz: TONES },
  'telephone.wav': { codecs: ['-c:a', 'pcm_mulaw', '-ar', '8000', '-ac', '1'], toneHz: TONES },
  'slow.m4a': { codecs: [...AAC, '-ar', '8000', '-ac', '1'], toneHz: TONES, settings: { useEncodedMedia } },
  'slow.aac': { codecs: [...AAC, '-ar', '16000'], toneHz: TONES, settings: { useEncodedMedia } },
  'song.flac': { toneHz: TONES },
  'pictures.gif': { codecs: [], colours: COLOURS_IN_TURN, rate: 25 },
  'pictures.mjpeg': { codecs: ['-c:v', 'mjpeg', '-q:v', '4'], colours: COLOURS_IN_TURN, rate: 25 },
};

const directory = recordingDirectory();
const sources = {};
let server, client, pipeline, cameras;
before(async () => {
  // All before anything is played: FFmpeg takes the processors for itself.
  for (const [name, { codecs, rate, change }] of Object.entries(FILMS)) {
    sources[name] = await makeMedia(directory, name, { colours: COLOURS_IN_TURN, seconds: 1, toneHz: TONES, codecs, rate });
    if (change) sources[name] = await changed(sources[name], change);
  }
  for (const [name, { codecs, toneHz, colours: shown, rate }] of Object.entries(PARTS)) {
    sources[name] = await makeMedia(directory, name, { colours: shown, seconds: 1, toneHz, codecs, rate });
  }
  server = await startRivero();
  client = await connectClient(server.url);
  pipeline = await client.create('MediaPipeline');
  cameras = await serveCameras(await makePicture(directory, COLOURS_IN_TURN.slice(1)), TONES.slice(1));
});
after(async () => {
  cameras?.close();
  client?.close();
  await server?.stop();
});

/** The profiles by turns, so that both see all kinds of sources. */
const profileOf = (index) => (index % 2 ? 'MP4' : 'WEBM');

/** Begins to record what is played of a URI. */
async function recording(uri, name, mediaProfile, settings) {
  const file = join(directory, `${name}.recorded.${mediaProfile.toLowerCase()}`);
  const player = await playerOf(pipeline, uri, settings);
  const recorder = await recorderOf(pipeline, player, `file://${file}`, { mediaProfile });
  await invoke(recorder, 'record');
  const end = nextEvent(player, 'EndOfStream', undefined, 60_000);
  end.catch(() => {}); // of a camera, which has none
  await invoke(player, 'play');
  return { file, player, recorder, end };
}

async function ended({ file, player, recorder }) {
  const recorded = (await stopped(recorder)) / 1000;
  assert.deepEqual([...player.errors, ...recorder.errors], []);
  await Promise.all([player.release(), recorder.release()]);
  const { duration } = await probe(file);
  assert.ok(Math.abs(duration - recorded) < LENGTH_TOLERANCE, `${duration} s, recorded ${recorded} s`);
  return duration;
}

/** Plays a file to its end into a recording; resolves to its path. */
async function recorded(source, name, index, settings) {
  const session = await recording(`file://${source}`, name, profileOf(index), settings);
  await session.end;
  const duration = await ended(session);
  assert.ok(Math.abs(duration - LENGTH) < LENGTH_TOLERANCE, `${duration} s of ${LENGTH}`);
  return session.file;
}

const changesSeen = async (file) => changesOfColour(await colours(file), SIDES);
const changesHeard = async (file) => changesOfTone(await sound(file), SIDES);

function near(times, wanted, tolerance, what) {
  const off = times.length !== wanted.length || times.some((time, index) => Math.abs(time - wanted[index]) > tolerance);
  assert.ok(!off, `${what} at ${times.map((time) => time.toFixed(3))}, not at ${wanted.map((time) => time.toFixed(3))}`);
}

test('films', { concurrency: TOGETHER }, async (t) => {
  const tasks = Object.entries(FILMS).map(([name, { settings }], index) =>
    t.test(name, async () => {
      const file = await recorded(sources[name], name, index, settings);
      const [seen, heard] = await Promise.all([changesSeen(file), changesHeard(file)]);
      near(seen, CHANGES, TIME_TOLERANCE, 'changes of the picture');
      near(heard, seen, SYNC_TOLERANCE, 'changes of the sound');
    }),
  );
  await Promise.all(tasks);
});

test('sound and pictures alone', { concurrency: TOGETHER }, async (t) => {
  const tasks = Object.entries(PARTS).map(([name, { toneHz, colours: shown, settings }], index) =>
    t.test(name, async () => {
      const file = await recorded(sources[name], name, index, settings);
      if (shown) near(await changesSeen(file), CHANGES, TIME_TOLERANCE, 'changes of the picture');
      if (toneHz) near(await changesHeard(file), CHANGES, TIME_TOLERANCE, 'changes of the sound');
    }),
  );
  await Promise.all(tasks);
});

test('films with a track that is over soon', { concurrency: TOGETHER }, async (t) => {
  const red = (seconds) => ['-f', 'lavfi', '-i', `color=c=0xc82828:s=320x240:r=15:d=${seconds}`];
  const tone = (seconds) => ['-f', 'lavfi', '-i', `sine=frequency=1000:sample_rate=48000:duration=${seconds},volume=4`];
  const cases = { 'short-sound.mp4': [red(LENGTH), tone(0.6), 0.6], 'short-picture.mov': [red(0.6), tone(LENGTH), LENGTH] };
  const tasks = Object.entries(cases).map(([name, [picture, sine, heard]], index) =>
    t.test(name, async () => {
      const source = join(directory, name);
      await run('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...picture, ...sine, ...IN_ORDER, ...AAC, source]);
      await soundsAt(await recorded(source, name, index), 1000, 0.1, heard - 0.3);
    }),
  );
  await Promise.all(tasks);
});

test('cameras', { concurrency: TOGETHER }, async (t) => {
  const oddities = ['plain', 'clock', 'metadata'];
  const tasks = oddities.map((oddity, index) =>
    t.test(oddity, async () => {
      const session = await recording(`rtsp://127.0.0.1:${cameras.port}/${oddity}`, oddity, profileOf(index), { networkCache: 500 });
      await hasRecorded(session.recorder, CAMERA_SECONDS * 1000, (CAMERA_SECONDS + 60) * 1000);
      const duration = await ended(session);
      const { file } = session;
      const inside = (times) => times.filter((time) => time > Math.max(0.5, duration - LOOKED_AT) && time < duration - 0.5);
      const [seen, heard] = await Promise.all([changesSeen(file), changesHeard(file)]);
      const shown = inside(seen);
      assert.ok(shown.length >= LOOKED_AT - 2, `changes seen at ${shown}`);
      near(shown, shown.map((_, index) => shown[0] + index), TIME_TOLERANCE, 'changes of the picture');
      const nearest = shown.map((time) => heard.reduce((best, other) => (Math.abs(other - time) < Math.abs(best - time) ? other : best), -1));
      near(nearest, shown, SYNC_TOLERANCE, 'changes of the sound');
    }),
  );
  await Promise.all(tasks);
});

async function changed(source, change) {
  const target = source.replace(/(?=\.\w+$)/, '.changed');
  await change(source, target);
  return target;
}

/** The second half of a stream begins at another time, as where a sender was started again. */
async function restart(source, target) {
  const halves = ['0', '2'].map((start) => `${source}.${start}.ts`);
  for (const [index, half] of halves.entries()) {
    await run('ffmpeg', ['-v', 'error', '-nostdin', '-y', '-i', source, '-ss', String(2 * index), '-t', '2', ...IN_ORDER, ...AAC, '-muxdelay', '0', half]);
  }
  writeFileSync(target, Buffer.concat(halves.map((half) => readFileSync(half))));
}
