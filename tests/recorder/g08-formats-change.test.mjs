import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS } from '../lib/media.mjs';
import { TONE_HZ, publish } from '../lib/publisher.mjs';
import { coloursInTurn, decodesWhole, hasRecorded, packets, playedIn, probe, recorderOf, recordingDirectory, soundsAt, stopped } from '../lib/recording.mjs';

const rivero = live();
const directory = recordingDirectory();

for (const [profile, first, second] of [['WEBM', 'VP8', 'H264'], ['MP4', 'H264', 'VP8']]) {
  test(`a ${profile} goes on when a source with ${second} follows one with ${first}`, async () => {
    const page = await rivero.browser.openProbe();
    const pipeline = await rivero.client.create('MediaPipeline');
    const red = await publish(page, pipeline, 'red', { codecs: { video: first, audio: 'opus' } });
    const blue = await publish(page, pipeline, 'blue', { codecs: { video: second, audio: 'opus' }, source: { colour: COLOURS.blue } });
    const file = join(directory, `codecs.${profile.toLowerCase()}`);
    const recorder = await recorderOf(pipeline, red, `file://${file}`, { mediaProfile: profile });
    await invoke(recorder, 'record');
    await hasRecorded(recorder, 2000);
    await invoke(blue, 'connect', recorder);
    await hasRecorded(recorder, 5000);
    await invoke(red, 'connect', recorder);
    await hasRecorded(recorder, 7000);
    const recorded = (await stopped(recorder)) / 1000;

    const { streams, video, duration } = await probe(file);
    assert.equal(streams.length, 2);
    assert.equal(video.codec_name, first.toLowerCase());
    assert.ok(Math.abs(duration - recorded) < 0.2, `${duration} s for ${recorded} s`);
    await decodesWhole(file);
    assert.deepEqual(await coloursInTurn(file), ['red', 'blue', 'red']);
    assert.deepEqual(recorder.errors, []);
    await pipeline.release();
  });

  test(`a ${profile} follows the size of its pictures`, async () => {
    const page = await rivero.browser.openProbe();
    const pipeline = await rivero.client.create('MediaPipeline');
    const camera = await publish(page, pipeline, 'camera', { codecs: { video: first, audio: 'opus' } });
    const file = join(directory, `sizes.${profile.toLowerCase()}`);
    const recorder = await recorderOf(pipeline, camera, `file://${file}`, { mediaProfile: profile });
    await invoke(recorder, 'record');
    await hasRecorded(recorder, 2000);
    await page.evaluate(() => probe.scaleDown('camera', 2));
    await page.evaluate((colour) => probe.setColour('camera', colour), COLOURS.green);
    await hasRecorded(recorder, 5000);
    const recorded = (await stopped(recorder)) / 1000;

    const { video } = await probe(file);
    assert.deepEqual([video.width, video.height], [320, 240]);
    await decodesWhole(file);
    assert.deepEqual(await coloursInTurn(file), ['red', 'green']);
    const played = await playedIn(page, file, `video/${profile.toLowerCase()}`);
    assert.ok(Math.abs(played.ended - recorded) < 0.2, JSON.stringify(played));
    assert.deepEqual([played.width, played.height], [160, 120], 'the size at its end');
    await pipeline.release();
  });
}

test('muted sound and pictures leave the rest as it is', async () => {
  const page = await rivero.browser.openProbe();
  const pipeline = await rivero.client.create('MediaPipeline');
  const camera = await publish(page, pipeline, 'camera');
  const file = join(directory, 'muted.webm');
  const recorder = await recorderOf(pipeline, camera, `file://${file}`);
  await invoke(recorder, 'record');
  await hasRecorded(recorder, 1500);
  await page.evaluate(() => probe.setEnabled('camera', 'video', false));
  await hasRecorded(recorder, 3000);
  await page.evaluate(() => probe.setEnabled('camera', 'video', true));
  await page.evaluate(() => probe.setEnabled('camera', 'audio', false));
  await hasRecorded(recorder, 4500);
  await page.evaluate(() => probe.setEnabled('camera', 'audio', true));
  await hasRecorded(recorder, 6500);
  const recorded = (await stopped(recorder)) / 1000;

  const { duration } = await probe(file);
  assert.ok(Math.abs(duration - recorded) < 0.2, `${duration} s for ${recorded} s`);
  await decodesWhole(file);
  await soundsAt(file, TONE_HZ, 0.5, 2.5);
  await soundsAt(file, TONE_HZ, duration - 1, duration - 0.3);
  const last = (await packets(file, 'v')).at(-1).time;
  assert.ok(duration - last < 0.3, `pictures up to ${last} s of ${duration} s`);
  await pipeline.release();
});
