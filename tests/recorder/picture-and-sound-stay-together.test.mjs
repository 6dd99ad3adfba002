import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS } from '../lib/media.mjs';
import { publish } from '../lib/publisher.mjs';
import { colours, hasRecorded, isColour, level, recorderOf, recordingDirectory, sound, stopped } from '../lib/recording.mjs';
import { startRelay } from '../lib/relay.mjs';

const rivero = live();
const directory = recordingDirectory();

/** What a clap changes to, in turn. */
const SIDES = [
  { colour: COLOURS.red, toneHz: 1000 },
  { colour: COLOURS.green, toneHz: 2500 },
];
const CLAPS = 8;
/** Steps of 5 ms that a tone lasts at least: a busy machine's fake microphone repeats shorter pieces. */
const LASTING = 20;

const CASES = [
  { profile: 'WEBM', video: 'VP8' },
  { profile: 'MP4', video: 'H264' },
  { profile: 'WEBM', video: 'VP8', loss: 5 },
  { profile: 'MP4', video: 'H264', loss: 5 },
];

let relay;
before(() => {
  relay = startRelay();
});
after(() => relay.stop());

for (const [index, { profile, video, loss }] of CASES.entries()) {
  const network = loss ? `, though ${loss} % of what the camera sends is lost` : '';
  test(`picture and sound of a ${profile} stay within 40 ms, also after a pause${network}`, async () => {
    const page = await rivero.browser.openProbe();
    const pipeline = await rivero.client.create('MediaPipeline');
    const path = loss && relay.path(`camera ${index}`, index + 1);
    await path?.set({ up: { delay: 20, loss } });
    const endpoint = await publish(page, pipeline, 'camera', { codecs: { video, audio: 'opus' }, source: SIDES[0], path });
    const file = join(directory, `claps.${index}.${profile.toLowerCase()}`);
    const recorder = await recorderOf(pipeline, endpoint, `file://${file}`, { mediaProfile: profile });
    await invoke(recorder, 'record');
    let at = 1500;
    for (let count = 1; count <= CLAPS; count += 1) {
      await hasRecorded(recorder, at);
      const side = SIDES[count % 2];
      await page.evaluate(([colour, toneHz]) => probe.clap('camera', colour, toneHz), [side.colour, side.toneHz]);
      at += 700;
      if (count === CLAPS / 2) {
        await hasRecorded(recorder, at);
        await invoke(recorder, 'pause');
        await invoke(recorder, 'record');
        at += 700;
      }
    }
    await hasRecorded(recorder, at);
    await stopped(recorder);
    if (path) assert.ok((await path.counts()).up.lost > 0);

    const seen = changesOfColour(await colours(file));
    const heard = changesOfTone(await sound(file));
    assert.deepEqual([seen.length, heard.length], [CLAPS, CLAPS], `claps seen at ${seen}, heard at ${heard}`);
    const offsets = seen.map((time, index) => Math.round((time - heard[index]) * 1000));
    const middle = median(offsets);
    // The fake microphone's own way through Web Audio takes 20 to 45 ms; what a recording
    // adds would differ from clap to clap, and after the pause.
    assert.ok(Math.abs(middle) <= 70, `picture after sound: ${offsets} ms`);
    assert.ok(offsets.every((offset) => Math.abs(offset - middle) <= 40), `picture after sound: ${offsets} ms`);
    await pipeline.release();
  });
}

/** When the picture became the other side's. */
function changesOfColour(pictures) {
  const sides = pictures.map(({ colour }) => SIDES.findIndex((side) => isColour(colour, side.colour)));
  return pictures.filter((_, index) => index > 0 && sides[index] >= 0 && sides[index] !== sides[index - 1]).map(({ time }) => time);
}

/** When the louder of both tones became the other one, in steps of 5 ms. */
function changesOfTone(samples) {
  const sides = [];
  for (let at = 0.2; at < samples.length / 48_000 - 0.05; at += 0.005) {
    const [one, two] = SIDES.map(({ toneHz }) => level(samples, toneHz, at));
    const side = two > one ? 1 : 0;
    sides.push({ time: at + 0.005, side: Math.max(one, two) < 300 ? null : side });
  }
  const changes = [];
  let former = 0;
  for (const [index, { time, side }] of sides.entries()) {
    if (side === null || side === former) continue;
    const lasts = sides.slice(index, index + LASTING).every((next) => next.side === null || next.side === side);
    if (!lasts) continue;
    changes.push(time);
    former = side;
  }
  return changes;
}

function median(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}
