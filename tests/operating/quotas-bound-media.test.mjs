// Quotas on media: beyond them nothing begins, what runs goes on, and what is given back can be had again.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { connectRpc } from '../lib/rpc.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { rtpPeer, sectionsOf } from '../lib/rtp-peer.mjs';
import { until } from '../lib/wait.mjs';

const QUOTAS = { speaker: { bitrate: 30_000 }, talker: { bytes: 20_000 }, writer: { recordings: 1 } };
const token = (name) => `${name}-0123456789abcdef`;

const folder = mkdtempSync(join(tmpdir(), 'rivero-quotas-'));
let server, peer;
before(async () => {
  const tokens = Object.entries(QUOTAS).map(([name, quotas]) => [name, { value: token(name), quotas }]);
  server = await startRivero({ modules: ['rtp', 'recorder', 'codecs'], config: { auth: { tokens: Object.fromEntries(tokens) } } });
  peer = await rtpPeer();
});
after(async () => {
  peer?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const connect = (name) => connectRpc(`${server.url}?access_token=${token(name)}`);

/** Speaks PCMU at 64 kbit/s to an endpoint; returns how many bytes of it have come so far. */
async function speakTo(rpc, mediaPipeline) {
  const endpoint = await rpc.create('RtpEndpoint', { mediaPipeline });
  const [section] = sectionsOf(await rpc.invoke(endpoint, 'processOffer', { offer: peer.sound() }));
  const stop = peer.speak(section.port, { ssrc: 7 });
  const received = async () => {
    const stats = Object.values(await rpc.invoke(endpoint, 'getStats'));
    return Math.max(...stats.map((one) => one.bytesReceived ?? 0));
  };
  return { endpoint, received, stop };
}

const isRefused = (quota) => (error) => {
  assert.equal(error.code, 40009, error.message);
  assert.match(error.message, new RegExp(`quota ${quota}\\b`));
  return true;
};

/** Creates pipelines until one is refused, or as long as one is. */
const refusal = (rpc) => until(() => rpc.create('MediaPipeline').then(() => null, (error) => error), 'a pipeline is refused');
const room = (rpc) => until(() => rpc.create('MediaPipeline'), 'there is room again');

test('beyond its bitrate a principal begins nothing, and its media goes on', async () => {
  const rpc = await connect('speaker');
  const mediaPipeline = await rpc.create('MediaPipeline');
  const { received, endpoint } = await speakTo(rpc, mediaPipeline);
  isRefused('bitrate')(await refusal(rpc));
  const before = await received();
  assert.ok(before > 0);
  await until(async () => (await received()) > before, 'media goes on');
  // Others are others, and who has fewer endpoints may have more again.
  const other = await connect('writer');
  await other.create('MediaPipeline');
  await rpc.value('release', { object: endpoint });
  await room(rpc);
  for (const one of [rpc, other]) await one.close();
});

test('the bytes of a day are those of all connections, and are not forgotten with the last of them', async () => {
  const rpc = await connect('talker');
  const mediaPipeline = await rpc.create('MediaPipeline');
  await speakTo(rpc, mediaPipeline);
  isRefused('bytes')(await refusal(rpc));
  await rpc.request('closeSession');
  await rpc.close();
  const again = await connect('talker');
  await assert.rejects(again.create('MediaPipeline'), isRefused('bytes'));
  await again.close();
});

test('a recording counts until its file is complete, it fails, or its endpoint goes', async () => {
  const rpc = await connect('writer');
  const mediaPipeline = await rpc.create('MediaPipeline');
  const { endpoint } = await speakTo(rpc, mediaPipeline);
  const recorder = async (path) => {
    const made = await rpc.create('RecorderEndpoint', { mediaPipeline, uri: `file://${folder}/${path}`, mediaProfile: 'MKV_AUDIO_ONLY' });
    await rpc.invoke(endpoint, 'connect', { sink: made });
    return made;
  };
  const [first, second, third] = [await recorder('1.mkv'), await recorder('2.mkv'), await recorder('3.mkv')];
  const record = (which) => rpc.invoke(which, 'record');
  await record(first);
  await assert.rejects(record(second), isRefused('recordings'));
  // One that is paused has its file, and goes on.
  await rpc.invoke(first, 'pause');
  await assert.rejects(record(second), isRefused('recordings'));
  await record(first);
  await rpc.invoke(first, 'stopAndWait');
  await record(second);
  await assert.rejects(record(third), isRefused('recordings'));
  await rpc.value('release', { object: second });
  // What cannot be opened runs no longer than until that is known.
  writeFileSync(join(folder, 'file'), '');
  await until(async () => record(await recorder('file/x.mkv')).then(() => true), 'the released one has ended');
  await until(async () => record(third).then(() => true), 'the one that cannot be opened has ended');
  await rpc.close();
});
