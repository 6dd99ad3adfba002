// How a viewer of converted pictures fares: `tests/netns.sh node tests/bench/converted-viewer.mjs` (part of `make bench`).
//
// A player plays 720p at 30 pictures a second, a slow pan that takes whatever bitrate it is given, and Chromium views it as VP8: on a path
// without a limit, where the bitrate is to rise, and behind narrow ones from the start, where pictures are to go on. Medians of the rounds.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { launchBrowser } from '../lib/browser.mjs';
import { Calls } from '../lib/calls.mjs';
import { connectClient, invoke } from '../lib/client.mjs';
import { playerOf } from '../lib/fixtures.mjs';
import { startRelay } from '../lib/relay.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { makeSource } from './conversion/source.mjs';

const ROUNDS = Number(process.env.ROUNDS ?? 3);
/** The viewer is watched for so long, s. */
const WATCHED = 20;
const CODEC = process.env.CODEC ?? 'VP8';
const NARROW = [300, 400];

const directory = mkdtempSync(join(tmpdir(), 'rivero-converted-'));
const source = join(directory, 'pan.mkv');
await makeSource(source, { kind: 'pan', width: 1280, height: 720, rate: 30, seconds: WATCHED + 10 });
const relay = startRelay();
const server = await startRivero();
const client = await connectClient(server.url);
const browser = await launchBrowser();
const page = await browser.openProbe();
const calls = await Calls.on(page);

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * A viewer joins what is played already. Resolves to what it saw: bit/s and pictures of each second since the offer, ms until the first
 * picture, and the longest pause after it.
 */
async function view(name, conditions) {
  const pipeline = await client.create('MediaPipeline');
  const player = await playerOf(pipeline, `file://${source}`);
  const endpoint = await pipeline.create('WebRtcEndpoint');
  await invoke(player, 'play');
  await pause(1000);
  const path = relay.path(name);
  if (conditions) await path.set({ up: { delay: 20 }, down: { delay: 20, ...conditions } });
  const began = await page.evaluate(() => performance.now());
  await calls.open(name, endpoint, { path, codecs: { video: CODEC } });
  await page.evaluate((sink) => probe.watchPictures(sink), name);
  await invoke(player, 'connect', endpoint);
  const bytes = [];
  for (let second = 1; second <= WATCHED; second += 1) {
    const now = await page.evaluate(() => performance.now());
    await pause(Math.max(0, began + second * 1000 - now));
    const { bytesReceived = 0 } = await page.evaluate((peer) => probe.rawStatistics(peer, 'inbound-rtp', 'video'), name);
    bytes.push(bytesReceived);
  }
  const since = (second) => page.evaluate(([sink, begin]) => probe.shownPictures(sink, begin), [name, began + second * 1000]);
  const { first, longestGap } = await since(0);
  const settled = await since(5);
  await calls.close(name);
  await pipeline.release();
  return {
    bitrates: bytes.slice(1).map((count, index) => (count - bytes[index]) * 8),
    first: first - began,
    longestGap,
    rate: settled.count / (WATCHED - 5),
  };
}

let missed = false;
function row(name, figure, all, wanted, isKept) {
  console.log(`| ${name} | ${figure} | ${all.join(', ')} | ${wanted} |`);
  if (isKept) return;
  missed = true;
  console.error(`missed: ${name}: ${figure}, wanted ${wanted}`);
}

async function rounds(name, conditions) {
  const seen = [];
  for (let round = 0; round < ROUNDS; round += 1) seen.push(await view(`${name} ${round}`, conditions));
  return seen;
}

try {
  console.log(`| a viewer of converted ${CODEC} | median | all | wanted |`);
  console.log('|---|---|---|---|');
  const free = await rounds('free');
  const within10 = free.map(({ bitrates }) => Math.round(Math.max(...bitrates.slice(0, 9)) / 1000));
  row('without a limit: kbit/s within 10 s of joining', median(within10), within10, '1500 or more', median(within10) >= 1500);
  for (const rate of NARROW) {
    const seen = await rounds(`narrow ${rate}`, { rate, queue: 300 });
    const rates = seen.map((each) => Number(each.rate.toFixed(1)));
    row(`behind ${rate} kbit/s: pictures a second, after 5 s`, median(rates), rates, '10 or more', median(rates) >= 10);
    const firsts = seen.map(({ first }) => Math.round(first));
    const pauses = seen.map(({ longestGap }) => Math.round(longestGap));
    if (rate < 400) continue;
    row(`behind ${rate} kbit/s: ms to the first picture`, median(firsts), firsts, '1000 or less', median(firsts) <= 1000);
    row(`behind ${rate} kbit/s: ms of the longest pause`, median(pauses), pauses, '1000 or less', median(pauses) <= 1000);
  }
} finally {
  await browser.close();
  client.close();
  await server.stop();
  relay.stop();
  rmSync(directory, { recursive: true, force: true });
}
if (missed) process.exitCode = 1;
