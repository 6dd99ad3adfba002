// E03: three browsers, of which two talk at a time: A-B, A-C, B-C.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, hearsTone, isConnected, seesColour, seesMotion } from '../lib/media.mjs';

const PARTIES = { a: [COLOURS.red, 700], b: [COLOURS.green, 1000], c: [COLOURS.blue, 1300] };

const parties = {};
live({}, async ({ client, browser }) => {
  const pipeline = await client.create('MediaPipeline');
  for (const [name, [colour, toneHz]] of Object.entries(PARTIES)) {
    const page = await browser.openProbe();
    const calls = await Calls.on(page);
    const endpoint = await pipeline.create('WebRtcEndpoint');
    await page.evaluate(([shown, tone]) => probe.createSource('camera', { colour: shown, toneHz: tone }), [colour, toneHz]);
    await calls.open('me', endpoint, { send: 'camera' });
    parties[name] = { page, endpoint };
  }
  for (const { page } of Object.values(parties)) await isConnected(page, 'me');
});

async function talk(one, other) {
  await invoke(parties[one].endpoint, 'connect', parties[other].endpoint);
  await invoke(parties[other].endpoint, 'connect', parties[one].endpoint);
  for (const [viewer, shown] of [
    [one, other],
    [other, one],
  ]) {
    const { page } = parties[viewer];
    const [colour, toneHz] = PARTIES[shown];
    await seesColour(page, 'me', colour);
    await seesMotion(page, 'me');
    await hearsTone(page, 'me', toneHz);
  }
}

for (const [one, other] of ['ab', 'ac', 'bc']) {
  test(`E03: ${one} and ${other} see and hear each other`, async () => {
    await talk(one, other);
    assert.deepEqual([...parties[one].page.troubles, ...parties[other].page.troubles], []);
  });
}
