// Renegotiation by the browser: what it adds, mutes, stops and replaces takes
// effect, and what it leaves alone goes on without a gap.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, hearsTone, isConnected, seesColour, seesMotion } from '../lib/media.mjs';
import { nextEvent, until } from '../lib/wait.mjs';

const TONE_HZ = 1000;

let page;
let calls;
let endpoint;
let pipeline;
let before;
live({}, async ({ client, browser }) => {
  page = await browser.openProbe();
  calls = await Calls.on(page);
  pipeline = await client.create('MediaPipeline');
  endpoint = await pipeline.create('WebRtcEndpoint');
  await invoke(endpoint, 'connect', endpoint);
});

const camera = (name, colour) =>
  page.evaluate(([source, shown]) => probe.createSource(source, { colour: shown, audio: false }), [name, colour]);

const statistics = () => page.evaluate(() => probe.statistics('me'));

const flow = (state) => nextEvent(endpoint, 'MediaFlowInStateChanged', (event) => event.mediaType === 'VIDEO' && event.state === state);

/** The sound has gone on: on the same stream, and nothing of it was lost. */
async function soundGoesOn() {
  const { audio } = await until(async () => {
    const now = await statistics();
    return now.audio.packets > before.audio.packets + 25 && now;
  }, 'sound arrives');
  assert.deepEqual([audio.ssrc, audio.lost], [before.audio.ssrc, 0]);
  await hearsTone(page, 'me', TONE_HZ);
  before = await statistics();
}

test('a call begins with sound alone', async () => {
  await page.evaluate((toneHz) => probe.createSource('microphone', { toneHz, video: false }), TONE_HZ);
  await calls.open('me', endpoint, { send: 'microphone' });
  await isConnected(page, 'me');
  await hearsTone(page, 'me', TONE_HZ);
  before = await statistics();
});

test('an added track is seen', async () => {
  await camera('camera', COLOURS.red);
  await calls.change('me', { add: 'camera' });
  await seesColour(page, 'me', COLOURS.red);
  await seesMotion(page, 'me');
  await soundGoesOn();
});

test('a track that is switched off stops, and comes back', async () => {
  const stopped = flow('NOT_FLOWING');
  await calls.change('me', { directions: { video: 'inactive' } });
  await stopped;
  await soundGoesOn();
  await page.evaluate((colour) => probe.setColour('camera', colour), COLOURS.green);
  const flowing = flow('FLOWING');
  await calls.change('me', { directions: { video: 'sendrecv' } });
  await flowing;
  await seesColour(page, 'me', COLOURS.green);
  await seesMotion(page, 'me');
  await soundGoesOn();
});

test('one direction can be switched off alone', async () => {
  await calls.change('me', { directions: { video: 'sendonly' } });
  assert.equal(await invoke(endpoint, 'isMediaFlowingOut', 'VIDEO'), true);
  await soundGoesOn();
  await calls.change('me', { directions: { video: 'sendrecv' } });
  await seesMotion(page, 'me');
});

test('a track that ends gives its place to another one', async () => {
  await calls.change('me', { stop: ['video'] });
  await soundGoesOn();
  await camera('other camera', COLOURS.blue);
  await calls.change('me', { add: 'other camera' });
  await seesColour(page, 'me', COLOURS.blue);
  await seesMotion(page, 'me');
  await soundGoesOn();
  assert.deepEqual(page.troubles, []);
});

test('the same offer once more is refused, and does no harm', async () => {
  const offer = await page.evaluate(() => probe.localDescription('me'));
  await assert.rejects(invoke(endpoint, 'processOffer', offer), (error) => error.code === 40208);
  await seesMotion(page, 'me');
  await soundGoesOn();
});

test('a page that watches adds its camera in sections of its own, and goes on watching', async () => {
  const watched = await pipeline.create('WebRtcEndpoint');
  await invoke(watched, 'connect', watched);
  await calls.open('viewer', watched, {});
  await isConnected(page, 'viewer');
  await page.evaluate(([colour, toneHz]) => probe.createSource('late camera', { colour, toneHz }), [COLOURS.red, TONE_HZ]);
  const { answer } = await calls.change('viewer', { add: 'late camera', addDirection: 'sendonly' });
  assert.deepEqual(answer.match(/^a=(sendonly|recvonly|inactive|sendrecv)/gm), ['a=sendonly', 'a=sendonly', 'a=recvonly', 'a=recvonly']);
  await seesColour(page, 'viewer', COLOURS.red);
  await seesMotion(page, 'viewer');
  await hearsTone(page, 'viewer', TONE_HZ);
});

test('media that comes after all of it had ended is connected without being asked to', async () => {
  const { answer } = await calls.change('viewer', { stop: ['audio', 'video'] });
  assert.deepEqual(answer.match(/^m=\w+ \d+/gm), ['m=audio 0', 'm=video 0', 'm=audio 0', 'm=video 0']);
  await camera('last camera', COLOURS.green);
  await calls.change('viewer', { add: 'last camera' });
  await until(async () => (await page.evaluate(() => probe.statistics('viewer'))).video?.framesDecoded > 20, 'pictures come back');
  assert.deepEqual(page.troubles, []);
});
