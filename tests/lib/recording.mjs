// Recordings: made through the client, judged by FFmpeg.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { promisify } from 'node:util';

import { createFile } from 'mp4box';

import { invoke } from './client.mjs';
import { COLOURS } from './media.mjs';
import { nextEvent, until } from './wait.mjs';

const run = promisify(execFile);
const SAMPLE_RATE = 48_000;

/** A directory for the recordings of a test file, removed after its tests. */
export function recordingDirectory() {
  const directory = mkdtempSync(join(tmpdir(), 'rivero-recordings-'));
  after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A RecorderEndpoint that `source` feeds; `errors` collects its Error events. */
export async function recorderOf(pipeline, source, uri, settings = {}) {
  const recorder = await pipeline.create('RecorderEndpoint', { uri, mediaProfile: 'WEBM', ...settings });
  recorder.errors = [];
  recorder.on('Error', (error) => recorder.errors.push(error));
  if (source) await invoke(source, 'connect', recorder);
  return recorder;
}

/** The additional fields of `getStats`; null before `record`. */
export async function recordingStatistics(recorder) {
  const stats = await invoke(recorder, 'getStats');
  return Object.values(stats ?? {}).find((entry) => entry.recordingState) ?? null;
}

/** Waits until at least so much has been recorded. */
export async function hasRecorded(recorder, milliseconds, timeoutMs) {
  await until(
    async () => {
      assert.deepEqual(recorder.errors, []);
      return (await recordingStatistics(recorder))?.recordedMillis >= milliseconds;
    },
    `${milliseconds} ms are recorded`,
    timeoutMs,
  );
}

/** `stopAndWait`, with the Stopped event that belongs to it. Resolves to the recorded ms. */
export async function stopped(recorder) {
  const event = nextEvent(recorder, 'Stopped');
  await Promise.all([invoke(recorder, 'stopAndWait'), event]);
  return (await recordingStatistics(recorder)).recordedMillis;
}

/** What ffprobe says: `{format, streams, video, audio, duration}`; duration in seconds. */
export async function probe(file) {
  const { stdout } = await run('ffprobe', ['-v', 'error', '-show_format', '-show_streams', '-of', 'json', file]);
  const { format, streams } = JSON.parse(stdout);
  const of = (kind) => streams.find((stream) => stream.codec_type === kind);
  return { format, streams, video: of('video'), audio: of('audio'), duration: Number(format.duration) };
}

/** Packets of a stream (`v` or `a`): `[{time, isKeyframe}]`, seconds. */
export async function packets(file, stream) {
  const entries = ['-show_entries', 'packet=pts_time,flags', '-of', 'json'];
  const { stdout } = await run('ffprobe', ['-v', 'error', '-select_streams', stream, ...entries, file], { maxBuffer: 1 << 28 });
  return JSON.parse(stdout).packets.map(({ pts_time: time, flags }) => ({ time: Number(time), isKeyframe: flags.startsWith('K') }));
}

/**
 * Decodes everything; fails when the decoder complains. Resolves to the number of
 * pictures. `demuxer`: one that FFmpeg would not choose by itself.
 */
export async function decodesWhole(file, demuxer = []) {
  // Live pictures have no steady rate: without these FFmpeg complains of its own rounding.
  const asTheyAre = ['-fps_mode', 'passthrough', '-enc_time_base:v', '1:90000'];
  const { stderr } = await run('ffmpeg', ['-v', 'error', '-nostdin', ...demuxer, '-i', file, ...asTheyAre, '-f', 'null', '-']);
  assert.equal(stderr, '', `${file} decodes without complaint`);
  const count = ['-count_frames', '-select_streams', 'v', '-show_entries', 'stream=nb_read_frames', '-of', 'csv=p=0'];
  const { stdout } = await run('ffprobe', ['-v', 'error', ...demuxer, ...count, file]);
  return Number.parseInt(stdout, 10) || 0;
}

/** What mp4box makes of an MP4: its `info`. Fails unless every sample of every track is where the index says. */
export function movieOf(file) {
  const movie = createFile();
  const found = new Map();
  let info;
  movie.onError = (_, message) => assert.fail(`mp4box: ${message}`);
  movie.onReady = (ready) => {
    info = ready;
    for (const { id } of info.tracks) movie.setExtractionOptions(id, null, { nbSamples: 1000 });
    movie.start();
  };
  movie.onSamples = (id, _, samples) => found.set(id, (found.get(id) ?? 0) + samples.length);
  const { buffer } = new Uint8Array(readFileSync(file));
  movie.appendBuffer(Object.assign(buffer, { fileStart: 0 }));
  movie.flush();
  assert.ok(info, `${file} has a movie`);
  for (const track of info.tracks) assert.equal(found.get(track.id), track.nb_samples, `samples of track ${track.id}`);
  return info;
}

/**
 * Plays a file in a browser's page, fast and to its end, then a second before it: `{width, height,
 * duration, ended}`; rejects with what the browser complains of.
 */
export function playedIn(page, file, type) {
  return page.evaluate(
    async ([content, type]) => {
      const video = Object.assign(document.createElement('video'), { muted: true });
      const happens = (name) =>
        new Promise((resolve, reject) => {
          video.addEventListener(name, resolve, { once: true });
          video.addEventListener('error', () => reject(new Error(`${name}: ${video.error.message}`)), { once: true });
        });
      const metadata = happens('loadedmetadata');
      const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
      video.src = URL.createObjectURL(new Blob([bytes], { type }));
      await metadata;
      const ended = happens('ended');
      video.playbackRate = 8;
      await video.play();
      await ended;
      const { currentTime, duration, videoWidth: width, videoHeight: height } = video;
      const sought = happens('seeked');
      video.currentTime = duration - 1;
      await sought;
      URL.revokeObjectURL(video.src);
      return { width, height, duration, ended: currentTime };
    },
    [readFileSync(file).toString('base64'), type],
  );
}

/** Mean `[r, g, b]` of the middle of the picture shown at `seconds`. */
export async function colourAt(file, seconds, demuxer = []) {
  const picture = await raw([...demuxer, '-ss', String(seconds), '-i', file, '-frames:v', '1', '-vf', 'crop=16:16,format=rgb24', '-f', 'rawvideo', '-']);
  assert.equal(picture.length, 16 * 16 * 3, `${file} has a picture at ${seconds} s`);
  return [0, 1, 2].map((channel) => mean(picture.filter((_, index) => index % 3 === channel)));
}

/** Pictures and their middle: `[{time, colour}]`, from decoding all of them. */
export async function colours(file) {
  const times = (await packets(file, 'v')).map(({ time }) => time).sort((a, b) => a - b);
  const pictures = await raw(['-i', file, '-vf', 'crop=16:16,scale=1:1:flags=area,format=rgb24', '-fps_mode', 'passthrough', '-an', '-f', 'rawvideo', '-']);
  return times.slice(0, pictures.length / 3).map((time, index) => ({ time, colour: [...pictures.subarray(index * 3, index * 3 + 3)] }));
}

/** Names of the colours that a file shows, one after the other. */
export async function coloursInTurn(file) {
  const names = (await colours(file)).map(({ colour }) => Object.keys(COLOURS).find((name) => isColour(colour, COLOURS[name])));
  return names.filter((name, index) => name && name !== names[index - 1]);
}

/** Samples of the sound, mono, on the time of the file (silence where there is none, be it a packet). */
export async function sound(file) {
  const filter = ['-af', 'aresample=async=1:min_hard_comp=0.01:first_pts=0', '-ac', '1', '-ar', String(SAMPLE_RATE)];
  const bytes = await raw(['-i', file, '-vn', ...filter, '-f', 's16le', '-']);
  return new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length >> 1);
}

/** Level of `hz` in the samples from `seconds` on, for `length` seconds (Goertzel). */
export function level(samples, hz, seconds, length = 0.01) {
  const start = Math.round(seconds * SAMPLE_RATE);
  const part = samples.subarray(Math.max(0, start), start + Math.round(length * SAMPLE_RATE));
  const factor = 2 * Math.cos((2 * Math.PI * hz) / SAMPLE_RATE);
  let [one, two] = [0, 0];
  for (const sample of part) [one, two] = [sample + factor * one - two, one];
  return Math.sqrt(Math.max(0, one * one + two * two - factor * one * two)) / Math.max(1, part.length);
}

/** Asserts that the sound is `hz` and nothing else from `from` to `to` seconds. */
export async function soundsAt(file, hz, from, to) {
  const samples = await sound(file);
  for (let at = from; at < to; at += 0.25) {
    // In parts: where a clock is corrected the phase jumps, and the halves of a whole may cancel out.
    const parts = Array.from({ length: 10 }, (_, part) => level(samples, hz, at + part / 100));
    const own = parts.reduce((sum, part) => sum + part) / parts.length;
    assert.ok(own > 500, `${file} sounds at ${hz} Hz at ${at.toFixed(2)} s (level ${own.toFixed(0)})`);
    for (const other of [hz / 2, hz * 1.5]) {
      assert.ok(level(samples, other, at, 0.1) < own / 4, `${file} sounds at ${hz} Hz only at ${at.toFixed(2)} s`);
    }
  }
}

export function isColour(seen, colour, tolerance = 45) {
  return seen.every((value, channel) => Math.abs(value - colour[channel]) <= tolerance);
}

export function assertColour(seen, colour, what) {
  assert.ok(isColour(seen, colour), `${what} is ${colour} (seen: ${seen.map(Math.round)})`);
}

async function raw(parameters) {
  const options = { encoding: 'buffer', maxBuffer: 1 << 29 };
  const { stdout } = await run('ffmpeg', ['-v', 'error', '-nostdin', ...parameters], options);
  return stdout;
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
