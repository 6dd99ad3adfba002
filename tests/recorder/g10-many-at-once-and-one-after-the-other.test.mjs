import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS } from '../lib/media.mjs';
import { publish } from '../lib/publisher.mjs';
import { assertColour, colourAt, decodesWhole, hasRecorded, probe, recorderOf, recordingDirectory, soundsAt, stopped } from '../lib/recording.mjs';

const FILES = 6 * Number(process.env.SCALE ?? 1);
const SOURCES = [
  ['red', 600],
  ['green', 1000],
  ['blue', 1400],
];

const rivero = live();
const directory = recordingDirectory();

test('G10: several sources at once, each with its sound and picture and its sound alone', async () => {
  const page = await rivero.browser.openProbe();
  const pipeline = await rivero.client.create('MediaPipeline');
  const recordings = [];
  for (const [name, toneHz] of SOURCES) {
    const endpoint = await publish(page, pipeline, name, { source: { colour: COLOURS[name], toneHz } });
    for (const mediaProfile of ['WEBM', 'WEBM_AUDIO_ONLY']) {
      const file = join(directory, `${name}-${mediaProfile}.webm`);
      recordings.push({ name, toneHz, mediaProfile, file, recorder: await recorderOf(pipeline, endpoint, `file://${file}`, { mediaProfile }) });
    }
  }
  await Promise.all(recordings.map(({ recorder }) => invoke(recorder, 'record')));
  await Promise.all(recordings.map(({ recorder }) => hasRecorded(recorder, 4000, 60_000)));
  await Promise.all(recordings.map(({ recorder }) => stopped(recorder)));
  for (const { name, toneHz, mediaProfile, file, recorder } of recordings) {
    const { streams, duration } = await probe(file);
    const kinds = streams.map((stream) => stream.codec_type).sort();
    assert.deepEqual(kinds, mediaProfile === 'WEBM' ? ['audio', 'video'] : ['audio'], file);
    assert.ok(duration > 3.9, `${file}: ${duration} s`);
    await decodesWhole(file);
    if (mediaProfile === 'WEBM') assertColour(await colourAt(file, duration - 1), COLOURS[name], file);
    await soundsAt(file, toneHz, 0.5, duration - 0.5);
    assert.deepEqual(recorder.errors, []);
  }
  await pipeline.release();
});

test(`G10: ${FILES} files of 2 s, one after the other, from one source`, async () => {
  const page = await rivero.browser.openProbe();
  const pipeline = await rivero.client.create('MediaPipeline');
  const endpoint = await publish(page, pipeline, 'camera');
  for (let count = 0; count < FILES; count++) {
    const file = join(directory, `${count}.webm`);
    const recorder = await recorderOf(pipeline, endpoint, `file://${file}`);
    await invoke(recorder, 'record');
    await hasRecorded(recorder, 2000);
    const recorded = (await stopped(recorder)) / 1000;
    const { streams, duration } = await probe(file);
    assert.equal(streams.length, 2);
    assert.ok(duration > 1.9 && Math.abs(duration - recorded) < 0.2, `${duration} s, recorded ${recorded} s`);
    assert.ok((await decodesWhole(file)) > 10);
    assertColour(await colourAt(file, 1), COLOURS.red, 'the picture');
    await recorder.release();
  }
  await pipeline.release();
});
