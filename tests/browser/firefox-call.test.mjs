// Firefox and Chromium in a call, each with its own picture and sound.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { launchBrowser } from '../lib/browser.mjs';
import { Calls } from '../lib/calls.mjs';
import { connectClient, invoke } from '../lib/client.mjs';
import { launchFirefox } from '../lib/firefox.mjs';
import { COLOURS, hearsTone, isConnected, seesColour, seesMotion } from '../lib/media.mjs';
import { publish } from '../lib/publisher.mjs';
import { hasRecorded, playedIn, recorderOf, recordingDirectory, stopped } from '../lib/recording.mjs';
import { startRivero } from '../lib/rivero.mjs';

const directory = recordingDirectory();
const rivero = {};
before(async () => {
  rivero.server = await startRivero();
  rivero.client = await connectClient(rivero.server.url);
  rivero.chromium = await launchBrowser();
  rivero.firefox = await launchFirefox();
});
after(async () => {
  await rivero.firefox?.close();
  await rivero.chromium?.close();
  rivero.client?.close();
  await rivero.server?.stop();
});

/** A party whose page calls from the browser or, with `offered`, is called by the server. */
async function party(pipeline, browser, colour, toneHz) {
  const page = await browser.openProbe();
  const calls = await Calls.on(page);
  const endpoint = await pipeline.create('WebRtcEndpoint');
  await page.evaluate(([shown, tone]) => probe.createSource('camera', { colour: shown, toneHz: tone }), [colour, toneHz]);
  return { page, calls, endpoint };
}

for (const offered of [false, true]) {
  test(`pictures and sound cross between Firefox and Chromium${offered ? ', the server offering' : ''}`, async () => {
    const pipeline = await rivero.client.create('MediaPipeline');
    const fox = await party(pipeline, rivero.firefox, COLOURS.red, 800);
    const chromium = await party(pipeline, rivero.chromium, COLOURS.blue, 1200);
    await invoke(fox.endpoint, 'connect', chromium.endpoint);
    await invoke(chromium.endpoint, 'connect', fox.endpoint);
    for (const { calls, endpoint } of [fox, chromium]) {
      if (offered) await calls.openOffered('me', endpoint, { send: 'camera' });
      else await calls.open('me', endpoint, { send: 'camera', codecs: { video: 'VP8' } });
    }
    for (const [{ page }, colour, toneHz] of [
      [fox, COLOURS.blue, 1200],
      [chromium, COLOURS.red, 800],
    ]) {
      await isConnected(page, 'me');
      await seesColour(page, 'me', colour);
      await seesMotion(page, 'me');
      await hearsTone(page, 'me', toneHz);
      assert.deepEqual(page.troubles, []);
    }
    await pipeline.release();
  });
}

test('Firefox adds, mutes and restarts', async () => {
  const pipeline = await rivero.client.create('MediaPipeline');
  const { page, calls, endpoint } = await party(pipeline, rivero.firefox, COLOURS.green, 900);
  await invoke(endpoint, 'connect', endpoint);
  await page.evaluate(() => probe.createSource('microphone', { toneHz: 700, video: false }));
  await page.evaluate((colour) => probe.createSource('second camera', { colour, audio: false }), COLOURS.green);
  await calls.open('me', endpoint, { send: 'microphone' });
  await isConnected(page, 'me');
  await hearsTone(page, 'me', 700);
  await calls.change('me', { add: 'second camera' });
  await seesColour(page, 'me', COLOURS.green);
  await calls.change('me', { directions: { video: 'inactive' } });
  await page.evaluate((colour) => probe.setColour('second camera', colour), COLOURS.red);
  await calls.change('me', { directions: { video: 'sendrecv' }, restartIce: true });
  await seesColour(page, 'me', COLOURS.red);
  await hearsTone(page, 'me', 700);
  await pipeline.release();
});

test('Firefox plays what was recorded', async (t) => {
  const pipeline = await rivero.client.create('MediaPipeline');
  const [camera, player] = [await rivero.chromium.openProbe(), await rivero.firefox.openProbe()];
  const endpoints = { H264: await publish(camera, pipeline, 'H264', { codecs: { video: 'H264', audio: 'opus' } }), VP8: await publish(camera, pipeline, 'VP8') };
  // As they came, and converted.
  const cases = [['H264', 'MP4'], ['VP8', 'WEBM'], ['VP8', 'MP4']];
  const recordings = await Promise.all(
    cases.map(async ([codec, mediaProfile]) => {
      const file = join(directory, `${codec}.${mediaProfile.toLowerCase()}`);
      const recorder = await recorderOf(pipeline, endpoints[codec], `file://${file}`, { mediaProfile });
      await invoke(recorder, 'record');
      await hasRecorded(recorder, 4000);
      return { what: `${codec} in ${mediaProfile}`, file, type: `video/${mediaProfile.toLowerCase()}`, recorded: (await stopped(recorder)) / 1000, errors: recorder.errors };
    }),
  );
  await pipeline.release();
  for (const { what, file, type, recorded, errors } of recordings) {
    await t.test(what, async () => {
      assert.deepEqual(errors, []);
      const { width, height, duration, ended } = await playedIn(player, file, type);
      assert.ok(width > 0 && height > 0, `${width} x ${height}`);
      assert.ok(Math.abs(duration - recorded) < 0.2 && Math.abs(ended - recorded) < 0.2, `${duration} s, up to ${ended} s, recorded ${recorded} s`);
      assert.deepEqual(player.troubles, []);
    });
  }
});
