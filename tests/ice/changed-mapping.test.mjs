// A translator that begins anew takes other ports: the browser is seen at another
// address, and media goes on there without a new negotiation.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { invoke } from '../lib/client.mjs';
import { COLOURS, decodesFrames, seesColour, seesMotion } from '../lib/media.mjs';
import { arrangement, only, pairOf, stunFor } from '../lib/traversal.mjs';
import { until } from '../lib/wait.mjs';

const parts = arrangement({ browserNat: 'symmetric' });

test('media follows the browser to its new address', async () => {
  const { internet, page } = parts;
  const pipeline = await parts.client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  await invoke(endpoint, 'connect', endpoint);
  const options = { send: 'both', codecs: { video: 'VP8' }, configuration: stunFor('v4'), allows: only('v4', ['host', 'srflx']) };
  await parts.calls.open('moving', endpoint, options);
  await seesColour(page, 'moving', COLOURS.red);
  const before = await pairOf(endpoint);

  internet.forgetMappings(internet.browserRouter);
  await until(async () => {
    const { remote } = await pairOf(endpoint);
    return remote.text !== before.remote.text;
  }, 'another pair is selected');
  const { remote } = await pairOf(endpoint);
  assert.equal(remote.type, 'prflx', remote.text);
  const { video } = await page.evaluate(() => probe.statistics('moving'));
  await decodesFrames(page, 'moving', video.framesDecoded + 40);
  await seesMotion(page, 'moving');
});
