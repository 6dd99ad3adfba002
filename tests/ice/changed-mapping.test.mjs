// A translator that begins anew takes other ports: the browser is seen at another
// address, and media goes on there without a new negotiation.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { invoke } from '../lib/client.mjs';
import { COLOURS, decodesFrames, seesColour, seesMotion } from '../lib/media.mjs';
import { arrangement, only, pairOf, stunFor } from '../lib/traversal.mjs';
import { until } from '../lib/wait.mjs';

const parts = arrangement({ browserNat: 'symmetric' });

const offers = {
  // The browser nominates.
  browser: (endpoint, options) => parts.calls.open('browser', endpoint, { ...options, codecs: { video: 'VP8' } }),
  // The server does.
  server: (endpoint, options) => parts.calls.openOffered('server', endpoint, options),
};

for (const [offerer, open] of Object.entries(offers)) {
  test(`media follows the browser to its new address when the ${offerer} made the offer`, async () => {
    const { internet, page } = parts;
    const pipeline = await parts.client.create('MediaPipeline');
    const endpoint = await pipeline.create('WebRtcEndpoint');
    await invoke(endpoint, 'connect', endpoint);
    await open(endpoint, { send: 'both', configuration: stunFor('v4'), allows: only('v4', ['host', 'srflx']) });
    await seesColour(page, offerer, COLOURS.red);
    const before = await pairOf(endpoint);

    internet.forgetMappings(internet.browserRouter);
    await until(async () => {
      const { remote } = await pairOf(endpoint);
      return remote.text !== before.remote.text;
    }, 'another pair is selected');
    const { remote } = await pairOf(endpoint);
    assert.equal(remote.type, 'prflx', remote.text);
    const { video } = await page.evaluate((name) => probe.statistics(name), offerer);
    await decodesFrames(page, offerer, video.framesDecoded + 40);
    await seesMotion(page, offerer);
    await pipeline.release();
  });
}
