// When a player has answered to play, pause or stop, it is in that state, and each change is told once.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { connectClient, invoke } from '../lib/client.mjs';
import { fixtureDirectory, makeMedia, playerOf } from '../lib/fixtures.mjs';
import { COLOURS } from '../lib/media.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { nextEvent, until } from '../lib/wait.mjs';

const STATES = { play: 'START', pause: 'PAUSE', stop: 'STOP' };
const ORDERS = ['play', 'stop', 'play', 'pause', 'stop', 'pause', 'play', 'stop'];
const ROUNDS = 5;

const directory = fixtureDirectory();
let server, client, player, told;
before(async () => {
  server = await startRivero();
  client = await connectClient(server.url);
  const pipeline = await client.create('MediaPipeline');
  const file = await makeMedia(directory, 'a.mp4', { colours: [COLOURS.red], seconds: 30, toneHz: 1000 });
  player = await playerOf(pipeline, `file://${file}`);
  player.on('UriEndpointStateChanged', ({ state }) => told.push(state));
});
after(async () => {
  client?.close();
  await server?.stop();
});

const expected = Array.from({ length: ROUNDS }, () => ORDERS).flat();

async function isToldOnceEach() {
  // Of a player that plays again, so that all before has been done.
  const plays = nextEvent(player, 'UriEndpointStateChanged', ({ state }) => state === 'START');
  await invoke(player, 'play');
  await plays;
  await until(async () => (await invoke(player, 'getPosition')) > 0, 'it plays');
  await invoke(player, 'stop');
  await until(() => told.length > expected.length + 1, 'all is told');
  assert.deepEqual(told, [...expected, 'play', 'stop'].map((order) => STATES[order]));
  assert.deepEqual(player.errors, []);
}

test('one after the other', async () => {
  told = [];
  for (const order of expected) {
    await invoke(player, order);
    assert.equal(await invoke(player, 'getState'), STATES[order]);
  }
  await isToldOnceEach();
});

test('without waiting for the answers', async () => {
  told = [];
  await Promise.all(expected.map((order) => invoke(player, order)));
  assert.equal(await invoke(player, 'getState'), 'STOP');
  await isToldOnceEach();
});
