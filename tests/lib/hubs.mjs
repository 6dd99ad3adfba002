// Hubs, and what is seen and heard of them.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { invoke } from './client.mjs';
import { isColour } from './recording.mjs';
import { until } from './wait.mjs';

const run = promisify(execFile);

/** A port of `hub`, fed by `source` where one is given. */
export async function portOf(hub, source) {
  const port = await invoke(hub, 'createHubPort');
  if (source) await invoke(source, 'connect', port);
  return port;
}

/** Waits until sink `name` of a page sounds at `tones` (Hz), and at no other of `among`. */
export async function hearsTones(page, name, tones, among) {
  let heard;
  await until(async () => {
    heard = await page.evaluate(([sink, all]) => probe.tonesAmong(sink, all), [name, among]);
    return heard !== null && String(heard) === String(among.filter((tone) => tones.includes(tone)));
  }, `${name} sounds at ${tones} Hz`).catch((error) => {
    throw new Error(`${error.message}; of ${among} it sounds at ${heard}`);
  });
}

/** Asserts the colours of a recorded picture at places, `[[x, y], colour]` in units of its sides. */
export async function assertColoursAt(file, seconds, places) {
  const size = 64;
  const input = ['-ss', String(seconds), '-i', file, '-frames:v', '1', '-vf', `scale=${size}:${size}:flags=area,format=rgb24`, '-f', 'rawvideo', '-'];
  const { stdout } = await run('ffmpeg', ['-v', 'error', '-nostdin', ...input], { encoding: 'buffer', maxBuffer: 1 << 28 });
  for (const [[x, y], colour] of places) {
    const at = 3 * (Math.floor(y * size) * size + Math.floor(x * size));
    const seen = [...stdout.subarray(at, at + 3)];
    assert.ok(isColour(seen, colour), `${file} shows ${colour} at ${x}, ${y} at ${seconds.toFixed(1)} s (seen: ${seen})`);
  }
}
