// A network that is away for ten seconds. How soon the picture is back is measured by
// tests/bench/weak-viewer.mjs: here the machine may be busy.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, seesColour, seesMotion } from '../lib/media.mjs';
import { startRelay } from '../lib/relay.mjs';
import { until } from '../lib/wait.mjs';

const DARKNESS_MS = 10_000;
const NOTHING = { loss: 100 };
const USUAL = { delay: 20, loss: 1 };

let relay;
const rivero = live();
before(() => {
  relay = startRelay();
});
after(() => relay.stop());

for (const dark of ['viewer', 'camera']) {
  test(`the picture is back when the ${dark}'s network was away`, async (t) => {
    const pipeline = await rivero.client.create('MediaPipeline');
    const [camera, viewer] = [await pipeline.create('WebRtcEndpoint'), await pipeline.create('WebRtcEndpoint')];
    await invoke(camera, 'connect', viewer);
    const page = await rivero.browser.openProbe();
    const calls = await Calls.on(page);
    const paths = { camera: relay.path(`${dark}: camera`), viewer: relay.path(`${dark}: viewer`) };
    for (const path of Object.values(paths)) await path.set({ up: USUAL, down: USUAL });
    await page.evaluate((colour) => probe.createSource('source', { colour }), COLOURS.blue);
    await calls.open('camera', camera, { send: 'source', receive: false, codecs: { video: 'VP8' }, path: paths.camera });
    await calls.open('viewer', viewer, { path: paths.viewer });
    await seesColour(page, 'viewer', COLOURS.blue);
    await seesMotion(page, 'viewer');

    await page.evaluate(() => probe.watchPictures('viewer'));
    await paths[dark].set({ up: NOTHING, down: NOTHING });
    await page.evaluate((colour) => probe.setColour('source', colour), COLOURS.green);
    await pause(DARKNESS_MS); // the thing under test, not a wait for something
    const { count } = await page.evaluate(() => probe.shownPictures('viewer', performance.now() - 5000));
    assert.equal(count, 0, 'nothing comes through darkness');

    await paths[dark].set({ up: USUAL, down: USUAL });
    const light = await page.evaluate(() => performance.now());
    const first = await until(async () => (await page.evaluate((since) => probe.shownPictures('viewer', since), light)).first, 'a picture comes after the darkness');
    t.diagnostic(`a picture after ${Math.round(first - light)} ms`);
    await seesColour(page, 'viewer', COLOURS.green);
    await seesMotion(page, 'viewer');
    await pipeline.release();
    await page.close();
  });
}
