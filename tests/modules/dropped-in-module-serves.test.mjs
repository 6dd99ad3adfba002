// A module of somebody else, dropped into the directory, is listed and gets a browser's media.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { isConnected } from '../lib/media.mjs';
import { builtModules } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { until } from '../lib/wait.mjs';

const rivero = live({ modules: [...builtModules(), 'counter'] });

test('getInfo lists it with its factory', async () => {
  const manager = await rivero.client.getServerManager();
  const { modules } = await manager.getInfo();
  const { factories } = modules.find(({ name }) => name === 'counter');
  assert.deepEqual(factories, ['Counter']);
});

test('its element counts the packets that a browser sends', async () => {
  const rpc = await connectRpc(rivero.server.url);
  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  const pipeline = await rivero.client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  const counter = await rpc.create('counter.Counter', { mediaPipeline: pipeline.id });
  await rpc.invoke(endpoint.id, 'connect', { sink: counter });

  await page.evaluate(() => probe.createSource('camera'));
  await calls.open('me', endpoint, { send: 'camera', receive: false });
  await isConnected(page, 'me');
  await until(async () => (await rpc.invoke(counter, 'getPackets')) > 50, 'the counter has counted 50 packets', 20_000);
  await pipeline.release();
  await rpc.close();
});
