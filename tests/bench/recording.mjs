// What recording costs: `tests/netns.sh node tests/bench/recording.mjs` (part of `make bench`).
//
// Chromium publishes VP8 of about 2 Mbit/s. The server's CPU time is measured without
// a recorder and with ten of them on that source, in turns, and compared: what is
// left is recording (RTP packets put together, then written), without conversion.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { launchBrowser } from '../lib/browser.mjs';
import { connectClient, invoke } from '../lib/client.mjs';
import { publish } from '../lib/publisher.mjs';
import { recorderOf, recordingStatistics } from '../lib/recording.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { until } from '../lib/wait.mjs';

const ROUNDS = Number(process.env.ROUNDS ?? 3);
const SECONDS = Number(process.env.SECONDS ?? 5);
const RECORDERS = 10;
/** Percent of a core that one recorder of 2 Mbit/s may cost. */
const LIMIT = 3;

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
let missed = false;
const directory = mkdtempSync(join(tmpdir(), 'rivero-recordings-'));
const server = await startRivero();
const client = await connectClient(server.url);
const browser = await launchBrowser();

/** CPU seconds of the server for each second of the next SECONDS. */
async function load() {
  const [cpu, began] = [server.usage().cpuSeconds, performance.now()];
  await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000));
  return (server.usage().cpuSeconds - cpu) / ((performance.now() - began) / 1000);
}

/** The same with recorders; also the bit/s that each of them wrote. */
async function recording(pipeline, endpoint, profile, round) {
  const files = Array.from({ length: RECORDERS }, (_, index) => `file://${directory}/${profile}-${round}-${index}`);
  const recorders = await Promise.all(files.map((uri) => recorderOf(pipeline, endpoint, uri, { mediaProfile: profile })));
  await Promise.all(recorders.map((recorder) => invoke(recorder, 'record')));
  await until(async () => (await recordingStatistics(recorders.at(-1)))?.recordedMillis > 1000, 'media is recorded');
  const before = await recordingStatistics(recorders[0]);
  const cpu = await load();
  const after = await recordingStatistics(recorders[0]);
  await Promise.all(recorders.map((recorder) => invoke(recorder, 'stopAndWait')));
  await Promise.all(recorders.map((recorder) => recorder.release()));
  const bits = (after.bytesWritten - before.bytesWritten) * 8;
  return { cpu, rate: (bits * 1000) / (after.recordedMillis - before.recordedMillis) };
}

try {
  const page = await browser.openProbe();
  const pipeline = await client.create('MediaPipeline');
  console.log('| profile | Mbit/s | without | with 10 recorders | one recorder, % of a core | at 2 Mbit/s |');
  console.log('|---|---|---|---|---|---|');
  for (const [profile, video] of [['WEBM', 'VP8'], ['MP4', 'H264']]) {
    const source = { detail: 120 };
    const endpoint = await publish(page, pipeline, profile, { codecs: { video, audio: 'opus' }, source });
    const without = [];
    const withRecorders = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      without.push(await load());
      withRecorders.push(await recording(pipeline, endpoint, profile, round));
    }
    const [base, busy] = [median(without), median(withRecorders.map(({ cpu }) => cpu))];
    const megabits = median(withRecorders.map(({ rate }) => rate)) / 1e6;
    const one = ((busy - base) / RECORDERS) * 100;
    const atTwo = (one * 2) / megabits;
    const cells = [megabits.toFixed(2), base.toFixed(3), busy.toFixed(3), one.toFixed(2), atTwo.toFixed(2)];
    console.log(`| ${profile} | ${cells.join(' | ')} |`);
    if (!(atTwo < LIMIT)) {
      missed = true;
      console.error(`missed: ${profile} at 2 Mbit/s: ${atTwo.toFixed(2)} % of a core, wanted < ${LIMIT}`);
    }
    await endpoint.release();
  }
} finally {
  await browser.close();
  client.close();
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
}
if (missed) process.exitCode = 1;
