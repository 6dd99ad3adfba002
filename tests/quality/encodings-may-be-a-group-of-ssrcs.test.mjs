// Simulcast as browsers announced it before RIDs: a=ssrc-group:SIM.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, seesColour, seesMotion } from '../lib/media.mjs';
import { startRelay } from '../lib/relay.mjs';
import { until } from '../lib/wait.mjs';

const NARROW = { delay: 10, rate: 300, queue: 300 };

let relay;
const rivero = live();
before(() => {
  relay = startRelay();
});
after(() => relay.stop());

test('each viewer gets the encoding that its network carries', async () => {
  const pipeline = await rivero.client.create('MediaPipeline');
  const endpoint = () => pipeline.create('WebRtcEndpoint');
  const [camera, weak, strong] = [await endpoint(), await endpoint(), await endpoint()];
  await invoke(camera, 'connect', weak);
  await invoke(camera, 'connect', strong);
  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  await page.evaluate((colour) => probe.createSource('source', { colour, scale: 2, detail: 40 }), COLOURS.red);
  const { offer } = await calls.open('camera', camera, { send: 'source', receive: false, simulcastBySsrc: true, codecs: { video: 'VP8' } });
  assert.match(offer, /a=ssrc-group:SIM \d+ \d+/);
  const sizes = [{ scaleResolutionDownBy: 2, maxBitrate: 150_000 }, { scaleResolutionDownBy: 1, maxBitrate: 900_000 }];
  assert.equal(await page.evaluate((encodings) => probe.changeEncodings('camera', encodings), sizes), 2);
  const path = relay.path('weak');
  await path.set({ down: { delay: 10 } });
  await calls.open('weak', weak, { path });
  await calls.open('strong', strong, {});
  const width = async (name) => (await page.evaluate((sink) => probe.pictureSize(sink), name))[0];
  // Both at a time: a viewer that gets no processor for a while may have less for a moment.
  const become = (weakWidth, strongWidth) =>
    until(
      async () => (await width('weak')) === weakWidth && (await width('strong')) === strongWidth,
      `weak has ${weakWidth} and strong has ${strongWidth} pixels a line`,
    );
  await become(640, 640);
  const received = Object.values(await camera.getStats('VIDEO')).filter(({ type, packetsReceived }) => type === 'inboundrtp' && packetsReceived > 0);
  assert.equal(received.length, 2, 'both encodings arrive');

  await path.set({ down: NARROW });
  await become(320, 640);
  for (const name of ['weak', 'strong']) {
    await seesMotion(page, name);
    await seesColour(page, name, COLOURS.red);
  }
  await pipeline.release();
});
