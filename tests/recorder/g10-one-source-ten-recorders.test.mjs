import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS } from '../lib/media.mjs';
import { TONE_HZ, publish } from '../lib/publisher.mjs';
import { assertColour, colourAt, decodesWhole, hasRecorded, probe, recorderOf, recordingDirectory, soundsAt, stopped } from '../lib/recording.mjs';

const rivero = live();
const directory = recordingDirectory();

test('ten recorders of one source make ten whole files', async () => {
  const page = await rivero.browser.openProbe();
  const pipeline = await rivero.client.create('MediaPipeline');
  const endpoint = await publish(page, pipeline, 'camera');
  const files = Array.from({ length: 10 }, (_, index) => join(directory, `${index}.webm`));
  const recorders = await Promise.all(files.map((file) => recorderOf(pipeline, endpoint, `file://${file}`)));
  await Promise.all(recorders.map((recorder) => invoke(recorder, 'record')));
  await Promise.all(recorders.map((recorder) => hasRecorded(recorder, 3000)));
  await Promise.all(recorders.map(stopped));
  for (const file of files) {
    const { duration } = await probe(file);
    assert.ok(duration > 2.9, `${duration} s`);
    assert.ok((await decodesWhole(file)) > 20);
    assertColour(await colourAt(file, 1), COLOURS.red, 'the picture');
    await soundsAt(file, TONE_HZ, 0.5, duration - 0.5);
  }
  await pipeline.release();
});
