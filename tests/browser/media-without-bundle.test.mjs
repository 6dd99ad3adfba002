// Descriptions without a BUNDLE group: each section has a transport of its own.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, hearsTone, isConnected, seesColour, seesMotion } from '../lib/media.mjs';

const rivero = live();

const withoutBundle = (sdp) => sdp.replace(/a=group:BUNDLE.*\r\n/, '');

async function loop() {
  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  const pipeline = await rivero.client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  await invoke(endpoint, 'connect', endpoint);
  await page.evaluate((colour) => probe.createSource('camera', { colour, toneHz: 1000 }), COLOURS.red);
  return { page, calls, pipeline, endpoint };
}

async function hasMediaOnTwoTransports({ page, endpoint }) {
  await isConnected(page, 'me');
  await seesColour(page, 'me', COLOURS.red);
  await seesMotion(page, 'me');
  await hearsTone(page, 'me', 1000);
  const pairs = await invoke(endpoint, 'getICECandidatePairs');
  const remote = pairs.map(({ remoteCandidate }) => remoteCandidate.split(' ').slice(4, 6).join(':'));
  assert.equal(new Set(remote).size, 2, `${remote}`);
  assert.deepEqual(pairs.map(({ streamId }) => streamId), ['1', '2']);
  assert.deepEqual(page.troubles, []);
}

test('J05: an offer without a bundle is answered with two transports', async () => {
  const call = await loop();
  await call.calls.open('me', call.endpoint, { send: 'camera', signalled: withoutBundle, configuration: { bundlePolicy: 'max-compat' } });
  await hasMediaOnTwoTransports(call);
  await call.pipeline.release();
});

test('J05: an answer that takes the bundle apart is accepted', async () => {
  const call = await loop();
  await call.calls.openOffered('me', call.endpoint, { send: 'camera', signalled: withoutBundle, configuration: { bundlePolicy: 'max-compat' } });
  await hasMediaOnTwoTransports(call);
  await call.pipeline.release();
});
