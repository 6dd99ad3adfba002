// Two cameras take turns on a stream to nginx with its RTMP module, while 2 % of what they send is lost: picture and sound of
// what FFmpeg plays stay together, and the server's memory is what it was. 20 s of it with SCALE=1, 10 minutes with SCALE=10, an
// hour with SCALE=60.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { SIDES, assertTogether } from '../lib/claps.mjs';
import { fixtureDirectory } from '../lib/fixtures.mjs';
import { live } from '../lib/live.mjs';
import { publish } from '../lib/publisher.mjs';
import { decodesWhole, packets, probe } from '../lib/recording.mjs';
import { startRelay } from '../lib/relay.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { RtmpServer } from '../lib/rtmp-server.mjs';

const SCALE = Number(process.env.SCALE ?? 1);
const SECONDS = SCALE >= 10 ? 60 * SCALE : 20 * SCALE;
const TURN_SECONDS = 10;
const CAMERAS = ['one', 'other'];
const LOSS = 2;
/** Claps of the first five seconds. */
const UNSETTLED = 4;
/** What claps need before and behind them: a switch takes a keyframe. */
const REST_MS = 1700;
const CLAP_MS = 800;
/** KiB by which memory may grow once everything has been there: buffers for pictures, and what the allocator keeps. */
const GROWTH = 24 << 10;

const directory = fixtureDirectory();
const nginx = new RtmpServer();
let rpc, page, relay;
const rivero = live({ modules: ['rtmp', 'webrtc', 'codecs'] }, async ({ server, browser }) => {
  await nginx.start();
  relay = startRelay();
  page = await browser.openProbe();
  rpc = await connectRpc(server.url);
});
after(async () => {
  relay?.stop();
  await rpc?.close();
  await nginx.stop();
});

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

test(`${SECONDS} s of a stream that changes its camera every ${TURN_SECONDS} s`, async () => {
  const pipeline = await rivero.client.create('MediaPipeline');
  const cameras = [];
  for (const [index, name] of CAMERAS.entries()) {
    const path = relay.path(name, index + 1);
    await path.set({ up: { delay: 20, loss: LOSS } });
    const endpoint = await publish(page, pipeline, name, { codecs: { video: 'H264', audio: 'opus' }, source: SIDES[0], path });
    cameras.push({ endpoint, path });
  }
  const publisher = await rpc.create('RtmpPublisher', { mediaPipeline: pipeline.id, uri: nginx.url('soak') });
  await rpc.value('subscribe', { object: publisher, type: 'Disconnected' });
  const onAir = (index) => rpc.invoke(cameras[index].endpoint.id, 'connect', { sink: publisher });
  await onAir(0);
  const stop = await nginx.play('soak', join(directory, 'soak.flv'));

  const begin = performance.now();
  let [claps, turns, memory] = [0, 0, 0];
  while (performance.now() - begin < SECONDS * 1000) {
    const end = begin + (turns + 1) * TURN_SECONDS * 1000;
    await pause(REST_MS);
    while (performance.now() + CLAP_MS + REST_MS < end) {
      claps += 1;
      const { colour, toneHz } = SIDES[claps % 2];
      // Both at once, so that a switch is nothing but a switch.
      await page.evaluate(([names, ...side]) => names.forEach((name) => probe.clap(name, ...side)), [CAMERAS, colour, toneHz]);
      await pause(CLAP_MS);
    }
    await pause(Math.max(0, end - performance.now()));
    turns += 1;
    await onAir(turns % CAMERAS.length);
    // From when both were there once.
    if (turns === CAMERAS.length) memory = rivero.server.usage().rssKib;
  }
  await pause(REST_MS);
  const grown = rivero.server.usage().rssKib - memory;
  const file = await stop();

  console.log(`# ${turns} turns, ${claps} claps, memory ${memory} KiB and ${grown} KiB more`);
  assert.deepEqual(rpc.events.filter(({ object, type }) => object === publisher && type === 'Disconnected'), [], 'one connection');
  for (const { path } of cameras) assert.ok((await path.counts()).up.lost > 0);
  await decodesWhole(file);
  const { video, audio } = await probe(file);
  assert.deepEqual([video.codec_name, audio.codec_name], ['h264', 'aac']);
  for (const stream of ['v', 'a']) {
    const times = (await packets(file, stream)).map(({ time }) => time);
    assert.ok(times.every((time, index) => index === 0 || time > times[index - 1]), `stamps of ${stream} go up`);
  }
  await assertTogether(file, claps, UNSETTLED);
  assert.ok(grown < GROWTH, `memory grew by ${grown} KiB`);
  await pipeline.release();
});
