// J01: A presenter of VP8 and Opus, a viewer of H264 and PCMU: what happens to calls happens to
// converted ones, too.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, hearsTone, seesColour, seesMotion } from '../lib/media.mjs';
import { conversions, noConversionRuns } from '../lib/metrics.mjs';
import { startRelay } from '../lib/relay.mjs';
import { nextEvent, until } from '../lib/wait.mjs';

const BLACK = [0, 0, 0];

let page;
let calls;
let relay;
let path;
let pipeline;
let presenter;
let viewer;
const rivero = live({}, async ({ browser, client }) => {
  page = await browser.openProbe();
  calls = await Calls.on(page);
  relay = startRelay();
  path = relay.path('presenter');
  pipeline = await client.create('MediaPipeline');
  [presenter, viewer] = [await pipeline.create('WebRtcEndpoint'), await pipeline.create('WebRtcEndpoint')];
  await page.evaluate((colour) => probe.createSource('camera', { colour, toneHz: 800, scale: 2 }), COLOURS.red);
  const codecs = { video: 'VP8', audio: 'opus' };
  await calls.open('presenter', presenter, { send: 'camera', receive: false, codecs, path });
  await calls.open('viewer', viewer, { codecs: { video: 'H264', audio: 'PCMU' } });
});
after(() => relay.stop());

test('the event says whose connection made it necessary, and why', async () => {
  const begins = nextEvent(presenter, 'MediaTranscodingStateChanged', ({ state, mediaType }) =>
    state === 'TRANSCODING' && mediaType === 'VIDEO');
  await invoke(presenter, 'connect', viewer);
  const { reason } = await begins;
  assert.ok(reason.startsWith(`${presenter.id} sends VP8`), reason);
  assert.ok(reason.includes(`${viewer.id} accepts H264`), reason);
  await until(() => rivero.server.log.includes(`TRANSCODING ACTIVE for video: ${reason}`), 'the log says the same');
  await seesColour(page, 'viewer', COLOURS.red);
  await hearsTone(page, 'viewer', 800);
});

test('the size changes, to odd ones, too', async () => {
  for (const factor of [2.3, 3.7, 1]) {
    const before = await size();
    await page.evaluate((by) => probe.scaleDown('presenter', by), factor);
    await until(async () => String(await size()) !== String(before), `the size changes with factor ${factor}`);
    await seesColour(page, 'viewer', COLOURS.red);
    await seesMotion(page, 'viewer');
  }
});

test('muting and unmuting arrive', async () => {
  const enable = (kind, on) => page.evaluate(([what, state]) => probe.setEnabled('camera', what, state), [kind, on]);
  await enable('video', false);
  await enable('audio', false);
  await seesColour(page, 'viewer', BLACK);
  await until(async () => (await page.evaluate(() => probe.dominantTone('viewer'))) === null, 'silence');
  await enable('video', true);
  await enable('audio', true);
  await seesColour(page, 'viewer', COLOURS.red);
  await hearsTone(page, 'viewer', 800);
});

test('with 10 % loss pictures and sound go on', async () => {
  await path.set({ up: { loss: 10 } });
  for (const [colour, tone] of [['green', 1000], ['blue', 1200], ['red', 800]]) {
    await page.evaluate(([shown, hz]) => probe.clap('camera', shown, hz), [COLOURS[colour], tone]);
    await seesColour(page, 'viewer', COLOURS[colour]);
    await hearsTone(page, 'viewer', tone);
    await seesMotion(page, 'viewer');
  }
  await path.set({ up: { loss: 0 } });
});

test('another source, which needs no conversion, takes its place, and the conversion ends', async () => {
  const other = await pipeline.create('WebRtcEndpoint');
  await page.evaluate((colour) => probe.createSource('other', { colour, toneHz: 1100 }), COLOURS.green);
  const codecs = { video: 'H264', audio: 'PCMU' };
  await calls.open('other', other, { send: 'other', receive: false, codecs });
  const ends = nextEvent(presenter, 'MediaTranscodingStateChanged', ({ state, mediaType }) =>
    state === 'NOT_TRANSCODING' && mediaType === 'VIDEO');
  await invoke(other, 'connect', viewer);
  await ends;
  await seesColour(page, 'viewer', COLOURS.green);
  await hearsTone(page, 'viewer', 1100);
  const running = await conversions(rivero.server);
  assert.equal(running['VP8 Frame → I420 Raw'], undefined);
  await pipeline.release();
  await noConversionRuns(rivero.server);
});

const size = () => page.evaluate(() => probe.pictureSize('viewer'));
