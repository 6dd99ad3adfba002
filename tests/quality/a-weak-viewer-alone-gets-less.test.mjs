// Simulcast: two encodings of one camera, one viewer whose network becomes narrow and wide again.
// How soon it gets the other encoding is measured by tests/bench/weak-viewer.mjs: here the machine may be busy.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { live } from '../lib/live.mjs';
import { COLOURS, seesColour, seesMotion } from '../lib/media.mjs';
import { startRelay } from '../lib/relay.mjs';
import { HIGH_WIDTH, openWeakViewer } from '../lib/weak-viewer.mjs';

let relay;
const rivero = live();
before(() => {
  relay = startRelay();
});
after(() => relay.stop());

test('a throttled viewer gets the low encoding while others keep the high one, and comes back', async (t) => {
  const viewer = await openWeakViewer(rivero, relay);
  const { page, pipeline } = viewer;
  await page.evaluate(() => probe.watchPictures('strong'));
  for (let round = 1; round <= 2; round += 1) {
    for (const change of ['fall', 'rise']) {
      const taken = await viewer[change]();
      t.diagnostic(`round ${round}, ${change}: ${taken} ms`);
      await seesMotion(page, 'weak');
      await seesColour(page, 'weak', COLOURS.green);
      assert.equal(await viewer.width('strong'), HIGH_WIDTH);
      await seesMotion(page, 'strong');
    }
  }
  const { longestGap } = await page.evaluate(() => probe.shownPictures('strong'));
  t.diagnostic(`the longest pause of the strong viewer: ${Math.round(longestGap)} ms`);
  await pipeline.release();
});
