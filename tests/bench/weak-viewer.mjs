// How soon a viewer notices its network: `tests/netns.sh node tests/bench/weak-viewer.mjs` (part of `make bench`).
//
// A viewer of simulcast is throttled to 300 kbit/s and let go again; a viewer of one encoding is
// in darkness for ten seconds, and another one behind a lossy network. Medians of the rounds, in
// ms, each with the bound that it is to keep.

import { launchBrowser } from '../lib/browser.mjs';
import { Calls } from '../lib/calls.mjs';
import { connectClient, invoke } from '../lib/client.mjs';
import { COLOURS, decodesFrames } from '../lib/media.mjs';
import { startRelay } from '../lib/relay.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { until } from '../lib/wait.mjs';
import { openWeakViewer } from '../lib/weak-viewer.mjs';

const ROUNDS = Number(process.env.ROUNDS ?? 3);
const USUAL = { delay: 20, loss: 1 };
const DARK = { loss: 100 };
const DARKNESS_MS = 10_000;
const BAD = { delay: 20, loss: 10, jitter: 100, reorder: 10, reorderDelay: 30 };
const WATCHED_MS = 10_000;

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Rounds of a throttle: until the low encoding is there, and the high one again. */
async function throttle(parts, relay) {
  const viewer = await openWeakViewer(parts, relay);
  const [falls, rises] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    falls.push(await viewer.fall());
    await pause(4000 + round * 700); // not always at the same time between two probes
    rises.push(await viewer.rise());
    await pause(3000);
  }
  await viewer.pipeline.release();
  return { falls, rises };
}

/** A camera and a viewer behind a network of these conditions. */
async function watch({ client, browser }, relay, name, conditions) {
  const pipeline = await client.create('MediaPipeline');
  const [camera, viewer] = [await pipeline.create('WebRtcEndpoint'), await pipeline.create('WebRtcEndpoint')];
  // The camera is to go on as before, whatever the viewer's network is like.
  await invoke(viewer, 'setMinVideoSendBandwidth', 400);
  await invoke(camera, 'connect', viewer);
  const page = await browser.openProbe();
  const calls = await Calls.on(page);
  await page.evaluate((colour) => probe.createSource('source', { colour }), COLOURS.blue);
  await calls.open('camera', camera, { send: 'source', receive: false, codecs: { video: 'VP8' } });
  const path = relay.path(name);
  await path.set({ up: conditions, down: conditions });
  await calls.open('viewer', viewer, { path });
  await decodesFrames(page, 'viewer', 1);
  await page.evaluate(() => probe.watchPictures('viewer'));
  const now = () => page.evaluate(() => performance.now());
  const shown = (since) => page.evaluate((begin) => probe.shownPictures('viewer', begin), since);
  return { pipeline, page, path, now, shown };
}

/** Rounds of darkness: until the first picture after it. */
async function darkness(parts, relay) {
  const { pipeline, page, path, now, shown } = await watch(parts, relay, 'dark', USUAL);
  const recoveries = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    await path.set({ up: DARK, down: DARK });
    await pause(DARKNESS_MS);
    await path.set({ up: USUAL, down: USUAL });
    const light = await now();
    const first = await until(async () => (await shown(light)).first, 'a picture comes after the darkness');
    recoveries.push(Math.round(first - light));
    await pause(2000);
  }
  await pipeline.release();
  await page.close();
  return recoveries;
}

/** Rounds of watching through a lossy network: the longest pause between pictures. */
async function losses(parts, relay) {
  const { pipeline, page, now, shown } = await watch(parts, relay, 'lossy', BAD);
  const pauses = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const begin = await now();
    await pause(WATCHED_MS);
    pauses.push(Math.round((await shown(begin)).longestGap));
  }
  await pipeline.release();
  await page.close();
  return pauses;
}

const relay = startRelay();
const server = await startRivero();
const client = await connectClient(server.url);
const browser = await launchBrowser();
const parts = { client, browser };
let missed = false;
try {
  console.log('| a weak viewer, ms | median | all | at most |');
  console.log('|---|---|---|---|');
  const row = (name, values, bound) => {
    const middle = median(values);
    console.log(`| ${name} | ${middle} | ${values.join(', ')} | ${bound} |`);
    if (middle <= bound) return;
    missed = true;
    console.error(`missed: ${name}: ${middle} ms, wanted at most ${bound}`);
  };
  const { falls, rises } = await throttle(parts, relay);
  row('throttled to 300 kbit/s → the low encoding', falls, 3000);
  row('no longer throttled → the high encoding', rises, 5000);
  row('10 s of darkness → the first picture', await darkness(parts, relay), 3000);
  row('10 % lost, 100 ms of jitter, reordered: the longest pause', await losses(parts, relay), 2000);
} finally {
  await browser.close();
  client.close();
  await server.stop();
  relay.stop();
}
if (missed) process.exitCode = 1;
