import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS } from '../lib/media.mjs';
import { publish } from '../lib/publisher.mjs';
import { assertColour, colourAt, decodesWhole, hasRecorded, packets, probe, recorderOf, recordingDirectory, stopped } from '../lib/recording.mjs';
import { nextEvent } from '../lib/wait.mjs';

const rivero = live();
const directory = recordingDirectory();

test('what is on hold is not in the file, and what follows joins without a hole', async () => {
  const page = await rivero.browser.openProbe();
  const pipeline = await rivero.client.create('MediaPipeline');
  const endpoint = await publish(page, pipeline, 'camera');
  const file = join(directory, 'paused.webm');
  const recorder = await recorderOf(pipeline, endpoint, `file://${file}`);
  const states = [];
  recorder.on('UriEndpointStateChanged', ({ state }) => states.push(state));

  await Promise.all([nextEvent(recorder, 'Recording'), invoke(recorder, 'record')]);
  await hasRecorded(recorder, 2500);
  await Promise.all([nextEvent(recorder, 'Paused'), invoke(recorder, 'pause')]);
  assert.equal(await invoke(recorder, 'getState'), 'PAUSE');
  await page.evaluate((colour) => probe.setColour('camera', colour), COLOURS.blue);
  await new Promise((resolve) => setTimeout(resolve, 2000)); // the time that is to be missing
  await page.evaluate((colour) => probe.setColour('camera', colour), COLOURS.green);
  await new Promise((resolve) => setTimeout(resolve, 500)); // for the encoder to have it
  await Promise.all([nextEvent(recorder, 'Recording'), invoke(recorder, 'record')]);
  await hasRecorded(recorder, 5500);
  const recorded = (await stopped(recorder)) / 1000;

  const { duration } = await probe(file);
  assert.ok(Math.abs(duration - recorded) < 0.2, `${duration} s for ${recorded} s`);
  assert.ok(duration < 7.5, `${duration} s`);
  await decodesWhole(file);
  // A busy machine skips pictures for a while by itself; the pause took 2.5 s.
  for (const [stream, longest] of [['v', 1], ['a', 0.5]]) {
    const times = (await packets(file, stream)).map(({ time }) => time);
    const gap = Math.max(...times.map((time, index) => time - (times[index - 1] ?? 0)));
    assert.ok(gap < longest, `the largest gap of ${stream} is ${gap} s`);
  }
  assertColour(await colourAt(file, 1.5), COLOURS.red, 'before the pause');
  assertColour(await colourAt(file, duration - 1), COLOURS.green, 'after the pause');
  assert.deepEqual(states, ['START', 'PAUSE', 'START', 'STOP']);
  await assert.rejects(invoke(recorder, 'record'), { code: 40111 }, 'a recorder records once');
  await pipeline.release();
});
