// An operator copies a new build over a module that is in use: running calls go
// on, and nothing crashes, whatever the file contains by then.

import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, decodesFrames, isConnected, seesColour } from '../lib/media.mjs';
import { mappedFiles } from '../lib/process-usage.mjs';
import { artefacts } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { until } from '../lib/wait.mjs';

const rivero = live();
const file = () => join(rivero.server.modulesPath, 'webrtc.so');

test('a call goes on while the file of its module is overwritten in place', async () => {
  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  const pipeline = await rivero.client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  await invoke(endpoint, 'connect', endpoint);
  await page.evaluate((colour) => probe.createSource('camera', { colour }), COLOURS.red);
  await calls.open('me', endpoint, { send: 'camera', codecs: { video: 'VP8' } });
  await isConnected(page, 'me');
  await seesColour(page, 'me', COLOURS.red);

  assert.deepEqual(mappedFiles(rivero.server.pid, (path) => path === file()), [], "the operator's file is not mapped");
  const another = readFileSync(join(artefacts.modules, 'passthrough.so'));
  for (const content of [Buffer.alloc(64 * 1024), another, Buffer.from('not a library')]) {
    writeFileSync(file(), content);
    await progresses(page);
  }
  truncateSync(file());
  await progresses(page);
  unlinkSync(file());
  await page.evaluate((colour) => probe.setColour('camera', colour), COLOURS.blue);
  await seesColour(page, 'me', COLOURS.blue);
  await progresses(page);
  assert.ok(rivero.server.running);
  await pipeline.release();
});

test('the same build copied back leaves a working server', async () => {
  copyFileSync(join(artefacts.modules, 'webrtc.so'), file());
  const rpc = await connectRpc(rivero.server.url);
  const factories = async () => {
    const { modules } = await rpc.invoke('manager_ServerManager', 'getInfo');
    return modules.flatMap((module) => module.factories);
  };
  await until(async () => (await factories()).includes('WebRtcEndpoint'), 'the class is back');
  await rpc.close();
  const pipeline = await rivero.client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  assert.match(await invoke(endpoint, 'generateOffer'), /^v=0/);
  await pipeline.release();
});

async function progresses(page) {
  const { video } = await page.evaluate(() => probe.statistics('me'));
  await decodesFrames(page, 'me', video.framesDecoded + 20);
}
