// The loopback of Kurento's hello-world, with media whose content is known.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from './calls.mjs';
import { invoke } from './client.mjs';
import { live } from './live.mjs';
import { COLOURS, decodesFrames, hearsTone, isConnected, seesColour, seesMotion } from './media.mjs';

const TONE_HZ = 1000;

/** Declares the test that Chromium gets back what it sends with these codecs. */
export function loopbackTest({ video, audio }) {
  const rivero = live();

  test(`E01: Chromium gets its own ${video} pictures and ${audio} sound back`, async () => {
    const page = await rivero.browser.openProbe();
    const calls = await Calls.on(page);
    const pipeline = await rivero.client.create('MediaPipeline');
    const endpoint = await pipeline.create('WebRtcEndpoint');
    await invoke(endpoint, 'connect', endpoint);

    await page.evaluate(([colour, toneHz]) => probe.createSource('camera', { colour, toneHz }), [COLOURS.red, TONE_HZ]);
    await calls.open('me', endpoint, { send: 'camera', codecs: { video, audio } });

    await isConnected(page, 'me');
    await seesColour(page, 'me', COLOURS.red);
    await seesMotion(page, 'me');
    await hearsTone(page, 'me', TONE_HZ);
    await page.evaluate((colour) => probe.setColour('camera', colour), COLOURS.green);
    await seesColour(page, 'me', COLOURS.green);

    const statistics = await decodesFrames(page, 'me', 40);
    assert.equal(statistics.video.codec, video.toUpperCase());
    assert.equal(statistics.audio.codec, audio.toUpperCase());
    assert.deepEqual(page.troubles, []);
    await pipeline.release();
  });
}
