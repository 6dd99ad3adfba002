// One presenter, ten viewers: late joiners, the presenter leaving and another
// one taking over.

import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, decodesFrames, hearsTone, seesColour, seesMotion } from '../lib/media.mjs';
import { noPipelineIsLeft } from '../lib/rpc.mjs';
import { within } from '../lib/wait.mjs';

const FIRST_PICTURE_MS = 1000;
const EARLY = ['viewer1', 'viewer2', 'viewer3', 'viewer4', 'viewer5'];
const LATE = ['viewer6', 'viewer7', 'viewer8', 'viewer9', 'viewer10'];

let pipeline;
let presenter;
const audience = {};
const viewers = new Map();
const rivero = live({}, async ({ client, browser }) => {
  pipeline = await client.create('MediaPipeline');
  presenter = await present(COLOURS.red, 800);
  audience.page = await browser.openProbe();
  audience.calls = await Calls.on(audience.page);
});

/** A page with a camera of one colour that sends to a new endpoint. */
async function present(colour, toneHz) {
  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  const endpoint = await pipeline.create('WebRtcEndpoint');
  await page.evaluate(([shown, tone]) => probe.createSource('camera', { colour: shown, toneHz: tone }), [colour, toneHz]);
  await calls.open('presenter', endpoint, { send: 'camera', receive: false, codecs: { video: 'VP8' } });
  return { page, endpoint };
}

/** One more viewer of `source` in the viewers' page; its endpoint. */
async function watch(name, source) {
  const endpoint = await pipeline.create('WebRtcEndpoint');
  await invoke(source, 'connect', endpoint);
  await audience.calls.open(name, endpoint, {});
  viewers.set(name, endpoint);
}

test('E02: viewers who are there early see and hear the presenter', async () => {
  for (const name of EARLY) await watch(name, presenter.endpoint);
  for (const name of EARLY) {
    await seesColour(audience.page, name, COLOURS.red);
    await seesMotion(audience.page, name);
  }
  await hearsTone(audience.page, EARLY[0], 800);
});

test('E02: viewers sit on other shards than the presenter, too', async () => {
  // Each shard has a port of its own for each IP version.
  const address = async (endpoint) => {
    const [{ localCandidate }] = await invoke(endpoint, 'getICECandidatePairs');
    const [, , , , ip, port] = localCandidate.split(' ');
    return { ip, port };
  };
  const home = await address(presenter.endpoint);
  const others = await Promise.all([...viewers.values()].map(address));
  const elsewhere = others.some(({ ip, port }) => ip === home.ip && port !== home.port);
  assert.ok(elsewhere || availableParallelism() === 1, `presenter on ${home.port}, viewers on ${others.map(({ port }) => port)}`);
});

test(`E02: late joiners have a picture within ${FIRST_PICTURE_MS} ms`, async (t) => {
  await decodesFrames(audience.page, EARLY[0], 60); // no longer at the presenter's first keyframe
  for (const name of LATE) {
    const joined = await audience.page.evaluate(() => performance.now());
    await watch(name, presenter.endpoint);
    const shown = await audience.page.evaluate((sink) => probe.firstPictureAt(sink), name);
    t.diagnostic(`${name}: first picture after ${Math.round(shown - joined)} ms`);
    assert.ok(shown - joined <= FIRST_PICTURE_MS, `${name} waited ${Math.round(shown - joined)} ms`);
    await seesColour(audience.page, name, COLOURS.red);
  }
});

test('E02: all ten go on receiving', async () => {
  const counts = await Promise.all([...viewers.keys()].map((name) => audience.page.evaluate((peer) => probe.statistics(peer), name)));
  await Promise.all([...viewers.keys()].map((name, index) => decodesFrames(audience.page, name, counts[index].video.framesDecoded + 20)));
});

test('E02: when the presenter leaves, viewers keep their connection and see the next one', async () => {
  const stopped = Promise.all([...viewers.values()].map((endpoint) => videoStops(endpoint)));
  await presenter.page.close();
  await presenter.endpoint.release();
  await within(stopped, 'every viewer is told that video no longer flows');
  for (const name of viewers.keys()) {
    assert.equal(await audience.page.evaluate((peer) => probe.connectionState(peer), name), 'connected');
  }

  const successor = await present(COLOURS.blue, 1200);
  for (const endpoint of viewers.values()) await invoke(successor.endpoint, 'connect', endpoint);
  for (const name of viewers.keys()) await seesColour(audience.page, name, COLOURS.blue);
  await hearsTone(audience.page, LATE[0], 1200);
});

test('E02: releasing the pipeline leaves nothing behind', async () => {
  await pipeline.release();
  await noPipelineIsLeft(rivero.server.url);
});

/** Resolves at the event by which a viewer's endpoint says that it gets no more video. */
function videoStops(endpoint) {
  return new Promise((resolve) => {
    endpoint.on('MediaFlowInStateChanged', ({ state, mediaType }) => {
      if (state === 'NOT_FLOWING' && mediaType === 'VIDEO') resolve();
    });
  });
}
