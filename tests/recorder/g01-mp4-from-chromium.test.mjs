import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS } from '../lib/media.mjs';
import { TONE_HZ, publish } from '../lib/publisher.mjs';
import { assertColour, colourAt, decodesWhole, hasRecorded, movieOf, packets, playedIn, probe, recorderOf, recordingDirectory, soundsAt, stopped } from '../lib/recording.mjs';

const rivero = live();
const directory = recordingDirectory();

test('an MP4 of Chromium has its H264 and Opus as they came, and an ordinary index', async () => {
  const begun = Date.now();
  const page = await rivero.browser.openProbe();
  const pipeline = await rivero.client.create('MediaPipeline');
  const endpoint = await publish(page, pipeline, 'camera', { codecs: { video: 'H264', audio: 'opus' } });
  const file = join(directory, 'g01.mp4');
  const recorder = await recorderOf(pipeline, endpoint, `file://${file}`, { mediaProfile: 'MP4' });

  await invoke(recorder, 'record');
  await hasRecorded(recorder, 3000);
  await page.evaluate((colour) => probe.setColour('camera', colour), COLOURS.blue);
  await hasRecorded(recorder, 6000);
  const recorded = (await stopped(recorder)) / 1000;

  const { video, audio, duration } = await probe(file);
  assert.deepEqual([video.codec_name, video.width, video.height], ['h264', 320, 240]);
  assert.equal(audio.codec_name, 'opus');
  assert.ok(Math.abs(duration - recorded) < 0.2, `${duration} s for ${recorded} s`);
  assert.equal(await decodesWhole(file), (await packets(file, 'v')).length);
  assertColour(await colourAt(file, 1), COLOURS.red, 'the beginning');
  assertColour(await colourAt(file, duration - 1), COLOURS.blue, 'the end');
  await soundsAt(file, TONE_HZ, 0.5, duration - 0.5);
  assert.deepEqual(boxes(readFileSync(file)), ['ftyp', 'mdat', 'moov'], 'no fragments are left');

  const movie = movieOf(file);
  const codecs = movie.tracks.map(({ codec }) => codec.split('.')[0]);
  assert.deepEqual([movie.isFragmented, ...codecs.sort()], [false, 'Opus', 'avc1']);
  assert.ok(movie.created >= begun - 1000 && movie.created <= Date.now(), `recorded at ${movie.created}`);
  const played = await playedIn(page, file, 'video/mp4');
  assert.deepEqual([played.width, played.height], [320, 240]);
  assert.ok(Math.abs(played.duration - recorded) < 0.2 && Math.abs(played.ended - recorded) < 0.2, JSON.stringify(played));
  assert.deepEqual(recorder.errors, []);
  await pipeline.release();
});

/** Names of the boxes of an MP4 file. */
function boxes(file) {
  const names = [];
  for (let at = 0; at < file.length; ) {
    const size = file.readUInt32BE(at);
    names.push(file.toString('latin1', at + 4, at + 8));
    at += size === 1 ? Number(file.readBigUInt64BE(at + 8)) : size;
  }
  return names;
}
