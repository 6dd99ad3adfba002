// A connection of data alone, as in Kurento's hello-world-data-channel, offered by either side.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { isConnected } from '../lib/media.mjs';
import { nextEvent, until } from '../lib/wait.mjs';

const rivero = live();

async function loop() {
  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  const pipeline = await rivero.client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint', { useDataChannels: true });
  await invoke(endpoint, 'connect', endpoint);
  return { page, calls, pipeline, endpoint };
}

async function echoes(page, label, text) {
  await until(async () => (await page.evaluate((name) => probe.channelState('me', name), label))?.readyState === 'open', `${label} opens`);
  await page.evaluate(([name, said]) => probe.sendText('me', name, said), [label, text]);
  await until(async () => (await page.evaluate((name) => probe.texts('me', name), label)).includes(text), 'the echo');
}

test('J05: a browser that offers data alone hears its own words', async () => {
  const { page, calls, pipeline, endpoint } = await loop();
  await calls.open('me', endpoint, { media: false, channels: { chat: {} } });
  await isConnected(page, 'me');
  await echoes(page, 'chat', 'hello, world');
  await pipeline.release();
});

test('J05: the server offers, and opens the channel', async () => {
  const { page, calls, pipeline, endpoint } = await loop();
  await calls.openOffered('me', endpoint);
  await isConnected(page, 'me');
  const opened = nextEvent(endpoint, 'DataChannelOpened');
  await until(() => invoke(endpoint, 'createDataChannel', 'chat').then(() => true, () => false), 'the association is up');
  await opened;
  await echoes(page, 'chat', 'the other way round');
  await pipeline.release();
});

test('J05: channels survive an ICE restart and come with a later offer', async () => {
  const { page, calls, pipeline, endpoint } = await loop();
  await page.evaluate(() => probe.createSource('camera', {}));
  await calls.open('me', endpoint, { send: 'camera' });
  await isConnected(page, 'me');
  await page.evaluate(() => probe.openChannel('me', 'late'));
  await calls.change('me', {});
  await echoes(page, 'late', 'first');
  await calls.change('me', { restartIce: true });
  await echoes(page, 'late', 'second');
  assert.equal((await invoke(endpoint, 'getLocalSessionDescriptor')).match(/a=sctp-port:/g).length, 1);
  await pipeline.release();
});

test('J05: without useDataChannels the section is rejected and media goes on', async () => {
  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  const pipeline = await rivero.client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  const { answer } = await calls.open('me', endpoint, { channels: { chat: {} } });
  assert.match(answer, /m=application 0 /);
  await isConnected(page, 'me');
  await pipeline.release();
});
