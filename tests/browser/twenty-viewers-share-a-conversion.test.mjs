// Twenty viewers who can only receive H264 of a presenter who sends VP8: one decoder and one
// encoder work for all of them, and end when the last one leaves.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, decodesFrames, seesColour, seesMotion } from '../lib/media.mjs';
import { until } from '../lib/wait.mjs';

const VIEWERS = Array.from({ length: 20 }, (_, index) => `viewer${index}`);
const DECODER = 'rivero_conversions{input="VP8 Frame",output="I420 Raw"}';
const ENCODER = 'rivero_conversions{input="I420 Raw",output="H264 Frame"}';

let pipeline;
let presenter;
let page;
let calls;
const endpoints = new Map();
const rivero = live({}, async ({ client, browser }) => {
  page = await browser.openProbe();
  calls = await Calls.on(page);
  pipeline = await client.create('MediaPipeline');
  presenter = await pipeline.create('WebRtcEndpoint');
  await page.evaluate((colour) => probe.createSource('camera', { colour, toneHz: 800 }), COLOURS.green);
  await calls.open('presenter', presenter, { send: 'camera', receive: false, codecs: { video: 'VP8' } });
});

/** How many of a conversion run now. */
async function running(conversion) {
  const { port } = new URL(rivero.server.url);
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const line = metrics.split('\n').find((known) => known.startsWith(conversion));
  return line === undefined ? 0 : Number(line.split(' ').at(-1));
}

async function watch(name) {
  const endpoint = await pipeline.create('WebRtcEndpoint');
  endpoints.set(name, endpoint);
  await invoke(presenter, 'connect', endpoint);
  await calls.open(name, endpoint, { codecs: { video: 'H264' } });
}

test('all of them see the picture', async () => {
  for (const name of VIEWERS) await watch(name);
  for (const name of VIEWERS) {
    await seesColour(page, name, COLOURS.green);
    await seesMotion(page, name);
  }
  const { video } = await page.evaluate((peer) => probe.statistics(peer), VIEWERS.at(-1));
  assert.equal(video.codec, 'H264');
});

test('one decoder and one encoder work for them', async () => {
  assert.deepEqual([await running(DECODER), await running(ENCODER)], [1, 1]);
});

test('it goes on when all but one have left', async () => {
  for (const name of VIEWERS.slice(1)) {
    await endpoints.get(name).release();
    await calls.close(name);
  }
  const { video } = await page.evaluate((peer) => probe.statistics(peer), VIEWERS[0]);
  await decodesFrames(page, VIEWERS[0], video.framesDecoded + 20);
  assert.deepEqual([await running(DECODER), await running(ENCODER)], [1, 1]);
});

test('it ends with the last one', async () => {
  await endpoints.get(VIEWERS[0]).release();
  await until(async () => (await running(DECODER)) + (await running(ENCODER)) === 0, 'no conversion runs');
});
