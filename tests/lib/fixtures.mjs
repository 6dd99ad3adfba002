// Media files for players, made by FFmpeg when a test needs them.

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { promisify } from 'node:util';

import { invoke } from './client.mjs';

const run = promisify(execFile);

const VP8 = ['-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '16', '-b:v', '600k'];
const H264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-pix_fmt', 'yuv420p'];
const MPEG4 = ['-c:v', 'mpeg4', '-q:v', '4'];

/** How a file of this name is encoded, by its ending. */
const CODECS = {
  webm: [...VP8, '-c:a', 'libvorbis'],
  mkv: [...VP8, '-c:a', 'libopus'],
  mp4: [...H264, '-c:a', 'aac'],
  mov: [...H264, '-c:a', 'pcm_s16le'],
  avi: [...MPEG4, '-c:a', 'libmp3lame'],
  '3gp': [...MPEG4, '-c:a', 'aac'],
  ogv: ['-c:v', 'libtheora', '-q:v', '7', '-c:a', 'libvorbis'],
  ts: [...H264, '-c:a', 'aac'],
  mp3: ['-c:a', 'libmp3lame'],
  wav: ['-c:a', 'pcm_s16le'],
  flac: ['-c:a', 'flac'],
  ogg: ['-c:a', 'libvorbis'],
  m4a: ['-c:a', 'aac'],
  wma: ['-c:a', 'wmav2'],
};

/** A directory for the files of a test, removed after its tests. */
export function fixtureDirectory() {
  const directory = mkdtempSync(join(tmpdir(), 'rivero-fixtures-'));
  after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/**
 * Makes a file: the `colours`, each for `seconds`, and a tone of `toneHz` all the time, or several for equal parts of it;
 * without one of them, only the other kind. `size`: width and height of the picture, `rate`: pictures a second. The ending of its name says what it contains. Resolves to its path.
 */
export async function makeMedia(directory, name, { colours = [], seconds = 4, toneHz, size = '320x240', rate = 15, codecs } = {}) {
  const inputs = colours.flatMap((colour) => ['-f', 'lavfi', '-i', `color=c=${hex(colour)}:s=${size}:r=${rate}:d=${seconds}`]);
  const tones = [toneHz ?? []].flat();
  const length = seconds * Math.max(1, colours.length, tones.length);
  const sources = colours.map((_, index) => `[${index}:v]`).join('');
  const maps = [];
  if (colours.length > 0) maps.push('-filter_complex', `${sources}concat=n=${colours.length}:v=1:a=0,setsar=1[v]`, '-map', '[v]', '-g', '15');
  if (tones.length > 0) {
    const sine = (tone) => `sine=frequency=${tone}:sample_rate=48000:duration=${length / tones.length},volume=4`;
    inputs.push(...tones.flatMap((tone) => ['-f', 'lavfi', '-i', sine(tone)]));
    const sounds = tones.map((_, index) => `[${colours.length + index}:a]`).join('');
    maps.push('-filter_complex', `${sounds}concat=n=${tones.length}:v=0:a=1[a]`, '-map', '[a]', '-ac', '2');
  }
  const path = join(directory, name);
  const encoders = codecs ?? CODECS[name.split('.').at(-1)];
  await run('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...inputs, ...maps, ...encoders, path]);
  return path;
}

/** A PlayerEndpoint; `errors` collects its Error events. */
export async function playerOf(pipeline, uri, settings = {}) {
  const player = await pipeline.create('PlayerEndpoint', { uri, ...settings });
  player.errors = [];
  player.on('Error', (error) => player.errors.push(error));
  return player;
}

/** A viewer `name` in the page, fed by whatever is connected to the returned endpoint. */
export async function viewerOf(pipeline, calls, name) {
  const endpoint = await pipeline.create('WebRtcEndpoint');
  await calls.open(name, endpoint, {});
  return endpoint;
}

/** Starts to play into `viewer`. */
export async function playInto(player, viewer) {
  await invoke(player, 'connect', viewer);
  await invoke(player, 'play');
}

function hex([red, green, blue]) {
  return `0x${Buffer.from([red, green, blue]).toString('hex')}`;
}
