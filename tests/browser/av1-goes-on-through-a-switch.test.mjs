// AV1 with its dependency descriptors: two cameras in turn, whose frames have numbers of their own, and one viewer.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, decodesFrames, seesColour, seesMotion } from '../lib/media.mjs';

const DESCRIPTOR = '#dependency-descriptor-rtp-header-extension';
const CAMERAS = { first: COLOURS.red, second: COLOURS.blue };
const CODECS = { video: 'AV1' };

const rivero = live();

test('a viewer sees whichever camera it is connected to, and never stands still', async () => {
  const pipeline = await rivero.client.create('MediaPipeline');
  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  const endpoints = {};
  for (const [name, colour] of Object.entries(CAMERAS)) {
    endpoints[name] = await pipeline.create('WebRtcEndpoint');
    await page.evaluate(([source, shown]) => probe.createSource(source, { colour: shown, audio: false }), [name, colour]);
    const options = { send: name, receive: false, codecs: CODECS, extensions: [DESCRIPTOR] };
    const { answer } = await calls.open(name, endpoints[name], options);
    assert.ok(answer.includes(DESCRIPTOR), answer);
  }
  const viewer = await pipeline.create('WebRtcEndpoint');
  const { answer } = await calls.open('viewer', viewer, { media: ['video'], codecs: CODECS, extensions: [DESCRIPTOR] });
  assert.ok(answer.includes(DESCRIPTOR), answer);
  let decoded = 0;
  for (const name of ['first', 'second', 'first', 'second']) {
    await invoke(endpoints[name], 'connect', viewer);
    await seesColour(page, 'viewer', CAMERAS[name]);
    await seesMotion(page, 'viewer');
    const { video } = await decodesFrames(page, 'viewer', decoded + 20);
    assert.equal(video.codec, 'AV1');
    decoded = video.framesDecoded;
  }
  await pipeline.release();
});
