// Firefox and Chromium in a call, each with its own picture and sound.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launchBrowser } from '../lib/browser.mjs';
import { Calls } from '../lib/calls.mjs';
import { connectClient, invoke } from '../lib/client.mjs';
import { launchFirefox } from '../lib/firefox.mjs';
import { COLOURS, hearsTone, isConnected, seesColour, seesMotion } from '../lib/media.mjs';
import { startRivero } from '../lib/rivero.mjs';

const rivero = {};
before(async () => {
  rivero.server = await startRivero();
  rivero.client = await connectClient(rivero.server.url);
  rivero.chromium = await launchBrowser();
  rivero.firefox = await launchFirefox();
});
after(async () => {
  await rivero.firefox?.close();
  await rivero.chromium?.close();
  rivero.client?.close();
  await rivero.server?.stop();
});

/** A party whose page calls from the browser or, with `offered`, is called by the server. */
async function party(pipeline, browser, colour, toneHz) {
  const page = await browser.openProbe();
  const calls = await Calls.on(page);
  const endpoint = await pipeline.create('WebRtcEndpoint');
  await page.evaluate(([shown, tone]) => probe.createSource('camera', { colour: shown, toneHz: tone }), [colour, toneHz]);
  return { page, calls, endpoint };
}

for (const offered of [false, true]) {
  test(`pictures and sound cross between Firefox and Chromium${offered ? ', the server offering' : ''}`, async () => {
    const pipeline = await rivero.client.create('MediaPipeline');
    const fox = await party(pipeline, rivero.firefox, COLOURS.red, 800);
    const chromium = await party(pipeline, rivero.chromium, COLOURS.blue, 1200);
    await invoke(fox.endpoint, 'connect', chromium.endpoint);
    await invoke(chromium.endpoint, 'connect', fox.endpoint);
    for (const { calls, endpoint } of [fox, chromium]) {
      if (offered) await calls.openOffered('me', endpoint, { send: 'camera' });
      else await calls.open('me', endpoint, { send: 'camera', codecs: { video: 'VP8' } });
    }
    for (const [{ page }, colour, toneHz] of [
      [fox, COLOURS.blue, 1200],
      [chromium, COLOURS.red, 800],
    ]) {
      await isConnected(page, 'me');
      await seesColour(page, 'me', colour);
      await seesMotion(page, 'me');
      await hearsTone(page, 'me', toneHz);
      assert.deepEqual(page.troubles, []);
    }
    await pipeline.release();
  });
}

test('Firefox adds, mutes and restarts', async () => {
  const pipeline = await rivero.client.create('MediaPipeline');
  const { page, calls, endpoint } = await party(pipeline, rivero.firefox, COLOURS.green, 900);
  await invoke(endpoint, 'connect', endpoint);
  await page.evaluate(() => probe.createSource('microphone', { toneHz: 700, video: false }));
  await page.evaluate((colour) => probe.createSource('second camera', { colour, audio: false }), COLOURS.green);
  await calls.open('me', endpoint, { send: 'microphone' });
  await isConnected(page, 'me');
  await hearsTone(page, 'me', 700);
  await calls.change('me', { add: 'second camera' });
  await seesColour(page, 'me', COLOURS.green);
  await calls.change('me', { directions: { video: 'inactive' } });
  await page.evaluate((colour) => probe.setColour('second camera', colour), COLOURS.red);
  await calls.change('me', { directions: { video: 'sendrecv' }, restartIce: true });
  await seesColour(page, 'me', COLOURS.red);
  await hearsTone(page, 'me', 700);
  await pipeline.release();
});
