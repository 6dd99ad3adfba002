// The endpoint makes the offers: a first one, and later ones while media flows.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, hearsTone, isConnected, seesColour, seesMotion } from '../lib/media.mjs';

let page;
let calls;
let endpoint;
live({}, async ({ client, browser }) => {
  page = await browser.openProbe();
  calls = await Calls.on(page);
  const pipeline = await client.create('MediaPipeline');
  endpoint = await pipeline.create('WebRtcEndpoint');
  await invoke(endpoint, 'connect', endpoint);
  await page.evaluate((colour) => probe.createSource('camera', { colour, toneHz: 1000 }), COLOURS.red);
});

test('the browser answers an offer and gets its own media back', async () => {
  const { answer } = await calls.openOffered('me', endpoint, { send: 'camera' });
  assert.equal(await invoke(endpoint, 'getRemoteSessionDescriptor'), answer);
  await isConnected(page, 'me');
  await seesColour(page, 'me', COLOURS.red);
  await hearsTone(page, 'me', 1000);
});

test('a second answer is refused', async () => {
  const answer = await invoke(endpoint, 'getRemoteSessionDescriptor');
  await assert.rejects(invoke(endpoint, 'processAnswer', answer), (error) => error.code === 40210);
});

test('a later offer goes on with the same transport, and media with it', async () => {
  const [pair] = await invoke(endpoint, 'getICECandidatePairs');
  const { offer } = await calls.changeOffered('me', {});
  assert.match(offer, /a=candidate:/);
  await seesMotion(page, 'me');
  await page.evaluate((colour) => probe.setColour('camera', colour), COLOURS.blue);
  await seesColour(page, 'me', COLOURS.blue);
  await hearsTone(page, 'me', 1000);
  const [now] = await invoke(endpoint, 'getICECandidatePairs');
  assert.equal(now.localCandidate, pair.localCandidate);
});

test('then the browser may offer again, too', async () => {
  await calls.change('me', { restartIce: true });
  await page.evaluate((colour) => probe.setColour('camera', colour), COLOURS.green);
  await seesColour(page, 'me', COLOURS.green);
  await seesMotion(page, 'me');
  assert.deepEqual(page.troubles, []);
});
