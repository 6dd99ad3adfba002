// Simulcast by RID into a PassThrough: what comes out is a stream of its own, whichever encoding it is.

import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, seesColour, seesMotion } from '../lib/media.mjs';
import { until } from '../lib/wait.mjs';

const ENCODINGS = [{ rid: 'l', scaleResolutionDownBy: 2, maxBitrate: 150_000 }, { rid: 'h', scaleResolutionDownBy: 1, maxBitrate: 900_000 }];
const PATIENCE_MS = 60_000;

const rivero = live();

test('the viewer sees the encoding that there is, and the better one when it comes', async () => {
  const pipeline = await rivero.client.create('MediaPipeline');
  const camera = await pipeline.create('WebRtcEndpoint');
  const passThrough = await pipeline.create('PassThrough');
  const viewer = await pipeline.create('WebRtcEndpoint');
  await invoke(camera, 'connect', passThrough);
  await invoke(passThrough, 'connect', viewer);
  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  await page.evaluate((colour) => probe.createSource('source', { colour, scale: 2, detail: 40 }), COLOURS.red);
  await calls.open('camera', camera, { send: 'source', receive: false, encodings: ENCODINGS, codecs: { video: 'VP8' } });
  await calls.open('viewer', viewer, {});
  const width = async () => (await page.evaluate(() => probe.pictureSize('viewer')))[0];
  const becomes = async (wanted) => {
    await until(async () => (await width()) === wanted, `${wanted} pixels a line`, PATIENCE_MS);
    await seesMotion(page, 'viewer');
    await seesColour(page, 'viewer', COLOURS.red);
  };

  await becomes(640);
  await page.evaluate(() => probe.changeEncodings('camera', [{}, { active: false }]));
  await becomes(320);
  await page.evaluate(() => probe.changeEncodings('camera', [{}, { active: true }]));
  await becomes(640);
  await pipeline.release();
});
