// The harness by itself, no server: two peers of one page send each other known
// pictures and sound with every codec. When a test with Rivero fails and this one
// passes, the fault is not in the browser, the network namespace or the assertions.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launchBrowser } from '../lib/browser.mjs';
import { COLOURS, decodesFrames, hearsTone, isConnected, seesColour, seesMotion } from '../lib/media.mjs';

let browser;
before(async () => (browser = await launchBrowser()));
after(() => browser?.close());

for (const codecs of [
  { video: 'VP8', audio: 'opus' },
  { video: 'VP9', audio: 'opus' },
  { video: 'H264', audio: 'opus' },
  { video: 'AV1', audio: 'opus' },
  { video: 'VP8', audio: 'PCMU' },
  { video: 'VP8', audio: 'PCMA' },
]) {
  test(`${codecs.video} and ${codecs.audio} between two peers of a page`, async () => {
    const page = await browser.openProbe();
    await page.exposeFunction('onCandidate', (name, candidate) =>
      page.evaluate(([peer, found]) => probe.addCandidate(peer, found), [name === 'caller' ? 'callee' : 'caller', candidate]));
    await page.evaluate(async (offered) => {
      probe.createSource('camera', { colour: [200, 40, 40], toneHz: 1000 });
      const offer = await probe.offer('caller', { send: 'camera', codecs: offered });
      await probe.acceptAnswer('caller', await probe.answer('callee', offer));
    }, codecs);

    await isConnected(page, 'callee');
    await seesColour(page, 'callee', COLOURS.red);
    await seesMotion(page, 'callee');
    await hearsTone(page, 'callee', 1000);
    const statistics = await decodesFrames(page, 'callee', 20);
    assert.equal(statistics.video.codec, codecs.video);
    assert.equal(statistics.audio.codec, codecs.audio.toUpperCase());

    await page.evaluate((colour) => probe.setColour('camera', colour), COLOURS.green);
    await seesColour(page, 'callee', COLOURS.green);
    assert.deepEqual(page.troubles, []);
    await page.close();
  });
}
