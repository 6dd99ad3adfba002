// One camera, a viewer behind each of many bad networks at a time. What each of them makes of
// a picture on a machine that does nothing else is measured by tests/bench/weak-viewer.mjs.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, decodesFrames, seesColour, seesMotion } from '../lib/media.mjs';
import { startRelay } from '../lib/relay.mjs';

const SCALE = Number(process.env.SCALE ?? 1);
const WATCHED_PICTURES = 120 * SCALE;
// Three times what is wanted: the machine decodes all of them, and may do other things as well.
const LONGEST_FREEZE_MS = 6000;

// Every combination with SCALE, every other one without.
const networks = [1, 5, 10]
  .flatMap((loss) => [0, 30, 100].flatMap((jitter) => [0, 10].map((reorder) => ({ loss, jitter, reorder }))))
  .filter((_, index) => SCALE > 1 || index % 4 === 1 || index % 4 === 2)
  .map(({ loss, jitter, reorder }) => ({
    name: `${loss} % loss, ${jitter} ms jitter, ${reorder} % reordered`,
    conditions: { delay: 20, loss, jitter, reorder, reorderDelay: 30 },
  }));

let relay;
let pipeline;
let camera;
const audience = {};
const rivero = live({}, async ({ client, browser }) => {
  pipeline = await client.create('MediaPipeline');
  camera = await pipeline.create('WebRtcEndpoint');
  const page = await browser.openProbe();
  const calls = await Calls.on(page);
  await page.evaluate((colour) => probe.createSource('camera', { colour, detail: 10 }), COLOURS.red);
  await calls.open('camera', camera, { send: 'camera', receive: false, codecs: { video: 'VP8' } });
  audience.page = await browser.openProbe();
  audience.calls = await Calls.on(audience.page);
});
before(() => {
  relay = startRelay();
});
after(() => relay.stop());

/** A viewer whose media goes through a path with these conditions both ways. */
async function watch(name, conditions, seed) {
  const path = relay.path(name, seed);
  await path.set({ up: conditions, down: conditions });
  const endpoint = await pipeline.create('WebRtcEndpoint');
  // The camera is for all of them: none may pull it down to a few pictures a second.
  await invoke(endpoint, 'setMinVideoSendBandwidth', 400);
  await invoke(camera, 'connect', endpoint);
  await audience.calls.open(name, endpoint, { path });
  await decodesFrames(audience.page, name, 1);
  await audience.page.evaluate((sink) => probe.watchPictures(sink), name);
  return path;
}

const shown = (name, begin) => audience.page.evaluate(([sink, since]) => probe.shownPictures(sink, since), [name, begin]);

test('no picture stands still for long behind any of them', async (t) => {
  await watch('good network', {}, 1);
  await Promise.all(networks.map(({ name, conditions }, index) => watch(name, conditions, index + 2)));
  const begin = await audience.page.evaluate(() => performance.now());
  const decoded = async (name) => (await audience.page.evaluate((peer) => probe.statistics(peer), name)).video.framesDecoded;
  const before = await Promise.all(networks.map(({ name }) => decoded(name)));
  await decodesFrames(audience.page, 'good network', (await decoded('good network')) + WATCHED_PICTURES, 60_000 * SCALE);
  // A machine that is busy with other things shows few pictures, and late, on the best of networks.
  const { longestGap: unrest } = await shown('good network', begin);
  for (const [index, { name }] of networks.entries()) {
    const { longestGap } = await shown(name, begin);
    const count = (await decoded(name)) - before[index];
    t.diagnostic(`${name}: ${count} pictures, longest pause ${Math.round(longestGap)} ms`);
    assert.ok(longestGap <= LONGEST_FREEZE_MS + unrest, `${name}: stood still for ${Math.round(longestGap)} ms`);
    assert.ok(count >= WATCHED_PICTURES / 4, `${name}: ${count} pictures`);
  }
  await Promise.all(networks.map(({ name }) => seesColour(audience.page, name, COLOURS.red)));
  await Promise.all(networks.map(({ name }) => seesMotion(audience.page, name)));
  assert.equal(rivero.server.running, true);
});
