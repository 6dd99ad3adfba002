import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { fixtureDirectory, makeMedia, playerOf, playInto, viewerOf } from '../lib/fixtures.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, hearsTone, isConnected, seesColour } from '../lib/media.mjs';
import { nextEvent, until } from '../lib/wait.mjs';

const TIMES = 10 * Number(process.env.SCALE ?? 1);
const SEGMENT = 10; // seconds of each colour
const { red, green, blue } = COLOURS;
const SIZES = { SD: '640x480', HD: '1280x720' };

const directory = fixtureDirectory();
let page, pipeline, viewer;
live({}, async ({ client, browser }) => {
  page = await browser.openProbe();
  pipeline = await client.create('MediaPipeline');
  viewer = await viewerOf(pipeline, await Calls.on(page), 'viewer');
  await isConnected(page, 'viewer');
});

for (const [name, size] of Object.entries(SIZES)) {
  test(`F09: ${TIMES} seeks and ${TIMES} pauses in ${name}`, async () => {
    const path = await makeMedia(directory, `${name}.mp4`, { colours: [red, green, blue], seconds: SEGMENT, toneHz: 1000, size });
    const player = await playerOf(pipeline, `file://${path}`);
    await playInto(player, viewer);
    await seesColour(page, 'viewer', red);
    for (let count = 0; count < TIMES; count++) {
      const place = [2, 0, 1][count % 3];
      await invoke(player, 'setPosition', (place * SEGMENT + 1) * 1000);
      await seesColour(page, 'viewer', [red, green, blue][place]);
      await invoke(player, 'pause');
      const position = await invoke(player, 'getPosition');
      assert.ok(position >= (place * SEGMENT + 1) * 1000 - 100, `paused at ${position} ms`);
      await invoke(player, 'play');
      await until(async () => (await invoke(player, 'getPosition')) > position, 'it goes on');
    }
    await hearsTone(page, 'viewer', 1000);
    assert.deepEqual(player.errors, []);
    await player.release();
  });
}

test(`F09: ${TIMES} files one after the other`, async () => {
  const files = await Promise.all(
    [['a.webm', red], ['b.mp4', green], ['c.mkv', blue]].map(async ([name, colour]) => {
      return { path: await makeMedia(directory, name, { colours: [colour], seconds: 2, toneHz: 600 }), colour };
    }),
  );
  for (let count = 0; count < TIMES; count++) {
    const { path, colour } = files[count % files.length];
    const player = await playerOf(pipeline, `file://${path}`);
    const end = nextEvent(player, 'EndOfStream');
    await playInto(player, viewer);
    await seesColour(page, 'viewer', colour);
    await end;
    assert.deepEqual(player.errors, []);
    await player.release();
  }
});
