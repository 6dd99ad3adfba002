// RTX, both ways: a camera and a viewer that lose packets.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, seesColour, seesMotion } from '../lib/media.mjs';
import { startRelay } from '../lib/relay.mjs';
import { until } from '../lib/wait.mjs';

const LOSSY = { delay: 10, loss: 5 };
const REPAIRED = 20;

let relay;
const rivero = live();
before(() => {
  relay = startRelay();
});
after(() => relay.stop());

for (const codec of ['VP8', 'H264']) {
  test(`lost ${codec} packets come again as RTX, from the camera and to the viewer`, async () => {
    const pipeline = await rivero.client.create('MediaPipeline');
    const [camera, viewer] = [await pipeline.create('WebRtcEndpoint'), await pipeline.create('WebRtcEndpoint')];
    await invoke(camera, 'connect', viewer);
    const page = await rivero.browser.openProbe();
    const calls = await Calls.on(page);
    const paths = { camera: relay.path(`${codec}: camera`), viewer: relay.path(`${codec}: viewer`) };
    for (const path of Object.values(paths)) await path.set({ up: LOSSY, down: LOSSY });
    await page.evaluate((colour) => probe.createSource('source', { colour, scale: 2, detail: 30 }), COLOURS.red);
    const sent = await calls.open('camera', camera, { send: 'source', receive: false, codecs: { video: codec }, path: paths.camera });
    const received = await calls.open('viewer', viewer, { path: paths.viewer, codecs: { video: codec } });
    for (const { answer } of [sent, received]) {
      assert.match(answer, /a=rtpmap:\d+ rtx\/90000/);
      assert.match(answer, /a=rtcp-fb:\d+ transport-cc/);
    }
    await seesColour(page, 'viewer', COLOURS.red);

    const [inbound] = await until(async () => {
      const entries = Object.values(await camera.getStats('VIDEO'));
      return entries.filter(({ type, repairedPackets }) => type === 'inboundrtp' && repairedPackets >= REPAIRED).length && entries;
    }, `${REPAIRED} packets of the camera come as retransmissions`);
    assert.ok(inbound.nackCount > 0 && inbound.packetsLost > 0, JSON.stringify(inbound));
    await until(async () => (await page.evaluate(() => probe.retransmitted('viewer'))) >= REPAIRED, `${REPAIRED} packets reach the viewer as retransmissions`);
    await seesMotion(page, 'viewer');
    await pipeline.release();
    await page.close();
  });
}
