// sharedEncoding=best: one encoding, one viewer whose network becomes narrow and wide again.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, seesColour, seesMotion } from '../lib/media.mjs';
import { metric } from '../lib/metrics.mjs';
import { startRelay } from '../lib/relay.mjs';
import { until } from '../lib/wait.mjs';

const FULL = 700_000; // bit/s that the camera reaches
const KEPT = 500_000;
const NARROW = { delay: 10, rate: 300, queue: 300 };
const WIDE = { delay: 10, rate: 0 };
const WATCHED = 100; // pictures of the strong viewer
const PATIENCE_MS = 60_000;

let relay;
const rivero = live({ moduleConfig: { 'kurento/MediaElement.conf.ini': 'sharedEncoding=best\n' } });
before(() => {
  relay = startRelay();
});
after(() => relay.stop());

test('a weak viewer gets fewer frames, the others all of them', async (t) => {
  const pipeline = await rivero.client.create('MediaPipeline');
  const endpoint = () => pipeline.create('WebRtcEndpoint');
  const [camera, weak, strong] = [await endpoint(), await endpoint(), await endpoint()];
  await invoke(camera, 'connect', weak);
  await invoke(camera, 'connect', strong);
  const stage = await rivero.browser.openProbe();
  await stage.evaluate((colour) => probe.createSource('source', { colour, scale: 2, detail: 40 }), COLOURS.green);
  await (await Calls.on(stage)).open('camera', camera, { send: 'source', receive: false, encodings: [{ maxBitrate: 900_000 }], codecs: { video: 'VP8' } });

  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  const path = relay.path('weak');
  await path.set({ up: WIDE, down: WIDE });
  await calls.open('weak', weak, { path });
  await calls.open('strong', strong, {});
  const bitrate = async () => Object.values(await camera.getStats('VIDEO')).find(({ type }) => type === 'inboundrtp')?.bitrate ?? 0;
  await until(async () => (await bitrate()) >= FULL, 'the camera sends with all its might');
  await Promise.all(['weak', 'strong'].map((name) => page.evaluate((sink) => probe.watchPictures(sink), name)));
  const now = () => page.evaluate(() => performance.now());
  const shown = (name, since) => page.evaluate(([sink, begin]) => probe.shownPictures(sink, begin), [name, since]);

  await path.set({ down: NARROW });
  await until(async () => (await metric(rivero.server, 'rivero_frames_left_out_total')) > 0, 'frames are left out');
  const begin = await now();
  await until(async () => (await shown('strong', begin)).count >= WATCHED, 'the strong viewer goes on', PATIENCE_MS);
  const [few, all] = [await shown('weak', begin), await shown('strong', begin)];
  t.diagnostic(`weak: ${few.count} pictures, longest pause ${Math.round(few.longestGap)} ms; strong: ${all.count}, ${Math.round(all.longestGap)} ms`);
  assert.ok(few.count < all.count * 0.7, `${few.count} of ${all.count} pictures`);
  await until(async () => (await shown('weak', begin)).count >= 2, 'the weak viewer sees something at times');
  await until(async () => (await bitrate()) >= KEPT, 'the camera is not pulled down');
  await stage.evaluate((colour) => probe.setColour('source', colour), COLOURS.blue);
  await Promise.all(['weak', 'strong'].map((name) => seesColour(page, name, COLOURS.blue)));

  await path.set({ down: WIDE });
  const light = await now();
  await until(async () => {
    const since = (await now()) - 1500;
    const [weakly, strongly] = [await shown('weak', since), await shown('strong', since)];
    return since > light && weakly.count >= strongly.count * 0.8;
  }, 'the weak viewer gets everything again', PATIENCE_MS);
  const rose = Math.round((await now()) - light);
  t.diagnostic(`everything again after ${rose} ms`);
  await seesMotion(page, 'weak');
  await seesColour(page, 'weak', COLOURS.blue);
  await pipeline.release();
});
