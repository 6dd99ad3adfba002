import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS } from '../lib/media.mjs';
import { TONE_HZ, publish } from '../lib/publisher.mjs';
import { assertColour, colourAt, decodesWhole, hasRecorded, packets, probe, recorderOf, recordingDirectory, soundsAt, stopped } from '../lib/recording.mjs';

const rivero = live();
const directory = recordingDirectory();

test('a WEBM of Chromium has its VP8 and Opus, colours, tone, length, and places to seek to', async () => {
  const page = await rivero.browser.openProbe();
  const pipeline = await rivero.client.create('MediaPipeline');
  const endpoint = await publish(page, pipeline, 'camera');
  const file = join(directory, 'g01.webm');
  const recorder = await recorderOf(pipeline, endpoint, `file://${file}`);

  await invoke(recorder, 'record');
  await hasRecorded(recorder, 3000);
  await page.evaluate((colour) => probe.setColour('camera', colour), COLOURS.green);
  await hasRecorded(recorder, 7000);
  const recorded = (await stopped(recorder)) / 1000;

  const { format, video, audio, duration } = await probe(file);
  assert.equal(format.format_name, 'matroska,webm');
  assert.deepEqual([video.codec_name, video.width, video.height], ['vp8', 320, 240]);
  assert.deepEqual([audio.codec_name, audio.sample_rate], ['opus', '48000']);
  assert.ok(Math.abs(duration - recorded) < 0.2, `${duration} s for ${recorded} s`);
  const pictures = await decodesWhole(file);
  assert.equal(pictures, (await packets(file, 'v')).length);
  assert.ok(pictures > duration * 10, `${pictures} pictures`);
  assertColour(await colourAt(file, 1), COLOURS.red, 'the beginning');
  assertColour(await colourAt(file, duration - 1), COLOURS.green, 'the end');
  await soundsAt(file, TONE_HZ, 0.5, duration - 0.5);
  const keyframes = (await packets(file, 'v')).filter(({ isKeyframe }) => isKeyframe);
  assert.ok(keyframes.length > 1 && keyframes[0].time < 0.05, 'there are places to seek to');
  assert.deepEqual(recorder.errors, []);
  await pipeline.release();
});
