// Media that begins anew within a file, as chained Ogg does, is played to its end.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { fixtureDirectory, makeMedia, playerOf, playInto, viewerOf } from '../lib/fixtures.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, hearsTone, isConnected, seesColour } from '../lib/media.mjs';
import { nextEvent } from '../lib/wait.mjs';

const VORBIS = ['-c:a', 'libvorbis'];
const OPUS = ['-c:a', 'libopus'];
const THEORA = ['-c:v', 'libtheora', '-q:v', '7', '-c:a', 'libvorbis'];
const TONES = [600, 1200];

const directory = fixtureDirectory();
let page, pipeline, viewer;
live({}, async ({ client, browser }) => {
  page = await browser.openProbe();
  pipeline = await client.create('MediaPipeline');
  viewer = await viewerOf(pipeline, await Calls.on(page), 'viewer');
  await isConnected(page, 'viewer');
});

/** A file of parts, each with its tone and, maybe, a colour. */
async function chained(ending, parts) {
  const made = parts.map(({ colours, codecs }, index) => makeMedia(directory, `${index}.${ending}`, { colours, seconds: 4, toneHz: TONES[index], codecs }));
  const path = join(directory, `chained.${ending}`);
  writeFileSync(path, Buffer.concat((await Promise.all(made)).map((part) => readFileSync(part))));
  return path;
}

const red = [COLOURS.red];
const blue = [COLOURS.blue];
for (const [what, ending, parts, useEncodedMedia] of [
  ['songs of Vorbis as they are', 'ogg', [{ codecs: VORBIS }, { codecs: VORBIS }], true],
  ['songs of Vorbis and Opus as they are', 'ogg', [{ codecs: VORBIS }, { codecs: OPUS }], true],
  ['pictures with sound', 'ogv', [{ colours: red, codecs: THEORA }, { colours: blue, codecs: THEORA }], false],
  ['a picture with sound, and sound alone', 'ogv', [{ colours: red, codecs: THEORA }, { codecs: VORBIS }], false],
]) {
  test(what, async () => {
    const player = await playerOf(pipeline, `file://${await chained(ending, parts)}`, { useEncodedMedia });
    const end = nextEvent(player, 'EndOfStream');
    await playInto(player, viewer);
    for (const [index, { colours }] of parts.entries()) {
      const seen = (colours ?? []).map((colour) => seesColour(page, 'viewer', colour));
      await Promise.all([hearsTone(page, 'viewer', TONES[index]), ...seen]);
    }
    await end;
    assert.equal(await invoke(player, 'getState'), 'STOP');
    assert.deepEqual(player.errors, []);
    await player.release();
  });
}
