// Converters of another module: the cheapest is taken, and the next when that does not start.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, seesColour, seesMotion } from '../lib/media.mjs';
import { conversions } from '../lib/metrics.mjs';
import { builtModules } from '../lib/rivero.mjs';

let page;
let calls;
const rivero = live({ modules: [...builtModules(), 'decodes'] }, async ({ browser }) => {
  page = await browser.openProbe();
  calls = await Calls.on(page);
});

/** A viewer of `takes` only, connected to a presenter who sends `sends` in this colour. */
async function watch(name, sends, takes, colour) {
  const pipeline = await rivero.client.create('MediaPipeline');
  const [from, to] = [await pipeline.create('WebRtcEndpoint'), await pipeline.create('WebRtcEndpoint')];
  const errors = [];
  to.on('Error', (event) => errors.push(event));
  await invoke(from, 'connect', to);
  await page.evaluate(([camera, shown]) => probe.createSource(camera, { colour: shown }), [name, colour]);
  await calls.open(`${name} presenter`, from, { send: name, receive: false, codecs: { video: sends, audio: 'opus' } });
  await calls.open(`${name} viewer`, to, { codecs: { video: takes, audio: 'opus' } });
  return { pipeline, errors };
}

test('a converter that costs less takes the place of the one of codecs', async () => {
  const { pipeline, errors } = await watch('cheaper', 'VP8', 'H264', COLOURS.red);
  await seesColour(page, 'cheaper viewer', COLOURS.green);
  assert.equal((await conversions(rivero.server))['VP8 Frame → I420 Raw'], 1);
  assert.deepEqual(errors, []);
  await pipeline.release();
});

test('when it does not start, the next cheapest converts, and the log says why', async () => {
  const { pipeline, errors } = await watch('busy', 'H264', 'VP8', COLOURS.blue);
  await seesColour(page, 'busy viewer', COLOURS.blue);
  await seesMotion(page, 'busy viewer');
  assert.equal((await conversions(rivero.server, 'rivero_conversions_failed_total'))['H264 Frame → I420 Raw'], 1);
  assert.match(rivero.server.log, /the conversion from H264.* to I420.* failed: the device is taken/);
  assert.deepEqual(errors, []);
  await pipeline.release();
});
