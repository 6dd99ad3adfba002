// The `webrtc` crate as a peer that has no sound: what a browser shows and says goes to
// it and comes back.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, isConnected, seesColour, seesMotion } from '../lib/media.mjs';
import { PeerProcess } from '../lib/peer-process.mjs';
import { artefacts } from '../lib/rivero.mjs';
import { nextEvent, until } from '../lib/wait.mjs';

const rivero = live();

test('pictures and messages go to a peer of the webrtc crate and back', async () => {
  const pipeline = await rivero.client.create('MediaPipeline');
  const browser = await pipeline.create('WebRtcEndpoint', { useDataChannels: true });
  const reflected = await pipeline.create('WebRtcEndpoint', { useDataChannels: true });
  await invoke(browser, 'connect', reflected);
  await invoke(reflected, 'connect', browser);
  const peer = new PeerProcess('the webrtc-rs peer', artefacts.reflector, ['10.77.0.1']);
  try {
    const connected = peer.message('webrtc-rs connects', ({ state }) => state === 'connected');
    await peer.answer(reflected);
    await connected;

    const page = await rivero.browser.openProbe();
    const calls = await Calls.on(page);
    await page.evaluate((colour) => probe.createSource('camera', { colour, audio: false }), COLOURS.red);
    await calls.open('me', browser, { send: 'camera', codecs: { video: 'VP8' }, channels: { chat: {} } });
    await isConnected(page, 'me');
    await seesColour(page, 'me', COLOURS.red);
    await seesMotion(page, 'me');

    const opened = nextEvent(reflected, 'DataChannelOpened');
    await invoke(reflected, 'createDataChannel', 'chat');
    await opened;
    await until(async () => (await page.evaluate(() => probe.channelState('me', 'chat'))).readyState === 'open', 'the browser has a channel');
    await page.evaluate(() => probe.sendText('me', 'chat', 'there and back'));
    await until(async () => (await page.evaluate(() => probe.texts('me', 'chat'))).includes('there and back'), 'the words come back');
    assert.deepEqual(page.troubles, []);
  } finally {
    await peer.close();
    await pipeline.release();
  }
});
