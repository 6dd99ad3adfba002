import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { invoke } from '../lib/client.mjs';
import { makeMedia, playerOf } from '../lib/fixtures.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS } from '../lib/media.mjs';
import { publish } from '../lib/publisher.mjs';
import { coloursInTurn, decodesWhole, hasRecorded, packets, probe, recorderOf, recordingDirectory, stopped } from '../lib/recording.mjs';

/** Longer than any recording here takes. */
const SECONDS = 30;
const FIRST = { ending: 'webm', colours: [COLOURS.red], toneHz: 600 };
const SECOND = { ending: 'webm', colours: [COLOURS.blue], toneHz: 1000 };

const CASES = {
  'a player of the same format': { second: SECOND },
  'a player of another format': { second: { ...SECOND, ending: 'mp4' } },
  'a player of another frame rate': { second: { ...SECOND, rate: 30 } },
  'a player of another size': { second: { ...SECOND, size: '640x360' } },
  'a player of another format, behind a PassThrough': { second: { ...SECOND, ending: 'mp4' }, behindPassThrough: true },
  'a call': {},
  'a call, behind a PassThrough': { behindPassThrough: true },
};

const rivero = live();
const directory = recordingDirectory();

const made = new Map();

/** The file with this media, made when it is first asked for. */
function fileOf({ ending, ...media }) {
  const key = JSON.stringify([ending, media]);
  if (!made.has(key)) made.set(key, makeMedia(directory, `source-${made.size}.${ending}`, { seconds: SECONDS, ...media }));
  return made.get(key);
}

async function started(pipeline, media) {
  const path = await fileOf(media);
  const player = await playerOf(pipeline, `file://${path}`);
  await invoke(player, 'play');
  return player;
}

for (const [index, [what, { second, behindPassThrough }]] of Object.entries(CASES).entries()) {
  test(`G08: the file of a player goes on with ${what}, and back`, async () => {
    const pipeline = await rivero.client.create('MediaPipeline');
    const player = await started(pipeline, FIRST);
    const other = second
      ? await started(pipeline, second)
      : await publish(await rivero.browser.openProbe(), pipeline, `call ${index}`, { source: { colour: COLOURS.blue } });
    const file = join(directory, `${index}.webm`);
    const recorder = await recorderOf(pipeline, undefined, `file://${file}`);
    const entrance = behindPassThrough ? await pipeline.create('PassThrough') : recorder;
    if (behindPassThrough) await invoke(entrance, 'connect', recorder);

    await invoke(player, 'connect', entrance);
    await invoke(recorder, 'record');
    await hasRecorded(recorder, 1500);
    await invoke(other, 'connect', entrance);
    await hasRecorded(recorder, 4500);
    await invoke(player, 'connect', entrance);
    await hasRecorded(recorder, 6500);
    const recorded = (await stopped(recorder)) / 1000;

    const { streams, duration } = await probe(file);
    assert.equal(streams.length, 2);
    assert.ok(Math.abs(duration - recorded) < 0.2, `${duration} s for ${recorded} s`);
    await decodesWhole(file);
    assert.deepEqual(await coloursInTurn(file), ['red', 'blue', 'red']);
    const times = (await packets(file, 'v')).map(({ time }) => time);
    assert.ok(times.every((time, at) => at === 0 || time > times[at - 1]), 'time goes forward');
    assert.deepEqual([...recorder.errors, ...player.errors], []);
    await pipeline.release();
  });
}
