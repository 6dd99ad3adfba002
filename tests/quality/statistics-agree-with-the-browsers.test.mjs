// What getStats says about streams, beside what the browsers at both ends say about them.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, decodesFrames } from '../lib/media.mjs';
import { startRelay } from '../lib/relay.mjs';
import { until } from '../lib/wait.mjs';

const DELAY_MS = 40; // one way
const LOSS = 5; // percent

let relay;
const rivero = live();
before(() => {
  relay = startRelay();
});
after(() => relay.stop());

/** The browser's own entries of the peer `name`, of one type and kind of media. */
const browsers = (page, name, type, kind) => page.evaluate(([peer, wanted, media]) => probe.rawStatistics(peer, wanted, media), [name, type, kind]);

/** Ours of one type. */
const ours = async (endpoint, kind, type) => Object.values(await endpoint.getStats(kind)).find((entry) => entry.type === type);

/** Neither side's counters stand still: ours lies between two looks at the browser's, give or take what is under way. */
async function agrees(what, look, ask, tolerance) {
  let seen;
  await until(async () => {
    const before = await look();
    const value = await ask();
    const after = await look();
    seen = `${value}, the browser says ${before} to ${after}`;
    return value >= before - tolerance && value <= after + tolerance && value > 0;
  }, `${what} agrees`).catch((error) => {
    throw new Error(`${error.message}: ${seen}`);
  });
}

test('counters of both directions and what is known of the path', async (t) => {
  const pipeline = await rivero.client.create('MediaPipeline');
  const [camera, viewer] = [await pipeline.create('WebRtcEndpoint'), await pipeline.create('WebRtcEndpoint')];
  await invoke(camera, 'connect', viewer);
  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  const paths = { camera: relay.path('camera', 3), viewer: relay.path('viewer', 4) };
  for (const path of Object.values(paths)) await path.set({ up: { delay: DELAY_MS }, down: { delay: DELAY_MS } });
  await page.evaluate((colour) => probe.createSource('source', { colour, scale: 2, detail: 20 }), COLOURS.red);
  await calls.open('camera', camera, { send: 'source', receive: false, codecs: { video: 'VP8' }, path: paths.camera });
  await calls.open('viewer', viewer, { path: paths.viewer });
  await decodesFrames(page, 'viewer', 40);

  for (const kind of ['AUDIO', 'VIDEO']) {
    const media = kind.toLowerCase();
    const sent = (field) => async () => (await browsers(page, 'camera', 'outbound-rtp', media))[field];
    const received = (field) => async () => (await browsers(page, 'viewer', 'inbound-rtp', media))[field];
    const inbound = (field) => async () => (await ours(camera, kind, 'inboundrtp'))[field];
    const outbound = (field) => async () => (await ours(viewer, kind, 'outboundrtp'))[field];
    const few = { packets: 20, bytes: 20_000 };
    await agrees(`${media}: packetsReceived`, sent('packetsSent'), inbound('packetsReceived'), few.packets);
    await agrees(`${media}: bytesReceived`, sent('bytesSent'), inbound('bytesReceived'), few.bytes);
    await agrees(`${media}: packetsSent`, received('packetsReceived'), outbound('packetsSent'), few.packets);
    await agrees(`${media}: bytesSent`, received('bytesReceived'), outbound('bytesSent'), few.bytes);
    assert.equal(await inbound('ssrc')(), String(await sent('ssrc')()));
    assert.equal(await outbound('ssrc')(), String(await received('ssrc')()));
    for (const field of ['packetsLost', 'fractionLost']) assert.equal(await inbound(field)(), 0, `${media}: ${field} before anything is lost`);
    const jitter = await inbound('jitter')();
    assert.ok(jitter > 0 && jitter < 0.2, `${media}: jitter is ${jitter} s`);
    assert.equal(await inbound('codec')(), kind === 'AUDIO' ? 'audio/opus' : 'video/VP8');
    assert.equal(await outbound('codec')(), kind === 'AUDIO' ? 'audio/opus' : 'video/VP8');
    await until(async () => {
      const seconds = await outbound('roundTripTime')();
      return seconds >= (2 * DELAY_MS) / 1000 && seconds < (2 * DELAY_MS) / 1000 + 0.15;
    }, `${media}: the round trip is that of the path`);
  }
  const { transport, frameRate, bitrate } = await ours(camera, 'VIDEO', 'inboundrtp');
  assert.equal(`${transport.iceState} ${transport.dtlsState}`, 'READY CONNECTED');
  assert.match(transport.localCandidate, /^candidate:.* typ (host|prflx)/);
  assert.match(transport.remoteCandidate, /^candidate:/);
  assert.ok(frameRate > 5 && frameRate <= 30, `${frameRate} pictures a second`);
  assert.ok(bitrate > 10_000, `${bitrate} bit/s`);
  const entries = [...Object.values(await camera.getStats()), ...Object.values(await viewer.getStats())];
  const age = (entry) => Math.abs(Date.now() - entry.timestampMillis);
  assert.ok(entries.length >= 4 && entries.every((entry) => age(entry) < 10_000), 'stamped with the time of day');
});

test('losses, and the requests that they cause, are counted alike at both ends', async (t) => {
  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  const pipeline = await rivero.client.create('MediaPipeline');
  const [camera, viewer] = [await pipeline.create('WebRtcEndpoint'), await pipeline.create('WebRtcEndpoint')];
  await invoke(camera, 'connect', viewer);
  const paths = { camera: relay.path('lossy camera', 5), viewer: relay.path('lossy viewer', 6) };
  // Only media is lost: what each side reports reaches the other.
  await paths.camera.set({ up: { delay: 10, loss: LOSS }, down: { delay: 10 } });
  await paths.viewer.set({ up: { delay: 10 }, down: { delay: 10, loss: LOSS } });
  await page.evaluate((colour) => probe.createSource('source', { colour, scale: 2, detail: 30 }), COLOURS.green);
  await calls.open('camera', camera, { send: 'source', receive: false, codecs: { video: 'VP8' }, path: paths.camera });
  await calls.open('viewer', viewer, { path: paths.viewer });
  await decodesFrames(page, 'viewer', 100);

  const sender = () => browsers(page, 'camera', 'outbound-rtp', 'video');
  const receiver = () => browsers(page, 'viewer', 'inbound-rtp', 'video');
  await until(async () => (await ours(camera, 'VIDEO', 'inboundrtp')).nackCount >= 10, 'the server asks for what is lost');
  await agrees('nackCount that we sent', async () => (await sender()).nackCount, async () => (await ours(camera, 'VIDEO', 'inboundrtp')).nackCount, 3);
  await agrees('nackCount that we received', async () => (await receiver()).nackCount, async () => (await ours(viewer, 'VIDEO', 'outboundrtp')).nackCount, 3);
  // There need not have been any: repeated packets may have been enough.
  const begged = async () => (await ours(camera, 'VIDEO', 'inboundrtp')).pliCount + 1;
  await agrees('pliCount that we sent', async () => (await sender()).pliCount + 1, begged, 0);
  const asked = async () => (await ours(viewer, 'VIDEO', 'outboundrtp')).pliCount + 1;
  await agrees('pliCount that we received', async () => (await receiver()).pliCount + 1, asked, 0);
  const remote = await browsers(page, 'camera', 'remote-inbound-rtp', 'audio');
  await agrees('packetsLost of sound that we tell', async () => (await browsers(page, 'camera', 'remote-inbound-rtp', 'audio')).packetsLost, async () => (await ours(camera, 'AUDIO', 'inboundrtp')).packetsLost, 10);
  const heard = async () => (await browsers(page, 'viewer', 'inbound-rtp', 'audio')).packetsLost;
  await agrees('packetsLost of sound that we are told', heard, async () => (await ours(viewer, 'AUDIO', 'outboundrtp')).packetsLost, 10);
  t.diagnostic(`the browser was told of ${remote.packetsLost} lost packets of sound`);
  await until(async () => {
    const { fractionLost } = await ours(viewer, 'AUDIO', 'outboundrtp');
    return fractionLost > 0 && fractionLost < 0.3 * 256;
  }, 'the share of losses is told in 256ths');
  const { retransmittedPacketsSent } = await ours(viewer, 'VIDEO', 'outboundrtp');
  assert.ok(retransmittedPacketsSent > 0);
  await pipeline.release();
});
