import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { fixtureDirectory, makeMedia, playerOf, viewerOf } from '../lib/fixtures.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, hearsTone, isConnected, seesColour } from '../lib/media.mjs';

const ROUNDS = 2 * Number(process.env.SCALE ?? 1);
const { red, green, blue } = COLOURS;
/** Codecs, sizes and tones differ. */
const FILES = [
  ['red.webm', red, 600],
  ['green.mp4', green, 1000],
  ['blue.avi', blue, 1400],
];

const directory = fixtureDirectory();
let page, pipeline, viewer;
live({}, async ({ client, browser }) => {
  page = await browser.openProbe();
  pipeline = await client.create('MediaPipeline');
  viewer = await viewerOf(pipeline, await Calls.on(page), 'viewer');
  await isConnected(page, 'viewer');
});

test('F06: one viewer sees and hears several players in turn', async () => {
  const players = [];
  for (const [name, colour, toneHz] of FILES) {
    const path = await makeMedia(directory, name, { colours: [colour], seconds: 20 + 20 * ROUNDS, toneHz });
    const player = await playerOf(pipeline, `file://${path}`);
    await invoke(player, 'play');
    players.push({ player, colour, toneHz });
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const { player, colour, toneHz } of players) {
      await invoke(player, 'connect', viewer);
      await Promise.all([seesColour(page, 'viewer', colour), hearsTone(page, 'viewer', toneHz)]);
    }
  }
  assert.deepEqual(players.flatMap(({ player }) => player.errors), []);
  await pipeline.release();
});
