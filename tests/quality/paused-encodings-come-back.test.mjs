// Simulcast by RID: a camera that pauses encodings, one or all, and goes on with the streams that it had.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, seesColour, seesMotion } from '../lib/media.mjs';
import { nextEvent, until } from '../lib/wait.mjs';

const ENCODINGS = [{ rid: 'l', scaleResolutionDownBy: 2, maxBitrate: 150_000 }, { rid: 'h', scaleResolutionDownBy: 1, maxBitrate: 900_000 }];
const PATIENCE_MS = 60_000;

const rivero = live();

test('the viewer sees it again, and as sharp as before', async () => {
  const pipeline = await rivero.client.create('MediaPipeline');
  const [camera, viewer] = [await pipeline.create('WebRtcEndpoint'), await pipeline.create('WebRtcEndpoint')];
  await invoke(camera, 'connect', viewer);
  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  await page.evaluate((colour) => probe.createSource('source', { colour, scale: 2, detail: 40 }), COLOURS.red);
  const { answer } = await calls.open('camera', camera, { send: 'source', receive: false, encodings: ENCODINGS, codecs: { video: 'VP8' } });
  assert.match(answer, /a=simulcast:recv l;h/);
  await calls.open('viewer', viewer, {});
  const width = async () => (await page.evaluate(() => probe.pictureSize('viewer')))[0];
  const becomes = (wanted, when) => until(async () => (await width()) === wanted, `${wanted} pixels a line ${when}`, PATIENCE_MS);
  const send = (...active) => page.evaluate((changes) => probe.changeEncodings('camera', changes), active.map((each) => ({ active: each })));
  const flow = (state) => nextEvent(camera, 'MediaFlowOutStateChanged', (event) => event.mediaType === 'VIDEO' && event.state === state);
  const shows = async (colour) => {
    await page.evaluate((next) => probe.setColour('source', next), colour);
    await seesColour(page, 'viewer', colour);
    await seesMotion(page, 'viewer');
  };

  await becomes(640, 'at first');
  await send(true, false);
  await becomes(320, 'with one encoding');
  await send(true, true);
  await becomes(640, 'with both again');
  await shows(COLOURS.blue);

  const stopped = flow('NOT_FLOWING');
  await calls.change('camera', { directions: { video: 'inactive' } });
  await stopped;
  const flowing = flow('FLOWING');
  await calls.change('camera', { directions: { video: 'sendonly' } });
  await flowing;
  await shows(COLOURS.green);
  await becomes(640, 'after a pause of all');
  await pipeline.release();
});
