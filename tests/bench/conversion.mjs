// What conversions look like and cost: `tests/netns.sh node tests/bench/conversion.mjs` (part of `make bench`).
//
// A player plays sources that are made first (conversion/source.mjs), and a peer of plain RTP takes one codec of them. What it is
// shown is compared with the source, beside the same encoder of gst-launch-1.0 at the same bitrate, as measured and not as asked for;
// so is the CPU of both, with the decoding of the source in it. Then the bitrates at several rates of pictures.
// ONLY=pictures or ONLY=bitrates measures one of the two, CODECS=VP8,H264 some of the codecs, SOURCES=pan one
// of the sources.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { connectClient } from '../lib/client.mjs';
import { conversions } from '../lib/metrics.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { bitrates, convert } from './conversion/converted.mjs';
import { plainAt, plainCost } from './conversion/plain.mjs';
import { compare } from './conversion/similarity.mjs';
import { makeSource } from './conversion/source.mjs';

const SECONDS = 12;
/** Seconds of the source that count: the rate control has found its way. */
const COUNTED = { from: 3, to: 11 };
const HD = { width: 1280, height: 720, rate: 30 };
/** Bit/s, and the similarity of the pan that is wanted there. */
const QUALITIES = [
  { bitrate: 2_000_000, wanted: 0.95 },
  { bitrate: 800_000, wanted: 0.9 },
];
/** So much less like the source than the encoder alone a conversion may look. */
const LOSS = 0.01;
const RATES = [5, 15, 30, 60];
/** Bitrates at several rates: of pictures with noise, which take whatever they are given. */
const KEPT = [
  { codec: 'H264', width: 640, height: 360, bitrate: 800_000 },
  { codec: 'VP8', width: 640, height: 360, bitrate: 800_000 },
  { codec: 'VP9', width: 640, height: 360, bitrate: 800_000 },
  { codec: 'AV1', width: 320, height: 180, bitrate: 300_000 },
];
/** So far a bitrate may be from what was asked for. */
const TOLERANCE = 0.1;
const CODECS = (process.env.CODECS ?? 'VP8,VP9,H264').split(',');
const SOURCES = (process.env.SOURCES ?? 'pan,noise').split(',');
const ONLY = process.env.ONLY;

const directory = mkdtempSync(join(tmpdir(), 'rivero-conversion-'));
const server = await startRivero({ modules: ['codecs', 'player', 'rtp'] });
const client = await connectClient(server.url);
const misses = [];
const miss = (text) => misses.push(text) && console.error(`missed: ${text}`);
/** Packets that the server has left out because its converters got too little of the processors. */
async function late() {
  const counts = await conversions(server, 'rivero_conversion_packets_dropped_total');
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

const kilobits = (bits) => (bits / 1000).toFixed(0);

async function pictures() {
  const window = { ...HD, from: COUNTED.from * HD.rate, to: COUNTED.to * HD.rate };
  const [ours, plain] = ['ours.mkv', 'plain.mkv'].map((name) => join(directory, name));
  console.log('| source | codec | kbit/s asked, measured | SSIM | pictures | gst-launch: kbit/s | SSIM | CPU, % of a core: converted, gst-launch | times |');
  console.log('|---|---|---|---|---|---|---|---|---|');
  for (const kind of SOURCES) {
    const source = join(directory, `${kind}.mkv`);
    await makeSource(source, { kind, ...HD, seconds: SECONDS });
    for (const codec of CODECS) {
      for (const { bitrate, wanted } of QUALITIES) {
        const lateBefore = await late();
        const cost = await convert({ client, server }, { source, file: ours, codec, bitrate, seconds: SECONDS, ...COUNTED });
        const figures = { ...(await compare(ours, source, window)), late: (await late()) - lateBefore };
        const alone = await plainAt(source, plain, codec, figures.bitrate, window);
        const costAlone = await plainCost(source, plain, codec, alone.asked, COUNTED);
        const percent = (value) => (value * 100).toFixed(1);
        const cells = [
          kind,
          codec,
          `${kilobits(bitrate)}, ${kilobits(figures.bitrate)}`,
          figures.similarity.toFixed(4),
          `${percent(figures.shown)} %, ${figures.late} late`,
          kilobits(alone.bitrate),
          alone.similarity.toFixed(4),
          `${percent(cost)}, ${percent(costAlone)}`,
          (cost / costAlone).toFixed(2),
        ];
        console.log(`| ${cells.join(' | ')} |`);
        const name = `${kind}, ${codec} at ${kilobits(bitrate)} kbit/s`;
        if (kind === 'pan' && figures.similarity < wanted) miss(`${name}: SSIM ${figures.similarity}, wanted ${wanted}`);
        if (figures.similarity < alone.similarity - LOSS) miss(`${name}: SSIM ${figures.similarity}, ${alone.similarity} of gst-launch`);
      }
    }
    rmSync(source);
  }
}

async function kept() {
  console.log(`| codec | size | kbit/s asked | at ${RATES.join(', ')} pictures a second |`);
  console.log('|---|---|---|---|');
  for (const { codec, width, height, bitrate } of KEPT) {
    const sources = RATES.map((rate) => join(directory, `${width}-${rate}.mkv`));
    for (const [index, rate] of RATES.entries()) await makeSource(sources[index], { kind: 'noise', width, height, rate, seconds: SECONDS });
    const figures = await bitrates(client, codec, bitrate, sources, { seconds: SECONDS, ...COUNTED });
    console.log(`| ${codec} | ${width}x${height} | ${kilobits(bitrate)} | ${figures.map(kilobits).join(', ')} |`);
    figures.forEach((got, index) => {
      if (Math.abs(got / bitrate - 1) > TOLERANCE) miss(`${codec} at ${RATES[index]} pictures a second: ${kilobits(got)} of ${kilobits(bitrate)} kbit/s`);
    });
  }
}

try {
  if (ONLY !== 'bitrates') await pictures();
  if (ONLY !== 'pictures') await kept();
} finally {
  client.close();
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
}
if (misses.length > 0) process.exitCode = 1;
