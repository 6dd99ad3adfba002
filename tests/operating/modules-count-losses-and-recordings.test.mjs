// What the modules know and tell: packets that RTP has lost, recordings and their failures.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { metric } from '../lib/metrics.mjs';
import { promtool } from '../lib/prometheus.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { rtpPeer, sectionsOf } from '../lib/rtp-peer.mjs';
import { until } from '../lib/wait.mjs';

const folder = mkdtempSync(join(tmpdir(), 'rivero-recordings-'));
let server, rpc, mediaPipeline, peer;
before(async () => {
  server = await startRivero({ modules: ['rtp', 'recorder', 'codecs'] });
  rpc = await connectRpc(server.url);
  mediaPipeline = await rpc.create('MediaPipeline');
  peer = await rtpPeer();
});
after(async () => {
  peer?.close();
  await rpc?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const counts = (name, labels = {}) => metric(server, `rivero_kurento_${name}`, labels);
const recorder = (uri) => rpc.create('RecorderEndpoint', { mediaPipeline, uri, mediaProfile: 'MKV_AUDIO_ONLY' });

test('packets that are missing are counted by direction and codec', async () => {
  const from = await rpc.create('RtpEndpoint', { mediaPipeline });
  const [section] = sectionsOf(await rpc.invoke(from, 'processOffer', { offer: peer.sound() }));
  // Of each ten numbers one is left out.
  peer.speak(section.port, { ssrc: 7, skips: (n) => Math.floor(n / 9) });
  await until(async () => (await counts('rtp_packets_lost_total', { direction: 'in', codec: 'PCMU' })) > 0, 'losses are counted');
  assert.equal(await counts('rtp_packets_lost_total', { direction: 'out' }), 0);
  const file = await recorder(`file://${folder}/sound.mkv`);
  await rpc.invoke(from, 'connect', { sink: file });
  await rpc.invoke(file, 'record');
  assert.equal(await counts('recorders', { state: 'recording' }), 1);
  await until(async () => (await counts('recorder_bytes_total')) > 0, 'bytes are counted');
  await rpc.invoke(file, 'pause');
  const states = async () => [await counts('recorders', { state: 'recording' }), await counts('recorders', { state: 'paused' })];
  assert.deepEqual(await states(), [0, 1]);
  await rpc.invoke(file, 'stopAndWait');
  assert.deepEqual(await states(), [0, 0]);
});

test('a recording that cannot be written is a failure with a reason', async () => {
  writeFileSync(join(folder, 'file'), '');
  // A file is no directory.
  const nowhere = await recorder(`file://${folder}/file/sound.mkv`);
  await rpc.invoke(nowhere, 'record');
  await until(async () => (await counts('recorder_failures_total', { reason: 'open' })) === 1, 'it is counted');
  const page = await (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text();
  assert.deepEqual(promtool(['check', 'metrics'], { input: page }), { status: 0, output: '' });
});
