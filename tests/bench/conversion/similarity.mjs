// How like its source a conversion looks to who watches it, by SSIM (FFmpeg's filter of that name, "All").

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';

import { picturesOf, readNumber, STRIP } from './source.mjs';

const run = promisify(execFile);

/**
 * Compares the pictures of a file with those of its source, from one number to another. What is shown counts: where a picture
 * was left out, the one before is compared in its place; where it was made smaller, it is enlarged again.
 *
 * Resolves to the similarity, to the bit/s of those pictures, and to the part of the source's that there are.
 */
export async function compare(file, source, { width, height, rate, from, to }) {
  const sizes = await packetSizes(file);
  const judge = startJudge(source, { width, height, rate, from, to });
  const numbers = [];
  let shown;
  const show = async (until) => {
    if (!shown) return;
    for (let number = Math.max(shown.number, from); number < Math.min(until, to); number += 1) {
      if (!judge.stdin.write(shown.picture)) await once(judge.stdin, 'drain');
    }
  };
  for await (const picture of decode(file, width, height)) {
    const number = readNumber(picture, width);
    if (shown && number <= shown.number) throw new Error(`${file}: picture ${number} follows ${shown.number}`);
    await show(number);
    shown = { picture, number };
    numbers.push(number);
  }
  await show(Infinity);
  if (sizes.length !== numbers.length) throw new Error(`${file}: ${numbers.length} pictures in ${sizes.length} packets`);
  if (!(numbers[0] <= from)) throw new Error(`${file} begins with picture ${numbers[0]}, after ${from}`);
  const inside = (index) => numbers[index] >= from && numbers[index] < to;
  const bytes = sizes.reduce((sum, size, index) => sum + (inside(index) ? size : 0), 0);
  return {
    similarity: await judge.verdict(),
    bitrate: (bytes * 8 * rate) / (to - from),
    shown: numbers.filter((_, index) => inside(index)).length / (to - from),
  };
}

async function packetSizes(file) {
  const { stdout } = await run('ffprobe', ['-v', 'error', '-select_streams', 'v', '-show_entries', 'packet=size', '-of', 'csv=p=0', file]);
  return stdout.split('\n').map((line) => parseInt(line, 10)).filter((size) => size > 0);
}

function decode(file, width, height) {
  const args = ['-v', 'error', '-i', file, '-fps_mode', 'passthrough', '-vf', `scale=${width}:${height}:flags=bicubic,format=yuv420p,settb=1/1000,setpts=N*100`, '-f', 'rawvideo', '-'];
  const decoder = spawn('ffmpeg', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  return picturesOf(decoder.stdout, (width * height * 3) / 2);
}

/** FFmpeg's filter: takes what is shown for each of the source's pictures in turn. */
function startJudge(source, { width, height, rate, from, to }) {
  // Times of a container are rounded: pictures are counted.
  const alike = `crop=${width}:${height - STRIP}:0:${STRIP},settb=1/${rate},setpts=N`;
  const filter = `[0:v]${alike}[shown];[1:v]trim=start_frame=${from}:end_frame=${to},${alike}[source];[shown][source]ssim`;
  const shown = ['-f', 'rawvideo', '-pix_fmt', 'yuv420p', '-s', `${width}x${height}`, '-r', String(rate), '-i', '-'];
  const args = ['-v', 'info', '-nostats', ...shown, '-i', source, '-filter_complex', filter, '-fps_mode', 'passthrough', '-f', 'null', '-'];
  const judge = spawn('ffmpeg', args, { stdio: ['pipe', 'ignore', 'pipe'] });
  let said = '';
  judge.stderr.on('data', (text) => (said += text));
  const ended = once(judge, 'close');
  judge.verdict = async () => {
    judge.stdin.end();
    await ended;
    const all = said.match(/SSIM .*All:([\d.]+)/);
    if (!all) throw new Error(`ffmpeg compared nothing:\n${said}`);
    return Number(all[1]);
  };
  return judge;
}
