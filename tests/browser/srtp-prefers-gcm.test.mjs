// AES-GCM costs a third of AES-CM with HMAC: a browser that has it must get it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { live } from '../lib/live.mjs';
import { isConnected } from '../lib/media.mjs';

const rivero = live();

test('media to and from Chromium is protected with AES-128-GCM', async () => {
  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  const pipeline = await rivero.client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');

  await page.evaluate(() => probe.createSource('camera'));
  await calls.open('me', endpoint, { send: 'camera' });
  await isConnected(page, 'me');

  const { srtpCipher, dtlsState } = await page.evaluate(() => probe.statistics('me'));
  assert.equal(dtlsState, 'connected');
  assert.match(srtpCipher, /AEAD_AES_128_GCM/);
});
