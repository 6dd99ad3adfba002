import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS } from '../lib/media.mjs';
import { publish } from '../lib/publisher.mjs';
import { assertColour, colourAt, decodesWhole, probe, recorderOf, recordingDirectory } from '../lib/recording.mjs';
import { nextEvent, until } from '../lib/wait.mjs';

// Its file systems are its own: nobody else sees them, and they end with it.
const rivero = live({ wrap: (command) => ['unshare', '--mount', ...command] });
const directory = recordingDirectory();

/** Runs a command with the file systems of the server. */
function inServer(...command) {
  return execFileSync('nsenter', ['--target', String(rivero.server.pid), '--mount', ...command]);
}

for (const [profile, video] of [['WEBM', 'VP8'], ['MP4', 'H264']]) {
  test(`a full disk is an Error event, and the ${profile} plays as far as it goes`, async () => {
    const page = await rivero.browser.openProbe();
    const pipeline = await rivero.client.create('MediaPipeline');
    const endpoint = await publish(page, pipeline, 'camera', { codecs: { video, audio: 'opus' } });
    const mount = join(directory, `small-${profile}`);
    mkdirSync(mount);
    inServer('mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', mount);
    const file = `${mount}/full.${profile.toLowerCase()}`;
    const recorder = await recorderOf(pipeline, endpoint, `file://${file}`, { mediaProfile: profile });
    const error = nextEvent(recorder, 'Error');
    const ended = nextEvent(recorder, 'Stopped');
    await invoke(recorder, 'record');
    assert.equal((await error).type, 'RESOURCE_ERROR_NO_SPACE_LEFT');
    await ended;
    assert.equal(await invoke(recorder, 'getState'), 'STOP');

    const copy = join(directory, `full.${profile.toLowerCase()}`);
    writeFileSync(copy, inServer('cat', file));
    const { duration } = await probe(copy);
    assert.ok(duration > 0.4, `${duration} s`);
    assert.ok((await decodesWhole(copy)) > 4);
    assertColour(await colourAt(copy, 0), COLOURS.red, 'the picture');
    await pipeline.release();
  });
}

test('a directory where the server may not write is an Error event', async () => {
  const pipeline = await rivero.client.create('MediaPipeline');
  const mount = join(directory, 'read-only');
  mkdirSync(mount);
  inServer('mount', '-t', 'tmpfs', '-o', 'ro', 'tmpfs', mount);
  for (const file of [`${mount}/a.webm`, `${mount}/new/a.webm`]) {
    const recorder = await recorderOf(pipeline, null, `file://${file}`);
    const error = nextEvent(recorder, 'Error');
    await invoke(recorder, 'record');
    const { type, description } = await error;
    assert.equal(type, 'RESOURCE_ERROR_OPEN');
    assert.ok(description.includes(file) && /[Rr]ead-only/.test(description), description);
    await until(async () => (await invoke(recorder, 'getState')) === 'STOP', 'the state is STOP again');
  }
  await pipeline.release();
});

test('what could not be opened may be tried again', async () => {
  const pipeline = await rivero.client.create('MediaPipeline');
  const place = join(directory, 'place');
  writeFileSync(place, 'a file, not a directory');
  const recorder = await recorderOf(pipeline, null, `file://${place}/a.webm`);
  await Promise.all([nextEvent(recorder, 'Error'), invoke(recorder, 'record')]);
  await until(async () => (await invoke(recorder, 'getState')) === 'STOP', 'the state is STOP again');
  rmSync(place);
  await invoke(recorder, 'record');
  await until(() => existsSync(join(place, 'a.webm')), 'the file is there');
  await Promise.all([nextEvent(recorder, 'Stopped'), invoke(recorder, 'stopAndWait')]);
  await pipeline.release();
});
