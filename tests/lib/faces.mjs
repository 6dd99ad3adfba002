// Faces to be found, and images to be drawn over them.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { invoke } from './client.mjs';
import { COLOURS } from './media.mjs';

const run = promisify(execFile);
const face = fileURLToPath(new URL('../pages/face.png', import.meta.url));

/** Colour behind faces, and of the image. */
export const BEHIND = COLOURS.grey;
export const IMAGE = COLOURS.blue;

/** Makes an image of one colour. Resolves to its path. */
export async function makeImage(directory, name = 'image.png', colour = IMAGE, size = '64x64') {
  const path = join(directory, name);
  await run('ffmpeg', ['-v', 'error', '-nostdin', '-y', '-f', 'lavfi', '-i', `color=c=${hex(colour)}:s=${size}`, '-frames:v', '1', '-pix_fmt', 'rgba', path]);
  return path;
}

/** Makes a WEBM of a face in the middle of a picture of 320 x 240, and a tone. Resolves to its path. */
export async function makeFaceVideo(directory, { seconds = 8, toneHz = 1000 } = {}) {
  const path = join(directory, 'face.webm');
  const inputs = ['-f', 'lavfi', '-i', `color=c=${hex(BEHIND)}:s=320x240:r=15:d=${seconds}`, '-i', face];
  const sound = ['-f', 'lavfi', '-i', `sine=frequency=${toneHz}:sample_rate=48000:duration=${seconds},volume=4`];
  const drawn = '[1:v]scale=-1:112[face];[0:v][face]overlay=(W-w)/2:(H-h)/2[v]';
  const codecs = ['-c:v', 'libvpx', '-deadline', 'realtime', '-b:v', '600k', '-g', '15', '-pix_fmt', 'yuv420p', '-c:a', 'libopus', '-ac', '2'];
  await run('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...inputs, ...sound, '-filter_complex', drawn, '-map', '[v]', '-map', '2:a', ...codecs, path]);
  return path;
}

/** A FaceOverlayFilter fed by `source`; `errors` collects its Error events. */
export async function faceOverlayOf(pipeline, source) {
  const filter = await pipeline.create('FaceOverlayFilter');
  filter.errors = [];
  filter.on('Error', (error) => filter.errors.push(error));
  if (source) await invoke(source, 'connect', filter);
  return filter;
}

/** Draws an image over the whole of each face. */
export function cover(filter, uri) {
  return invoke(filter, 'setOverlayedImage', uri, 0, 0, 1, 1);
}

function hex(colour) {
  return `0x${Buffer.from(colour).toString('hex')}`;
}
