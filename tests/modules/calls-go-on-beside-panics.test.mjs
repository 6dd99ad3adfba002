// A browser's call in the pipeline in which another element panics with every
// packet of that call, and one in each of its other callbacks.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, decodesFrames, isConnected, seesColour } from '../lib/media.mjs';
import { builtModules } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { until } from '../lib/wait.mjs';

const rivero = live({ modules: [...builtModules(), 'panics'] });

test('a call is not disturbed by elements that panic with its media', async () => {
  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  const pipeline = await rivero.client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  await invoke(endpoint, 'connect', endpoint);
  await page.evaluate((colour) => probe.createSource('camera', { colour }), COLOURS.red);
  await calls.open('me', endpoint, { send: 'camera', codecs: { video: 'VP8' } });
  await isConnected(page, 'me');
  await seesColour(page, 'me', COLOURS.red);

  const rpc = await connectRpc(rivero.server.url);
  for (const where of ['packets', 'group', 'format']) {
    const constructorParams = { mediaPipeline: pipeline.id, where };
    const element = await rpc.value('create', { type: 'fixturepanics.Panics', constructorParams });
    await rpc.invoke(endpoint.id, 'connect', { sink: element });
    await until(async () => (await rpc.invoke(element, 'getReceived')) > 20, `the element that panics in ${where} gets packets`);
  }
  await progresses(page);
  await page.evaluate((colour) => probe.setColour('camera', colour), COLOURS.blue);
  await seesColour(page, 'me', COLOURS.blue);
  assert.ok(rivero.server.running);
  assert.deepEqual(page.troubles, []);
  await rpc.close();
  await pipeline.release();
});

async function progresses(page) {
  const { video } = await page.evaluate(() => probe.statistics('me'));
  await decodesFrames(page, 'me', video.framesDecoded + 20);
}
