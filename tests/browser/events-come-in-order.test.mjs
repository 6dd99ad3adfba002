// The order in which an endpoint tells of its connection, as Kurento's applications know it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { isConnected } from '../lib/media.mjs';
import { until } from '../lib/wait.mjs';

const rivero = live();

const TOLD = {
  IceCandidateFound: () => 'candidate',
  IceGatheringDone: () => 'gathered',
  IceComponentStateChanged: ({ state }) => `ice ${state}`,
  NewCandidatePairSelected: () => 'pair',
  DtlsConnectionStateChange: ({ state }) => `dtls ${state}`,
  ConnectionStateChanged: ({ newState }) => `connection ${newState}`,
  MediaFlowOutStateChanged: ({ mediaType, state }) => `out ${mediaType} ${state}`,
  MediaStateChanged: ({ newState }) => `media ${newState}`,
};

function inOrder(told, names) {
  const places = names.map((name) => told.indexOf(name));
  assert.ok(places.every((place, index) => place >= 0 && (index === 0 || place > places[index - 1])), `${names} in ${told}`);
}

test('J05: ICE, DTLS, connection and media events come in their order', async () => {
  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  const pipeline = await rivero.client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  const told = [];
  for (const [event, name] of Object.entries(TOLD)) endpoint.on(event, (data) => told.push(name(data)));
  await invoke(endpoint, 'connect', endpoint);
  await page.evaluate(() => probe.createSource('camera'));
  await calls.open('me', endpoint, { send: 'camera' });
  await isConnected(page, 'me');
  await until(() => told.includes('media CONNECTED') && told.includes('out VIDEO FLOWING'), 'media is told', 20_000);

  inOrder(told, ['ice GATHERING', 'candidate', 'gathered', 'ice CONNECTING', 'ice CONNECTED', 'ice READY']);
  inOrder(told, ['ice CONNECTED', 'dtls NEW', 'dtls CONNECTING', 'dtls CONNECTED', 'connection CONNECTED', 'out VIDEO FLOWING']);
  inOrder(told, ['ice CONNECTED', 'pair', 'connection CONNECTED', 'media CONNECTED']);
  for (const name of ['gathered', 'ice READY', 'dtls CONNECTED', 'connection CONNECTED', 'media CONNECTED']) {
    assert.equal(told.filter((one) => one === name).length, 1, `${name} once in ${told}`);
  }

  await page.close();
  await until(() => told.includes('media DISCONNECTED'), 'the end of the media is told', 20_000);
  inOrder(told, ['media CONNECTED', 'out VIDEO NOT_FLOWING', 'media DISCONNECTED']);
  await pipeline.release();
});
