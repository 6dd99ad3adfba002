// One presenter and viewers through the server's relay, for longer than
// allocations, permissions, channels and nonces last: 12 minutes with SCALE=10,
// otherwise with lifetimes of seconds. The application says nothing meanwhile.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { invoke } from '../lib/client.mjs';
import { COLOURS, decodesFrames, isConnected, seesColour, seesMotion } from '../lib/media.mjs';
import { PUBLIC } from '../lib/nat.mjs';
import { arrangement, pairOf, turnUrl } from '../lib/traversal.mjs';
import { until } from '../lib/wait.mjs';

const FULL = Number(process.env.SCALE ?? 1) >= 10;
const LIFETIME_S = 8;
const DURATION_MS = FULL ? 12 * 60_000 : 3 * LIFETIME_S * 1000;
const VIEWERS = ['viewer1', 'viewer2', 'viewer3'];
const FRAMES_PER_SECOND = 10; // at the least

const shortened = [
  `--max-allocate-lifetime=${LIFETIME_S}`,
  `--channel-lifetime=${LIFETIME_S}`,
  `--permission-lifetime=${LIFETIME_S}`,
  `--stale-nonce=${LIFETIME_S - 3}`,
];

const parts = arrangement({}, { turn: FULL ? [] : shortened }, ({ internet }) => {
  internet.block(undefined, 'ip daddr 198.51.100.20');
  internet.block(undefined, 'ip6 daddr 2001:db8::20');
});

test('nobody drops', async (t) => {
  const { page, client, calls } = parts;
  const pipeline = await client.create('MediaPipeline');
  const states = [];
  const relayed = async (name, options) => {
    const endpoint = await pipeline.create('WebRtcEndpoint');
    endpoint.on('IceComponentStateChanged', ({ state }) => states.push(`${name} ${state}`));
    await invoke(endpoint, 'setTurnUrl', turnUrl(PUBLIC.v4));
    return { endpoint, open: () => calls.open(name, endpoint, options) };
  };
  const presenter = await relayed('presenter', { send: 'both', receive: false, codecs: { video: 'VP8' } });
  await presenter.open();
  for (const name of VIEWERS) {
    const viewer = await relayed(name, {});
    await invoke(presenter.endpoint, 'connect', viewer.endpoint);
    await viewer.open();
  }
  for (const name of VIEWERS) await seesColour(page, name, COLOURS.red);
  const { local } = await pairOf(presenter.endpoint);
  assert.equal(local.type, 'relay', local.text);
  states.length = 0;

  const begin = performance.now();
  const frames = await Promise.all(VIEWERS.map((name) => page.evaluate((peer) => probe.statistics(peer), name)));
  await until(() => performance.now() - begin > DURATION_MS, 'the time is over', DURATION_MS + 30_000);
  const wanted = (FRAMES_PER_SECOND * DURATION_MS) / 1000;
  for (const [at, name] of VIEWERS.entries()) {
    await isConnected(page, name);
    const { video } = await decodesFrames(page, name, frames[at].video.framesDecoded + wanted);
    t.diagnostic(`${name}: ${video.framesDecoded} frames, ${video.freezes} freezes`);
    await seesMotion(page, name);
  }
  assert.deepEqual(states.filter((state) => /DISCONNECTED|FAILED/.test(state)), []);
});
