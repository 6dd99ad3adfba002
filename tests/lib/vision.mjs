// Films that are drawn, played through a filter that looks at them, and recorded.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { promisify } from 'node:util';

import { connectRpc } from './rpc.mjs';
import { startRivero } from './rivero.mjs';
import { PATIENCE_MS, until } from './wait.mjs';

const run = promisify(execFile);
/** Close to what was drawn, so that tests are of filters and not of codecs. */
const CODEC = ['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-qp', '14', '-g', '15', '-pix_fmt', 'yuv420p'];

/** Declares hooks for a server; the returned object has `server` and `rpc` while tests run. */
export function looking(options) {
  const parts = {};
  before(async () => {
    parts.server = await startRivero(options);
    parts.rpc = await connectRpc(parts.server.url);
  });
  after(async () => {
    await parts.rpc?.close();
    await parts.server?.stop();
  });
  return parts;
}

/** Makes a film of what FFmpeg's filters draw (the output of `graph` without a label), `inputs` being its files. Resolves to its path. */
export async function drawFilm(directory, name, graph, { inputs = [], seconds = 5 } = {}) {
  const path = join(directory, `${name}.mp4`);
  const files = inputs.flatMap((file) => ['-loop', '1', '-framerate', '30', '-i', file]);
  await run('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...files, '-filter_complex', graph, '-t', String(seconds), ...CODEC, path]);
  return path;
}

/** Makes an image of what FFmpeg's filters draw. Resolves to its path. */
export async function drawImage(directory, name, graph) {
  const path = join(directory, name);
  await run('ffmpeg', ['-v', 'error', '-nostdin', '-y', '-f', 'lavfi', '-i', graph, '-frames:v', '1', path]);
  return path;
}

/**
 * Plays a film through a filter, or several in a row, and records what comes out. `events`: types of the first one to subscribe to; `during(filter, film)` runs
 * once it plays; `film.reaches(seconds)` waits. Resolves to `{events, recorded}`: the events' data with their `type`, and a file.
 */
export async function throughFilter({ rpc }, type, parameters, film, { events = [], during = () => {}, directory }) {
  const pipeline = await rpc.create('MediaPipeline');
  const player = await rpc.create('PlayerEndpoint', { mediaPipeline: pipeline, uri: `file://${film}` });
  const [first, ...others] = [type].flat();
  const filter = await rpc.create(first, { mediaPipeline: pipeline, ...parameters });
  let last = filter;
  for (const other of others) {
    const next = await rpc.create(other, { mediaPipeline: pipeline });
    await rpc.invoke(last, 'connect', { sink: next });
    last = next;
  }
  const recorded = join(directory, `${filter.split('/').at(-1)}.webm`);
  const recorder = await rpc.create('RecorderEndpoint', { mediaPipeline: pipeline, uri: `file://${recorded}`, mediaProfile: 'WEBM_VIDEO_ONLY' });
  for (const event of [...events, 'Error']) await rpc.value('subscribe', { object: filter, type: event });
  await rpc.value('subscribe', { object: player, type: 'EndOfStream' });
  await rpc.invoke(player, 'connect', { sink: filter });
  await rpc.invoke(last, 'connect', { sink: recorder });
  await rpc.invoke(recorder, 'record');
  await rpc.invoke(player, 'play');
  const reaches = (seconds) => until(async () => (await rpc.invoke(player, 'getPosition')) >= seconds * 1000, `the film reaches ${seconds} s`);
  await during(filter, { reaches });
  const of = (object) => rpc.events.filter((event) => event.object === object);
  await until(() => of(player).some((event) => event.type === 'EndOfStream'), 'the film ends', 2 * PATIENCE_MS);
  await rpc.invoke(recorder, 'stopAndWait');
  const seen = of(filter).map((event) => ({ ...event.data, type: event.type }));
  await rpc.value('release', { object: pipeline });
  return { events: seen, recorded };
}

/** The picture at `seconds`: `{width, height, at(x, y)}`, the latter the mean colour around a place in shares of the picture. */
export async function pictureAt(file, seconds) {
  const { stdout: size } = await run('ffprobe', ['-v', 'error', '-select_streams', 'v', '-show_entries', 'stream=width,height', '-of', 'csv=p=0', file]);
  const [width, height] = size.trim().split(',').map(Number);
  const decode = ['-v', 'error', '-nostdin', '-ss', String(seconds), '-i', file, '-frames:v', '1', '-vf', 'format=rgb24', '-f', 'rawvideo', '-'];
  const { stdout: pixels } = await run('ffmpeg', decode, { encoding: 'buffer', maxBuffer: 1 << 27 });
  assert.equal(pixels.length, width * height * 3, `${file} has a picture at ${seconds} s`);
  const at = (x, y) => {
    const [left, top] = [Math.round(x * width) - 2, Math.round(y * height) - 2];
    const sum = [0, 0, 0];
    for (let pixel = 0; pixel < 16; pixel += 1) {
      const begin = ((top + (pixel >> 2)) * width + left + (pixel % 4)) * 3;
      for (const channel of sum.keys()) sum[channel] += pixels[begin + channel] / 16;
    }
    return sum;
  };
  return { width, height, pixels, at };
}

/** Share of the pixels of a picture's part (shares: left, top, right, bottom) that are about `colour`. */
export function shareOf({ width, height, pixels }, [left, top, right, bottom], colour, tolerance = 45) {
  let [count, alike] = [0, 0];
  for (let y = Math.round(top * height); y < Math.round(bottom * height); y += 1) {
    for (let x = Math.round(left * width); x < Math.round(right * width); x += 1) {
      count += 1;
      alike += colour.every((value, channel) => Math.abs(value - pixels[(y * width + x) * 3 + channel]) <= tolerance) ? 1 : 0;
    }
  }
  return alike / count;
}
