import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { publish, unpublish } from '../lib/publisher.mjs';
import { decodesWhole, hasRecorded, probe, recorderOf, recordingDirectory, stopped } from '../lib/recording.mjs';
import { nextEvent } from '../lib/wait.mjs';

const rivero = live();
const directory = recordingDirectory();

async function recording(name, settings) {
  const page = await rivero.browser.openProbe();
  const pipeline = await rivero.client.create('MediaPipeline');
  const endpoint = await publish(page, pipeline, 'camera');
  const file = join(directory, `${name}.webm`);
  const recorder = await recorderOf(pipeline, endpoint, `file://${file}`, settings);
  await invoke(recorder, 'record');
  await hasRecorded(recorder, 2500);
  return { page, pipeline, endpoint, recorder, file };
}

async function isComplete(file, atLeast) {
  const { duration } = await probe(file);
  assert.ok(duration >= atLeast, `${duration} s`);
  assert.ok((await decodesWhole(file)) > 20);
}

test('a recording ends well after its source was disconnected', async () => {
  const { pipeline, endpoint, recorder, file } = await recording('disconnected');
  await invoke(endpoint, 'disconnect', recorder);
  await stopped(recorder);
  await isComplete(file, 2.4);
  await pipeline.release();
});

test('a recording ends well after the browser has gone', async () => {
  const { page, pipeline, recorder, file } = await recording('gone');
  await unpublish(page, 'camera');
  await stopped(recorder);
  await isComplete(file, 2.4);
  await pipeline.release();
});

test('with stopOnEndOfStream a recording stops by itself when its source goes', async () => {
  const { pipeline, endpoint, recorder, file } = await recording('end', { stopOnEndOfStream: true });
  const event = nextEvent(recorder, 'Stopped');
  await endpoint.release();
  await event;
  assert.equal(await invoke(recorder, 'getState'), 'STOP');
  await isComplete(file, 2.4);
  await pipeline.release();
});
