import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { connectClient, invoke } from '../lib/client.mjs';
import { fixtureDirectory, makeMedia, playerOf } from '../lib/fixtures.mjs';
import { COLOURS } from '../lib/media.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { nextEvent } from '../lib/wait.mjs';

const ROUNDS = 6 * Number(process.env.SCALE ?? 1);
const AT_ONCE = 10;

const directory = fixtureDirectory();
let server, client, pipeline, file;
before(async () => {
  server = await startRivero();
  client = await connectClient(server.url);
  pipeline = await client.create('MediaPipeline');
  file = await makeMedia(directory, 'a.mp4', { colours: [COLOURS.red], seconds: 2, toneHz: 1000 });
});
after(async () => {
  client?.close();
  await server?.stop();
});

async function manyTimes(check) {
  for (let round = 0; round < ROUNDS; round++) {
    await Promise.all(Array.from({ length: AT_ONCE }, check));
  }
}

// Found with 3 of 600: a track that was found on the way to playing had no clock yet.
test('media that is not decoded takes its time, whenever its tracks are found', async () => {
  await manyTimes(async () => {
    const player = await playerOf(pipeline, `file://${file}`, { useEncodedMedia: true });
    const end = nextEvent(player, 'EndOfStream');
    const began = performance.now();
    await invoke(player, 'play');
    await end;
    const lasted = performance.now() - began;
    assert.ok(lasted > 1900, `it lasted ${lasted.toFixed(0)} ms`);
    assert.deepEqual(player.errors, []);
    await player.release();
  });
});

// Found with 9 of 80: the demultiplexer's error was kept by what had made it.
test('a file without its end is an Error event each time', async () => {
  const cut = join(directory, 'cut.mp4');
  writeFileSync(cut, readFileSync(file).subarray(0, 10_000));
  await manyTimes(async () => {
    const player = await playerOf(pipeline, `file://${cut}`);
    const error = nextEvent(player, 'Error');
    await invoke(player, 'play');
    assert.equal((await error).type, 'INVALID_MEDIA');
    await player.release();
  });
});
