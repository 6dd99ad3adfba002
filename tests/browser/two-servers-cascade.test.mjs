// A call across two servers: their endpoints negotiate with each other, and
// each browser talks to its own server.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { connectClient, iceCandidate, invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, hearsTone, isConnected, seesColour, seesMotion } from '../lib/media.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { nextEvent } from '../lib/wait.mjs';

const other = {};
const rivero = live({}, async () => {
  other.server = await startRivero();
  other.client = await connectClient(other.server.url);
});
after(async () => {
  other.client?.close();
  await other.server?.stop();
});

/** A browser at one of the servers, and the end of the trunk there. */
async function site(client, colour, toneHz) {
  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  const pipeline = await client.create('MediaPipeline');
  const [endpoint, trunk] = [await pipeline.create('WebRtcEndpoint'), await pipeline.create('WebRtcEndpoint')];
  await invoke(endpoint, 'connect', trunk);
  await invoke(trunk, 'connect', endpoint);
  await page.evaluate(([shown, tone]) => probe.createSource('camera', { colour: shown, toneHz: tone }), [colour, toneHz]);
  return { page, calls, pipeline, endpoint, trunk };
}

const trickle = (from, to) =>
  from.on('IceCandidateFound', ({ candidate }) => to.addIceCandidate(iceCandidate(candidate)));

test('pictures and sound cross both servers both ways', async () => {
  const here = await site(rivero.client, COLOURS.red, 800);
  const there = await site(other.client, COLOURS.blue, 1200);
  trickle(here.trunk, there.trunk);
  trickle(there.trunk, here.trunk);
  const connected = [here, there].map(({ trunk }) =>
    nextEvent(trunk, 'ConnectionStateChanged', ({ newState }) => newState === 'CONNECTED'));

  const offer = await invoke(here.trunk, 'generateOffer');
  const answer = await invoke(there.trunk, 'processOffer', offer);
  await invoke(here.trunk, 'processAnswer', answer);
  await invoke(here.trunk, 'gatherCandidates');
  await invoke(there.trunk, 'gatherCandidates');
  await Promise.all(connected);

  for (const { calls, endpoint } of [here, there]) await calls.open('me', endpoint, { send: 'camera', codecs: { video: 'VP8' } });
  for (const [{ page }, colour, toneHz] of [
    [here, COLOURS.blue, 1200],
    [there, COLOURS.red, 800],
  ]) {
    await isConnected(page, 'me');
    await seesColour(page, 'me', colour);
    await seesMotion(page, 'me');
    await hearsTone(page, 'me', toneHz);
    assert.deepEqual(page.troubles, []);
  }
  for (const { pipeline } of [here, there]) await pipeline.release();
});

test('the trunk renegotiates while media crosses it', async () => {
  const [here, there] = [await site(rivero.client, COLOURS.green, 900), await site(other.client, COLOURS.red, 1100)];
  trickle(here.trunk, there.trunk);
  trickle(there.trunk, here.trunk);
  const negotiate = async (offerer, answerer) => {
    const offer = await invoke(offerer.trunk, 'generateOffer');
    const answer = await invoke(answerer.trunk, 'processOffer', offer);
    await invoke(offerer.trunk, 'processAnswer', answer);
  };
  const connected = nextEvent(there.trunk, 'ConnectionStateChanged', ({ newState }) => newState === 'CONNECTED');
  await negotiate(here, there);
  await invoke(here.trunk, 'gatherCandidates');
  await invoke(there.trunk, 'gatherCandidates');
  await connected;
  for (const { calls, endpoint } of [here, there]) await calls.open('me', endpoint, { send: 'camera', codecs: { video: 'VP8' } });
  await seesColour(there.page, 'me', COLOURS.green);
  await negotiate(there, here);
  await here.page.evaluate((colour) => probe.setColour('camera', colour), COLOURS.blue);
  await seesColour(there.page, 'me', COLOURS.blue);
  await seesColour(here.page, 'me', COLOURS.red);
  await hearsTone(here.page, 'me', 1100);
});
