// A page that was loaded again negotiates with the endpoint it had: another
// certificate, so another connection, but the same element of the pipeline.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, hearsTone, isConnected, seesColour, seesMotion } from '../lib/media.mjs';
import { until } from '../lib/wait.mjs';

const rivero = live();

async function load(endpoint, colour) {
  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  await page.evaluate((shown) => probe.createSource('camera', { colour: shown, toneHz: 1000 }), colour);
  const { answer } = await calls.open('me', endpoint, { send: 'camera', channels: { chat: {} } });
  await isConnected(page, 'me');
  return { page, calls, answer };
}

test('media and messages of a reloaded page go on through the same elements', async () => {
  const pipeline = await rivero.client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint', { useDataChannels: true });
  const through = await pipeline.create('PassThrough');
  await invoke(endpoint, 'connect', through);
  await invoke(through, 'connect', endpoint);
  const [opened, closed] = [[], []];
  endpoint.on('DataChannelOpened', (event) => opened.push(event));
  endpoint.on('DataChannelClosed', (event) => closed.push(event));

  const first = await load(endpoint, COLOURS.red);
  await seesColour(first.page, 'me', COLOURS.red);
  await until(() => opened.length === 1, 'the first channel');
  await first.calls.close('me');
  await first.page.close();

  const second = await load(endpoint, COLOURS.green);
  await seesColour(second.page, 'me', COLOURS.green);
  await seesMotion(second.page, 'me');
  await hearsTone(second.page, 'me', 1000);
  await until(() => opened.length === 2, 'the second channel');
  await until(() => closed.length === 1, 'the first channel is closed');
  await until(async () => (await second.page.evaluate(() => probe.channelState('me', 'chat'))).readyState === 'open', 'the channel opens');
  await second.page.evaluate(() => probe.sendText('me', 'chat', 'again'));
  await until(async () => (await second.page.evaluate(() => probe.texts('me', 'chat'))).includes('again'), 'the echo');

  const fragment = (sdp) => /a=ice-ufrag:(\S+)/.exec(sdp)[1];
  assert.notEqual(fragment(second.answer), fragment(first.answer));
  const states = await invoke(endpoint, 'getIceConnectionState');
  assert.deepEqual(states.map(({ streamId }) => streamId), ['1']);
  assert.equal(await invoke(endpoint, 'getConnectionState'), 'CONNECTED');
  await pipeline.release();
});
