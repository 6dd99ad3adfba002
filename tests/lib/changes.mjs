// When a recording changes from one colour and tone to another: what changed at one time has to change at one time there.

import assert from 'node:assert/strict';

import { colours, isColour, level, sound } from './recording.mjs';

const SAMPLE_RATE = 48_000;
/** Steps of 5 ms that a tone lasts at least: a busy machine's fake microphone repeats shorter pieces. */
const LASTING = 20;

/** When the picture became that of another side; `sides`: `{colour, toneHz}` each. Seconds. */
export function changesOfColour(pictures, sides) {
  const seen = pictures.map(({ colour }) => sides.findIndex((side) => isColour(colour, side.colour)));
  const known = pictures.map(({ time }, index) => ({ time, side: seen[index] })).filter(({ side }) => side >= 0);
  return known.filter(({ side }, index) => index > 0 && side !== known[index - 1].side).map(({ time }) => time);
}

/** When the loudest of the sides' tones became another one, in steps of 5 ms. Seconds. */
export function changesOfTone(samples, sides, first = 0) {
  const heard = [];
  for (let at = 0.2; at < samples.length / SAMPLE_RATE - 0.05; at += 0.005) {
    const levels = sides.map(({ toneHz }) => level(samples, toneHz, at));
    const loudest = Math.max(...levels);
    heard.push({ time: at + 0.005, side: loudest < 300 ? null : levels.indexOf(loudest) });
  }
  const changes = [];
  let former = first;
  for (const [index, { time, side }] of heard.entries()) {
    if (side === null || side === former) continue;
    const lasts = heard.slice(index, index + LASTING).every((next) => next.side === null || next.side === side);
    if (!lasts) continue;
    changes.push(time);
    former = side;
  }
  return changes;
}

/** Asserts that a file goes through the sides, one after the other, with picture and sound within `mostMs` of each other. */
export async function changesTogether(file, sides, mostMs = 40) {
  const seen = changesOfColour(await colours(file), sides);
  const heard = changesOfTone(await sound(file), sides);
  assert.deepEqual([seen.length, heard.length], [sides.length - 1, sides.length - 1], `${file}: changes seen at ${seen}, heard at ${heard}`);
  const offsets = seen.map((time, index) => Math.round((time - heard[index]) * 1000));
  assert.ok(offsets.every((offset) => Math.abs(offset) <= mostMs), `${file}: picture after sound by ${offsets} ms`);
}
