// How soon a viewer notices its network: `tests/netns.sh node tests/bench/weak-viewer.mjs` (part of `make bench`).
//
// A viewer of simulcast is throttled to 300 kbit/s and let go again; a viewer of one encoding is
// in darkness for ten seconds, and then its camera is. Medians of the rounds, in ms, each with the bound that it is to keep.
// Then viewers behind lossy networks of every kind, six at a time: none may stand still for longer.

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
const LOSSES = [1, 5, 10];
const LOSSY = [0, 30, 100].flatMap((jitter) => [0, 10].map((reorder) => ({ delay: 20, jitter, reorder, reorderDelay: 30 })));
const WATCHED_MS = 10_000 * ROUNDS;

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

/** A camera and viewers, each behind a network of its own. */
async function watch({ client, browser }, relay, name, networks) {
  const pipeline = await client.create('MediaPipeline');
  const camera = await pipeline.create('WebRtcEndpoint');
  const page = await browser.openProbe();
  const calls = await Calls.on(page);
  await page.evaluate((colour) => probe.createSource('source', { colour }), COLOURS.blue);
  const own = relay.path(`${name} camera`);
  await calls.open('camera', camera, { send: 'source', receive: false, codecs: { video: 'VP8' }, path: own });
  const open = async (conditions, index) => {
    const viewer = `${name} ${index}`;
    const endpoint = await pipeline.create('WebRtcEndpoint');
    // The camera is to go on as before, whatever the viewers' networks are like.
    await invoke(endpoint, 'setMinVideoSendBandwidth', 400);
    await invoke(camera, 'connect', endpoint);
    const path = relay.path(viewer, index + 1);
    await path.set({ up: conditions, down: conditions });
    await calls.open(viewer, endpoint, { path });
    await decodesFrames(page, viewer, 1);
    await page.evaluate((sink) => probe.watchPictures(sink), viewer);
    const shown = (since) => page.evaluate(([sink, begin]) => probe.shownPictures(sink, begin), [viewer, since]);
    return { path, shown };
  };
  const viewers = await Promise.all(networks.map(open));
  const now = () => page.evaluate(() => performance.now());
  const end = async () => {
    await pipeline.release();
    await page.close();
  };
  return { camera: { path: own }, viewers, now, end };
}

/** Rounds of darkness at one side, `viewer` or `camera`: until the first picture after it. */
async function darkness(parts, relay, side) {
  const { camera, viewers, now, end } = await watch(parts, relay, `dark ${side}`, [USUAL]);
  const [viewer] = viewers;
  const { path } = { camera, viewer }[side];
  const recoveries = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    await path.set({ up: DARK, down: DARK });
    await pause(DARKNESS_MS);
    await path.set({ up: USUAL, down: USUAL });
    const light = await now();
    const first = await until(async () => (await viewer.shown(light)).first, 'a picture comes after the darkness');
    recoveries.push(Math.round(first - light));
    await pause(2000);
  }
  await end();
  return recoveries;
}

/** The longest pause between pictures behind each kind of network that loses so much. */
async function losses(parts, relay, loss) {
  const networks = LOSSY.map((conditions) => ({ ...conditions, loss }));
  const { viewers, now, end } = await watch(parts, relay, `${loss} % lost`, networks);
  const begin = await now();
  await pause(WATCHED_MS);
  const pauses = await Promise.all(viewers.map(async ({ shown }) => Math.round((await shown(begin)).longestGap)));
  await end();
  return pauses;
}

const relay = startRelay();
const server = await startRivero();
const client = await connectClient(server.url);
const browser = await launchBrowser();
const parts = { client, browser };
let missed = false;
try {
  console.log('| a weak viewer, ms | figure | all | at most |');
  console.log('|---|---|---|---|');
  const row = (name, figure, values, bound) => {
    console.log(`| ${name} | ${figure} | ${values.join(', ')} | ${bound} |`);
    if (figure <= bound) return;
    missed = true;
    console.error(`missed: ${name}: ${figure} ms, wanted at most ${bound}`);
  };
  const middle = (name, values, bound) => row(`${name}, median`, median(values), values, bound);
  const { falls, rises } = await throttle(parts, relay);
  middle('throttled to 300 kbit/s → the low encoding', falls, 3000);
  middle('no longer throttled → the high encoding', rises, 5000);
  for (const side of ['viewer', 'camera']) {
    middle(`10 s of darkness of the ${side} → the first picture`, await darkness(parts, relay, side), 3000);
  }
  for (const loss of LOSSES) {
    const pauses = await losses(parts, relay, loss);
    row(`${loss} % lost, jitter 0, 30, 100 ms, without and with reordering: the longest pause`, Math.max(...pauses), pauses, 2000);
  }
} finally {
  await browser.close();
  client.close();
  await server.stop();
  relay.stop();
}
if (missed) process.exitCode = 1;
