// One certificate for several connections of a page to one endpoint: each is a
// connection of its own, whoever makes the offers, and whether the one before it
// was closed or not.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, isConnected, seesColour, seesMotion } from '../lib/media.mjs';
import { until } from '../lib/wait.mjs';

const rivero = live();

const line = (sdp, name) => new RegExp(`a=${name}:(.+)\r\n`).exec(sdp)[1];

test('a closed connection is followed by another one with the same certificate', async () => {
  const pipeline = await rivero.client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  await invoke(endpoint, 'connect', endpoint);
  const states = [];
  endpoint.on('ConnectionStateChanged', ({ newState }) => states.push(newState));
  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  await page.evaluate((colour) => probe.createSource('camera', { colour }), COLOURS.red);

  const first = await calls.open('first', endpoint, { send: 'camera', certificate: 'shared' });
  await isConnected(page, 'first');
  await seesColour(page, 'first', COLOURS.red);
  await calls.close('first');
  await until(() => states.at(-1) === 'DISCONNECTED', 'the server learns of the end');

  await page.evaluate((colour) => probe.setColour('camera', colour), COLOURS.green);
  const second = await calls.open('second', endpoint, { send: 'camera', certificate: 'shared' });
  assert.equal(line(second.offer, 'fingerprint'), line(first.offer, 'fingerprint'));
  assert.notEqual(line(second.answer, 'ice-ufrag'), line(first.answer, 'ice-ufrag'));
  await isConnected(page, 'second');
  await seesColour(page, 'second', COLOURS.green);
  await seesMotion(page, 'second');
  await until(() => states.at(-1) === 'CONNECTED', 'the server is connected again');
  await calls.close('second');
  await until(() => states.at(-1) === 'DISCONNECTED', 'the server learns of the second end');

  await page.evaluate((colour) => probe.setColour('camera', colour), COLOURS.blue);
  const third = await calls.openOffered('third', endpoint, { send: 'camera', certificate: 'shared' });
  assert.equal(line(third.answer, 'fingerprint'), line(first.offer, 'fingerprint'));
  await isConnected(page, 'third');
  await seesColour(page, 'third', COLOURS.blue);
  await seesMotion(page, 'third');
  await pipeline.release();
});

test('a connection that is still open is followed by another one with the same certificate', async () => {
  const pipeline = await rivero.client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  await invoke(endpoint, 'connect', endpoint);
  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  await page.evaluate((colour) => probe.createSource('camera', { colour }), COLOURS.red);
  await calls.open('first', endpoint, { send: 'camera', certificate: 'kept' });
  await isConnected(page, 'first');
  await page.evaluate((colour) => probe.setColour('camera', colour), COLOURS.green);
  await calls.open('second', endpoint, { send: 'camera', certificate: 'kept' });
  await isConnected(page, 'second');
  await seesColour(page, 'second', COLOURS.green);
  await seesMotion(page, 'second');
  await pipeline.release();
});
