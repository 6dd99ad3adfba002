import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { invoke } from '../lib/client.mjs';
import { BEHIND, IMAGE, cover, faceOverlayOf, makeImage } from '../lib/faces.mjs';
import { live } from '../lib/live.mjs';
import { TONE_HZ, publish } from '../lib/publisher.mjs';
import { assertColour, colourAt, decodesWhole, hasRecorded, probe, recorderOf, recordingDirectory, soundsAt, stopped } from '../lib/recording.mjs';

const rivero = live();
const directory = recordingDirectory();

test('G07: a recording has the image over the face, and the sound', async () => {
  const page = await rivero.browser.openProbe();
  const pipeline = await rivero.client.create('MediaPipeline');
  const endpoint = await publish(page, pipeline, 'camera', { source: { colour: BEHIND, face: [0.5, 0.5] } });
  const filter = await faceOverlayOf(pipeline, endpoint);
  await cover(filter, await makeImage(directory));
  const file = join(directory, 'g07.webm');
  const recorder = await recorderOf(pipeline, filter, `file://${file}`);

  await invoke(recorder, 'record');
  await hasRecorded(recorder, 5000);
  const recorded = (await stopped(recorder)) / 1000;

  const { video, audio, duration } = await probe(file);
  assert.deepEqual([video.codec_name, video.width, video.height, audio.codec_name], ['vp8', 320, 240, 'opus']);
  assert.ok(Math.abs(duration - recorded) < 0.3, `${duration} s for ${recorded} s`);
  assert.ok((await decodesWhole(file)) > duration * 8);
  assertColour(await colourAt(file, duration - 1), IMAGE, 'the face');
  await soundsAt(file, TONE_HZ, 1, duration - 0.5);
  assert.deepEqual([filter.errors, recorder.errors], [[], []]);
  await pipeline.release();
});
