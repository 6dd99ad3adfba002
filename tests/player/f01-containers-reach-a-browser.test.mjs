import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { fixtureDirectory, makeMedia, playerOf, playInto, viewerOf } from '../lib/fixtures.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, hearsTone, isConnected, seesColour } from '../lib/media.mjs';
import { nextEvent } from '../lib/wait.mjs';

// Neighbours differ in colour and tone, so that each has to come through by itself (F06).
const CONTAINERS = ['webm', 'mp4', 'mkv', 'mov', 'avi', 'ogv', '3gp', 'ts'];
const LOOKS = [
  ['red', 600],
  ['green', 1000],
  ['blue', 1400],
];

const directory = fixtureDirectory();
let page, pipeline, viewer;
const rivero = live({}, async ({ client, browser }) => {
  page = await browser.openProbe();
  pipeline = await client.create('MediaPipeline');
  viewer = await viewerOf(pipeline, await Calls.on(page), 'viewer');
  await isConnected(page, 'viewer');
});

for (const [index, ending] of CONTAINERS.entries()) {
  const [colour, toneHz] = LOOKS[index % LOOKS.length];
  test(`${ending} is played, and ends`, async () => {
    const path = await makeMedia(directory, `a.${ending}`, { colours: [COLOURS[colour]], seconds: 5, toneHz });
    const player = await playerOf(pipeline, `file://${path}`);
    const end = nextEvent(player, 'EndOfStream');
    await playInto(player, viewer);
    await Promise.all([hearsTone(page, 'viewer', toneHz), seesColour(page, 'viewer', COLOURS[colour])]);
    await end;
    assert.equal(await invoke(player, 'getState'), 'STOP');
    assert.deepEqual(player.errors, []);
    await player.release();
    assert.ok(rivero.server.running);
  });
}
