// What is converted: pictures that are made at test time, each with its number in its first rows.
//
// `pan`: a camera that moves slowly over a still picture. The picture is a fractal by midpoint displacement, which has the
// spectrum of photographs; the camera moves by parts of a pixel, as cameras do. `noise`: testsrc2 of FFmpeg, whose
// shapes move, with noise that is new in each picture.

import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Rows of the number at the top, and the bits in it. They are left out of every comparison. */
export const STRIP = 16;
const BITS = 12;
const [DARK, BRIGHT] = [32, 208];

/** The camera moves by so many half pixels from one picture to the next. */
const STEP = { x: 3, y: 1 };
/** How far neighbours of the next finer grid differ, relative to those of this one: 0.5 is smooth, 1 is rough. */
const ROUGHNESS = 0.62;

/** Of H264: the noise would have 200 Mbit/s with that of the pan, and decoding it would take a whole core. */
const QUANTIZERS = { pan: '10', noise: '26' };

/**
 * Makes a file of pictures: `kind` is `pan` or `noise`. What a decoder makes of it is what the conversions get, and what their results are
 * compared with: its own losses do not count.
 */
export async function makeSource(file, { kind, width, height, rate, seconds }) {
  const count = rate * seconds;
  const input = ['-f', 'rawvideo', '-pix_fmt', 'yuv420p', '-s', `${width}x${height}`, '-r', String(rate), '-i', '-'];
  const encoder = ['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-g', String(rate), '-qp', QUANTIZERS[kind]];
  const writer = spawn('ffmpeg', ['-v', 'error', '-y', ...input, ...encoder, file], { stdio: ['pipe', 'ignore', 'inherit'] });
  const ended = once(writer, 'exit');
  const pictures = kind === 'pan' ? pan(width, height, count) : noise(width, height, rate, count);
  let number = 0;
  for await (const picture of pictures) {
    writeNumber(picture, width, number);
    if (!writer.stdin.write(picture)) await once(writer.stdin, 'drain');
    number += 1;
  }
  writer.stdin.end();
  const [code] = await ended;
  if (code !== 0 || number !== count) throw new Error(`ffmpeg made ${number} of ${count} pictures of ${kind} (code ${code})`);
}

/** Width of a bit in the strip. */
const bitWidth = (width) => Math.floor(width / BITS);

function writeNumber(picture, width, number) {
  const each = bitWidth(width);
  for (let row = 0; row < STRIP; row += 1) {
    for (let bit = 0; bit < BITS; bit += 1) {
      const begin = row * width + bit * each;
      picture.fill(number & (1 << bit) ? BRIGHT : DARK, begin, begin + each);
    }
  }
  for (const plane of [0, 1]) {
    const begin = picture.length - ((picture.length / 3) >> plane);
    picture.fill(128, begin, begin + (STRIP / 2) * (width / 2));
  }
}

/** The number in a decoded picture of the same width. */
export function readNumber(picture, width) {
  const each = bitWidth(width);
  let number = 0;
  for (let bit = 0; bit < BITS; bit += 1) {
    const middle = (STRIP / 2) * width + bit * each + (each >> 1);
    if (picture[middle] > (DARK + BRIGHT) / 2) number |= 1 << bit;
  }
  return number;
}

/** Pictures of a program's standard output. */
export async function* picturesOf(stream, size) {
  let [parts, held] = [[], 0];
  for await (let data of stream) {
    while (held + data.length >= size) {
      parts.push(data.subarray(0, size - held));
      yield Buffer.concat(parts, size);
      data = data.subarray(size - held);
      [parts, held] = [[], 0];
    }
    parts.push(data);
    held += data.length;
  }
}

async function* noise(width, height, rate, count) {
  const source = `testsrc2=size=${width}x${height}:rate=${rate},noise=alls=12:allf=t:all_seed=7`;
  const args = ['-v', 'error', '-f', 'lavfi', '-i', source, '-frames:v', String(count), '-pix_fmt', 'yuv420p', '-f', 'rawvideo', '-'];
  const maker = spawn('ffmpeg', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  yield* picturesOf(maker.stdout, (width * height * 3) / 2);
}

async function* pan(width, height, count) {
  const lumas = still(2 * width + STEP.x * count, 2 * height + STEP.y * count, 11, [16, 235]);
  const colours = [12, 13].map((seed) => still(width + STEP.x * count, height + STEP.y * count, seed, [88, 168]));
  for (let number = 0; number < count; number += 1) {
    const at = { x: STEP.x * number, y: STEP.y * number };
    const picture = Buffer.alloc((width * height * 3) / 2);
    view(lumas, at, picture.subarray(0, width * height), width);
    // A pixel of colour is as wide as two of luma, and its still has half as many to begin with.
    const quarter = (width * height) / 4;
    colours.forEach((colour, plane) => {
      const begin = width * height + plane * quarter;
      view(colour, { x: at.x >> 1, y: at.y >> 1 }, picture.subarray(begin, begin + quarter), width / 2);
    });
    yield picture;
  }
}

/** What a camera at a place sees: each pixel is the mean of four of the still. */
function view({ pixels, stride }, at, out, width) {
  for (let index = 0; index < out.length; index += 1) {
    const [x, y] = [index % width, Math.floor(index / width)];
    const corner = (2 * y + at.y) * stride + 2 * x + at.x;
    out[index] = (pixels[corner] + pixels[corner + 1] + pixels[corner + stride] + pixels[corner + stride + 1] + 2) >> 2;
  }
}

/** A still picture of at least this size, by midpoint displacement (the "diamond-square" algorithm) on a torus. */
function still(width, height, seed, [least, most]) {
  let side = 256;
  while (side < Math.max(width, height)) side *= 2;
  const grid = new Float32Array(side * side);
  const random = randomNumbers(seed);
  const wrap = side - 1;
  const at = (x, y) => grid[(y & wrap) * side + (x & wrap)];
  // The largest shapes are a quarter of the picture.
  let amplitude = 1;
  const first = side / 4;
  for (let y = 0; y < side; y += first) for (let x = 0; x < side; x += first) grid[y * side + x] = random();
  for (let step = first; step > 1; step /= 2) {
    const half = step / 2;
    amplitude *= ROUGHNESS;
    for (let y = half; y < side; y += step) {
      for (let x = half; x < side; x += step) {
        const mean = (at(x - half, y - half) + at(x + half, y - half) + at(x - half, y + half) + at(x + half, y + half)) / 4;
        grid[y * side + x] = mean + random() * amplitude;
      }
    }
    for (let y = 0; y < side; y += half) {
      for (let x = (y / half) % 2 === 0 ? half : 0; x < side; x += step) {
        const mean = (at(x - half, y) + at(x + half, y) + at(x, y - half) + at(x, y + half)) / 4;
        grid[y * side + x] = mean + random() * amplitude;
      }
    }
  }
  return { pixels: spread(grid, least, most), stride: side };
}

/** Values into a range, whose ends few of them reach. */
function spread(grid, least, most) {
  let [sum, squares] = [0, 0];
  for (const value of grid) [sum, squares] = [sum + value, squares + value * value];
  const mean = sum / grid.length;
  const deviation = Math.sqrt(squares / grid.length - mean * mean);
  const scale = (most - least) / (5 * deviation);
  const middle = (least + most) / 2;
  const pixels = new Uint8Array(grid.length);
  for (let index = 0; index < grid.length; index += 1) {
    pixels[index] = Math.min(most, Math.max(least, middle + (grid[index] - mean) * scale));
  }
  return pixels;
}

/** Numbers from -1 to 1, the same in each run (xorshift). */
function randomNumbers(seed) {
  let state = seed * 2_654_435_761 | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state / 2_147_483_648;
  };
}
