// Twenty viewers of one Composite, each at a port of its own, cost one encoder of pictures and one of sound.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { conversions, metric, noConversionRuns } from '../lib/metrics.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { description, rtpPeer, sectionsOf } from '../lib/rtp-peer.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { until } from '../lib/wait.mjs';

const VIEWERS = 20;
const [PICTURES, SOUND] = ['I420 Raw → VP8 Frame', 'S16LE Raw → OPUS Frame'];

let server, rpc, peer, mediaPipeline;
before(async () => {
  server = await startRivero({ modules: ['hubs', 'rtp', 'codecs'] });
  rpc = await connectRpc(server.url);
  peer = await rtpPeer();
  mediaPipeline = await rpc.create('MediaPipeline');
});
after(async () => {
  peer?.close();
  await rpc?.close();
  await server?.stop();
});

const offer = (port) =>
  description('127.0.0.1', [
    `m=audio ${port} RTP/AVP 96`,
    'a=rtpmap:96 OPUS/48000/2',
    'a=recvonly',
    `m=video ${port} RTP/AVP 97`,
    'a=rtpmap:97 VP8/90000',
    'a=recvonly',
  ]);

/** An endpoint that sends to the peer, with a port of its own, connected both ways as applications do. */
async function viewerOf(hub) {
  const port = await rpc.create('HubPort', { hub });
  const endpoint = await rpc.create('RtpEndpoint', { mediaPipeline });
  await rpc.invoke(port, 'connect', { sink: endpoint });
  await rpc.invoke(endpoint, 'connect', { sink: port });
  await rpc.invoke(endpoint, 'processOffer', { offer: offer(peer.port) });
  return { port, endpoint };
}

const started = (input, output) => metric(server, 'rivero_conversions_started_total', { input, output });
const run = (expected) =>
  until(async () => {
    const running = await conversions(server);
    return running[PICTURES] === expected[0] && running[SOUND] === expected[1];
  }, `${expected} encoders run`).catch(async (error) => {
    throw new Error(`${error.message}: ${JSON.stringify(await conversions(server))}`);
  });

test('twenty ports that see and hear the same share one encoder of each kind', async () => {
  const hub = await rpc.create('Composite', { mediaPipeline, width: 64, height: 64, framerate: 10 });
  const viewers = await Promise.all(Array.from({ length: VIEWERS }, () => viewerOf(hub)));
  // Each endpoint has a source of packets of its own, for each kind.
  const heard = (payloadType) => new Set(peer.packets.filter((packet) => packet.payloadType === payloadType).map(({ ssrc }) => ssrc));
  await until(() => heard(97).size === VIEWERS && heard(96).size === VIEWERS, 'all are seen and heard');
  await run([1, 1]);
  assert.equal(await started('I420 Raw', 'VP8 Frame'), 1);
  assert.equal(await started('S16LE Raw', 'OPUS Frame'), 1);
  for (const { port } of viewers) {
    await until(() => rpc.invoke(port, 'isMediaTranscoding', { mediaType: 'VIDEO' }), 'it is told of its port');
    assert.equal(await rpc.invoke(port, 'isMediaFlowingOut', { mediaType: 'VIDEO' }), true);
  }

  // A view of its own is encoded for itself, until it is given up; so is what somebody hears who may speak.
  const [first, second] = viewers;
  await rpc.invoke(hub, 'setPortLayout', { port: first.port, layout: { name: 'SPEAKER' } });
  await run([2, 1]);
  await rpc.invoke(hub, 'setPortLayout', { port: first.port });
  await run([1, 1]);
  const phone = await rpc.create('RtpEndpoint', { mediaPipeline });
  const [line] = sectionsOf(await rpc.invoke(phone, 'processOffer', { offer: peer.sound() }));
  await rpc.invoke(phone, 'connect', { sink: first.port });
  peer.speak(line.port, { ssrc: 1 });
  await run([1, 2]);
  await rpc.invoke(phone, 'disconnect', { sink: first.port });
  await run([1, 1]);

  // So are bitrates of its own.
  await rpc.invoke(second.port, 'setMaxEncoderBitrate', { maxEncoderBitrate: 100_000 });
  await run([2, 1]);
  await rpc.value('release', { object: second.port });
  await run([1, 1]);

  await rpc.value('release', { object: hub });
  await noConversionRuns(server);
  for (const { endpoint } of viewers) assert.equal(typeof (await rpc.invoke(endpoint, 'getName')), 'string');
});
