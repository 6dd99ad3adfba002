// Simulcast: two encodings of one camera, one viewer whose network becomes narrow and wide again.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, seesColour, seesMotion } from '../lib/media.mjs';
import { startRelay } from '../lib/relay.mjs';
import { until } from '../lib/wait.mjs';

const FALL_MS = 3000;
const RISE_MS = 5000;
const LOW_WIDTH = 320;
const HIGH_WIDTH = 640;
const NARROW = { delay: 10, rate: 300, queue: 300 };
const WIDE = { delay: 10 };

let relay;
const rivero = live();
before(() => {
  relay = startRelay();
});
after(() => relay.stop());

test('a throttled viewer gets the low encoding while others keep the high one, and comes back', async (t) => {
  const pipeline = await rivero.client.create('MediaPipeline');
  const endpoint = () => pipeline.create('WebRtcEndpoint');
  const [camera, weak, strong] = [await endpoint(), await endpoint(), await endpoint()];
  await invoke(camera, 'connect', weak);
  await invoke(camera, 'connect', strong);
  const stage = await rivero.browser.openProbe();
  await stage.evaluate((colour) => probe.createSource('source', { colour, scale: 2, detail: 40 }), COLOURS.green);
  const encodings = [
    { rid: 'low', scaleResolutionDownBy: 2, maxBitrate: 150_000 },
    { rid: 'high', scaleResolutionDownBy: 1, maxBitrate: 900_000 },
  ];
  const { answer } = await (await Calls.on(stage)).open('camera', camera, { send: 'source', receive: false, encodings, codecs: { video: 'VP8' } });
  assert.match(answer, /a=simulcast:recv low;high/);

  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  const path = relay.path('weak');
  await path.set({ up: WIDE, down: WIDE });
  await calls.open('weak', weak, { path });
  await calls.open('strong', strong, {});
  const width = async (name) => (await page.evaluate((sink) => probe.pictureSize(sink), name))[0];
  const becomes = (name, wanted, timeoutMs) => until(async () => (await width(name)) === wanted, `${name} has ${wanted} pixels a line`, timeoutMs);
  await Promise.all([becomes('weak', HIGH_WIDTH), becomes('strong', HIGH_WIDTH)]);
  await Promise.all(['weak', 'strong'].map((name) => page.evaluate((sink) => probe.watchPictures(sink), name)));

  for (let round = 1; round <= 2; round += 1) {
    await path.set({ down: NARROW });
    let began = performance.now();
    await becomes('weak', LOW_WIDTH, FALL_MS + 10_000);
    const fell = Math.round(performance.now() - began);
    await seesMotion(page, 'weak');
    await seesColour(page, 'weak', COLOURS.green);
    assert.equal(await width('strong'), HIGH_WIDTH);

    await path.set({ down: WIDE });
    began = performance.now();
    await becomes('weak', HIGH_WIDTH, RISE_MS + 10_000);
    const rose = Math.round(performance.now() - began);
    t.diagnostic(`round ${round}: low after ${fell} ms, high again after ${rose} ms`);
    assert.ok(fell <= FALL_MS, `it took ${fell} ms to the low encoding`);
    assert.ok(rose <= RISE_MS, `it took ${rose} ms back to the high one`);
    await seesMotion(page, 'weak');
    await seesColour(page, 'weak', COLOURS.green);
    assert.equal(await width('strong'), HIGH_WIDTH);
  }
  const { longestGap } = await page.evaluate(() => probe.shownPictures('strong'));
  t.diagnostic(`the longest pause of the strong viewer: ${Math.round(longestGap)} ms`);
  assert.ok(longestGap <= 2000, `the strong viewer's picture stood still for ${Math.round(longestGap)} ms`);
  await pipeline.release();
});
