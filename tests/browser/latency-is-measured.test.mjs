// I04: latencyStats: how old media is when it reaches each element.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, seesColour } from '../lib/media.mjs';
import { until } from '../lib/wait.mjs';

const rivero = live();

test('elements and endpoints tell the latency of what they get while the pipeline measures it', async () => {
  const pipeline = await rivero.client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  const middle = await pipeline.create('PassThrough');
  await invoke(endpoint, 'connect', middle);
  await invoke(middle, 'connect', endpoint);
  const page = await rivero.browser.openProbe();
  await page.evaluate((colour) => probe.createSource('camera', { colour }), COLOURS.green);
  await (await Calls.on(page)).open('me', endpoint, { send: 'camera', codecs: { video: 'VP8', audio: 'opus' } });
  await seesColour(page, 'me', COLOURS.green);

  const own = async (element) => (await invoke(element, 'getStats'))?.[element.id];
  assert.equal(await own(endpoint), undefined);
  assert.equal(await own(middle), undefined);

  await invoke(pipeline, 'setLatencyStats', true);
  const both = (latencies) => latencies?.length === 2 && latencies;
  const [audio, video] = await until(async () => both((await own(endpoint))?.inputLatency), 'audio and video are measured');
  assert.equal(audio.name, 'sink_audio_default');
  assert.equal(audio.type, 'AUDIO');
  assert.equal(video.name, 'sink_video_default');
  for (const { avg } of [audio, video]) assert.ok(avg > 0 && avg < 1e9, `${avg} ns`);

  const atEndpoint = await own(endpoint);
  assert.equal(atEndpoint.type, 'endpoint');
  assert.equal(atEndpoint.id, endpoint.id);
  assert.deepEqual(atEndpoint.E2ELatency.map(({ type }) => type), ['AUDIO', 'VIDEO']);
  const atMiddle = await own(middle);
  assert.equal(atMiddle.type, 'element');
  assert.equal(atMiddle.E2ELatency, undefined);
  assert.equal(atMiddle.inputLatency.length, 2);
  const videoOnly = await invoke(middle, 'getStats', 'VIDEO');
  assert.deepEqual(videoOnly[middle.id].inputLatency.map(({ type }) => type), ['VIDEO']);

  await invoke(pipeline, 'setLatencyStats', false);
  assert.equal(await own(endpoint), undefined);
  await pipeline.release();
});
