import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { fixtureDirectory, makeMedia, playerOf, playInto, viewerOf } from '../lib/fixtures.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, hearsTone, isConnected, seesColour } from '../lib/media.mjs';
import { nextEvent, until } from '../lib/wait.mjs';

const SEGMENT = 8; // seconds of each colour and tone
const { red, green, blue } = COLOURS;
const TONES = [600, 1000, 1400];
const directory = fixtureDirectory();
let page, pipeline, viewer;
live({}, async ({ client, browser }) => {
  page = await browser.openProbe();
  pipeline = await client.create('MediaPipeline');
  viewer = await viewerOf(pipeline, await Calls.on(page), 'viewer');
  await isConnected(page, 'viewer');
});

const PICTURES = ['webm', 'mp4', 'mkv', 'mov', 'avi', 'ogv', '3gp'];
const SOUNDS = ['mp3', 'wav', 'flac', 'ogg', 'm4a'];

for (const ending of [...PICTURES, ...SOUNDS]) {
  const hasPicture = PICTURES.includes(ending);
  const appears = async (colour, toneHz) => {
    if (hasPicture) await seesColour(page, 'viewer', colour);
    await hearsTone(page, 'viewer', toneHz);
  };
  test(`${ending}: a pause keeps the place, and three seeks show what is there`, async () => {
    const colours = hasPicture ? [red, green, blue] : [];
    const path = await makeMedia(directory, `a.${ending}`, { colours, seconds: SEGMENT, toneHz: TONES });
    const player = await playerOf(pipeline, `file://${path}`);
    const states = [];
    player.on('UriEndpointStateChanged', ({ state }) => states.push(state));
    await playInto(player, viewer);
    const info = await invoke(player, 'getVideoInfo');
    assert.equal(info.isSeekable, true);
    assert.ok(Math.abs(info.duration - 3000 * SEGMENT) < 200, `lasts ${info.duration} ms`);
    assert.ok(Math.abs(info.seekableEnd - 3000 * SEGMENT) < 200 && info.seekableInit === 0);
    await appears(red, TONES[0]);

    await invoke(player, 'pause');
    assert.equal(await invoke(player, 'getState'), 'PAUSE');
    const place = await invoke(player, 'getPosition');
    await new Promise((resolve) => setTimeout(resolve, 500)); // the time that must not pass for the player
    assert.ok(Math.abs((await invoke(player, 'getPosition')) - place) < 100, 'it stands still');
    await invoke(player, 'play');
    await until(async () => (await invoke(player, 'getPosition')) > place + 300, 'it goes on');

    for (const [position, colour, toneHz] of [[2 * SEGMENT, blue, TONES[2]], [SEGMENT, green, TONES[1]], [1, red, TONES[0]]]) {
      await invoke(player, 'setPosition', position * 1000);
      const reached = await invoke(player, 'getPosition');
      assert.ok(reached >= position * 1000 - 100 && reached < position * 1000 + 5000, `at ${reached} ms after a seek to ${position} s`);
      await appears(colour, toneHz);
    }

    const end = nextEvent(player, 'EndOfStream');
    await invoke(player, 'setPosition', 3000 * SEGMENT - 500);
    await end;
    await until(() => states.length >= 4, 'all states are told');
    assert.deepEqual(states, ['START', 'PAUSE', 'START', 'STOP']);
    assert.deepEqual(player.errors, []);
    await player.release();
  });
}
