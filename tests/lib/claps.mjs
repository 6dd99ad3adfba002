// Picture and sound that change in the same moment, and how far apart they do in a file.

import assert from 'node:assert/strict';

import { COLOURS } from './media.mjs';
import { colours, isColour, level, sound } from './recording.mjs';

/** What a clap changes to, in turn: a source begins with the first. */
export const SIDES = [
  { colour: COLOURS.red, toneHz: 1000 },
  { colour: COLOURS.green, toneHz: 2500 },
];

/** Steps of 5 ms that a tone lasts at least: a busy machine's fake microphone repeats shorter pieces. */
const LASTING = 20;

/**
 * Asserts that a file has so many claps, and that picture and sound are together in all of them, but for some at the
 * beginning: reports of the sender that say what belongs together take some seconds (RFC 3550 §6.2).
 */
export async function assertTogether(file, claps, unsettled = 0) {
  const seen = changesOfColour(await colours(file));
  const heard = changesOfTone(await sound(file));
  assert.deepEqual([seen.length, heard.length], [claps, claps], `claps seen at ${seen}, heard at ${heard}`);
  const offsets = seen.map((time, index) => Math.round((time - heard[index]) * 1000)).slice(unsettled);
  const middle = median(offsets);
  // The fake microphone's own way through Web Audio takes 20 to 45 ms; what the way into the file
  // adds would differ from clap to clap.
  assert.ok(Math.abs(middle) <= 70, `picture after sound: ${offsets} ms`);
  assert.ok(offsets.every((offset) => Math.abs(offset - middle) <= 40), `picture after sound: ${offsets} ms`);
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
