import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS } from '../lib/media.mjs';
import { publish } from '../lib/publisher.mjs';
import { colours, decodesWhole, hasRecorded, isColour, packets, probe, recorderOf, recordingDirectory, stopped } from '../lib/recording.mjs';

const SWITCHES = Math.min(100, 20 * Number(process.env.SCALE ?? 1));
const HOLD_MS = 500;

const rivero = live();
const directory = recordingDirectory();

test(`one file follows ${SWITCHES} switches between two sources`, async () => {
  const page = await rivero.browser.openProbe();
  const pipeline = await rivero.client.create('MediaPipeline');
  const sources = [
    await publish(page, pipeline, 'red', { source: { colour: COLOURS.red } }),
    await publish(page, pipeline, 'blue', { source: { colour: COLOURS.blue, toneHz: 1500 } }),
  ];
  const file = join(directory, 'g08.webm');
  const recorder = await recorderOf(pipeline, sources[0], `file://${file}`);
  await invoke(recorder, 'record');
  await hasRecorded(recorder, 1000);
  const began = performance.now();
  for (let count = 1; count <= SWITCHES; count += 1) {
    await invoke(sources[count % 2], 'connect', recorder);
    await hasRecorded(recorder, 1000 + count * HOLD_MS);
  }
  const lasted = (performance.now() - began) / 1000;
  const recorded = (await stopped(recorder)) / 1000;

  const { duration } = await probe(file);
  assert.ok(Math.abs(duration - recorded) < 0.2, `${duration} s for ${recorded} s`);
  assert.ok(Math.abs(duration - 1 - lasted) < 1.5, `${duration} s for ${lasted} s of switching`);
  await decodesWhole(file);
  const seen = (await colours(file)).map(({ colour }) => ['red', 'blue'].find((name) => isColour(colour, COLOURS[name])));
  assert.ok(!seen.includes(undefined), 'every picture is of one source');
  const changes = seen.filter((name, index) => index > 0 && name !== seen[index - 1]).length;
  assert.ok(changes >= SWITCHES * 0.8 && changes <= SWITCHES, `${changes} changes of picture`);
  const times = (await packets(file, 'v')).map(({ time }) => time);
  assert.ok(times.every((time, index) => index === 0 || time > times[index - 1]), 'time goes forward');
  assert.deepEqual(recorder.errors, []);
  await pipeline.release();
});
