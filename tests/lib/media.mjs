// Assertions on what a probe page really decodes.

import assert from 'node:assert/strict';

import { until } from './wait.mjs';

/** Colours that survive chroma subsampling and limited range well apart from each other. */
export const COLOURS = { red: [200, 40, 40], green: [40, 160, 40], blue: [40, 40, 200], grey: [128, 128, 128] };

// Per channel. VP8 does not say which colour matrix it was encoded with, and Chromium
// decodes with another one unless both sides use its color-space header extension.
const COLOUR_TOLERANCE = 45;
const TONE_TOLERANCE_HZ = 20;

/** Waits until the middle of sink `name` has `colour`. */
export async function seesColour(page, name, colour, timeoutMs) {
  await seesColourAt(page, name, [0.5, 0.5], colour, timeoutMs);
}

/** Waits until sink `name` has `colour` at a place, in units of the picture's width and height. */
export async function seesColourAt(page, name, place, colour, timeoutMs) {
  let seen;
  await until(async () => {
    seen = await page.evaluate(([sink, at]) => probe.colourAt(sink, at), [name, place]);
    return seen?.every((value, channel) => Math.abs(value - colour[channel]) <= COLOUR_TOLERANCE);
  }, `${name} shows ${colour} at ${place}`, timeoutMs).catch((error) => {
    throw new Error(`${error.message}; it shows ${seen}`);
  });
}

/** Waits until sink `name` has shown the moving strip at four places or more. */
export async function seesMotion(page, name, timeoutMs) {
  const places = new Set();
  await until(async () => {
    const step = await page.evaluate((sink) => probe.stripStep(sink), name);
    if (step !== null) places.add(step);
    return places.size >= 4;
  }, `pictures of ${name} move`, timeoutMs).catch((error) => {
    throw new Error(`${error.message}; its strip was seen at ${[...places]}`);
  });
}

/** Waits until the strongest tone of sink `name` is `toneHz`. */
export async function hearsTone(page, name, toneHz, timeoutMs) {
  let heard;
  await until(async () => {
    heard = await page.evaluate((sink) => probe.dominantTone(sink), name);
    return heard !== null && Math.abs(heard - toneHz) <= TONE_TOLERANCE_HZ;
  }, `${name} sounds at ${toneHz} Hz`, timeoutMs).catch((error) => {
    throw new Error(`${error.message}; it sounds at ${heard} Hz`);
  });
}

/** Waits until at least `count` pictures have been decoded; returns the statistics. */
export async function decodesFrames(page, name, count, timeoutMs) {
  return until(async () => {
    const statistics = await page.evaluate((peer) => probe.statistics(peer), name);
    return statistics.video?.framesDecoded >= count && statistics;
  }, `${name} decodes ${count} frames`, timeoutMs);
}

/** Waits until the peer connection `name` is connected. */
export async function isConnected(page, name, timeoutMs) {
  await until(async () => {
    const state = await page.evaluate((peer) => probe.connectionState(peer), name);
    assert.notEqual(state, 'closed');
    return state === 'connected';
  }, `${name} connects`, timeoutMs);
}
