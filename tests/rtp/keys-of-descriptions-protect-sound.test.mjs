// SDES (RFC 4568): each suite, given and random keys, FFmpeg as either end, a description that only says RTP/AVP.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import { connectRpc } from '../lib/rpc.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { description, rtpPeer, sectionsOf } from '../lib/rtp-peer.mjs';
import { until } from '../lib/wait.mjs';

const KEY = 'PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR';

let server, rpc, pipeline, peers;
before(async () => {
  server = await startRivero({ modules: ['rtp'] });
});
beforeEach(async () => {
  rpc = await connectRpc(server.url);
  pipeline = await rpc.create('MediaPipeline');
  peers = [await rtpPeer(), await rtpPeer()];
});
afterEach(async () => {
  peers.forEach((peer) => peer.close());
  await rpc.value('release', { object: pipeline });
  await rpc.close();
});
after(() => server?.stop());

const endpoint = (crypto) => rpc.create('RtpEndpoint', { mediaPipeline: pipeline, ...(crypto && { crypto }) });
const answer = (object, offer) => rpc.invoke(object, 'processOffer', { offer }).then((sdp) => sectionsOf(sdp)[0]);

test('sound crosses between two endpoints under each suite, both ways round a sequence wrap', async () => {
  for (const [crypto, size] of [['AES_128_CM_HMAC_SHA1_80', 30], ['AES_128_CM_HMAC_SHA1_32', 30], ['AES_256_CM_HMAC_SHA1_80', 46], ['AES_256_CM_HMAC_SHA1_32', 46]]) {
    const [inwards, offering, answering, outwards] = [await endpoint(), await endpoint({ crypto, key: 'k'.repeat(size) }), await endpoint({ crypto }), await endpoint()];
    await rpc.invoke(inwards, 'connect', { sink: offering });
    await rpc.invoke(answering, 'connect', { sink: outwards });
    const fed = await answer(inwards, peers[0].sound());
    await answer(outwards, peers[1].sound());
    const offer = await rpc.invoke(offering, 'generateOffer', { options: { offerToReceiveVideo: false } });
    const reply = await rpc.invoke(answering, 'processOffer', { offer });
    await rpc.invoke(offering, 'processAnswer', { answer: reply });
    const [ours, theirs] = [sectionsOf(offer)[0], sectionsOf(reply)[0]];
    assert.deepEqual([ours.profile, theirs.profile], ['RTP/SAVPF', 'RTP/SAVPF']);
    assert.notEqual(ours.get('crypto'), theirs.get('crypto'));
    const stop = peers[0].speak(fed.port, { ssrc: 7, sequence: 65_500, payload: (n) => Buffer.alloc(160, n & 0xff) });
    const packets = await peers[1].hears(50, `sound under ${crypto}`);
    assert.ok(packets.every(({ payload }) => new Set(payload).size === 1));
    stop();
    // A session refresh with the same keys after the wrap changes nothing.
    const again = await rpc.invoke(offering, 'generateOffer');
    assert.equal(sectionsOf(again)[0].get('crypto'), ours.get('crypto'));
    await rpc.invoke(offering, 'processAnswer', { answer: await rpc.invoke(answering, 'processOffer', { offer: again }) });
    peers[0].speak(fed.port, { ssrc: 7, sequence: 100 });
    await peers[1].hears(20, `sound under ${crypto} after a refresh`);
    await Promise.all([inwards, offering, answering, outwards].map((object) => rpc.value('release', { object })));
    peers.forEach((peer) => peer.close());
    peers = [await rtpPeer(), await rtpPeer()];
  }
});

test('FFmpeg sends and receives with keys in a plain profile, while its numbers begin anew', async () => {
  const [from, to] = [await endpoint(), await endpoint()];
  await rpc.invoke(from, 'connect', { sink: to });
  const lines = [`a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${KEY}`];
  const [fed, out] = [await answer(from, peers[0].sound(lines)), await answer(to, peers[1].sound(lines))];
  assert.equal(fed.profile, 'RTP/AVP');
  assert.match(fed.get('crypto'), /^1 AES_CM_128_HMAC_SHA1_80 inline:/);
  const suite = ['-srtp_out_suite', 'AES_CM_128_HMAC_SHA1_80', '-srtp_out_params', KEY];
  const sender = spawn('ffmpeg', ['-v', 'error', '-re', '-f', 'lavfi', '-i', 'sine=440:r=8000', '-c:a', 'pcm_mulaw', '-f', 'rtp', '-seq', '65530', ...suite, `srtp://127.0.0.1:${fed.port}`]);
  const { port } = peers[1];
  peers.pop().close();
  const text = description('127.0.0.1', [`m=audio ${port} RTP/AVP 0`, `a=crypto:${out.get('crypto')}`]);
  const receiver = spawn('ffmpeg', ['-v', 'error', '-protocol_whitelist', 'pipe,udp,rtp,srtp,file', '-f', 'sdp', '-i', 'pipe:0', '-t', '2', '-af', 'volumedetect', '-v', 'info', '-f', 'null', '-'], { stdio: ['pipe', 'ignore', 'pipe'] });
  receiver.stdin.end(text);
  let said = '';
  receiver.stderr.on('data', (data) => (said += data));
  try {
    await until(() => /max_volume: (-?[\d.]+) dB/.exec(said), 'FFmpeg hears the tone');
    const [, loudest] = /max_volume: (-?[\d.]+) dB/.exec(said);
    assert.ok(Number(loudest) < -10 && Number(loudest) > -25, `a tone and no noise: ${loudest} dB`);
  } finally {
    sender.kill();
    receiver.kill();
  }
});

test('keys that do not fit are told', async () => {
  const crypto = 'AES_128_CM_HMAC_SHA1_80';
  await assert.rejects(endpoint({ crypto, key: 'short' }), { code: 40107 });
  await assert.rejects(endpoint({ crypto, keyBase64: '!' }), { code: 40107 });
  await assert.rejects(endpoint({ crypto: 'AES_1' }), { code: 40001 });
  await endpoint({ key: 'without a suite' });
  const plain = await answer(await endpoint({ crypto }), peers[0].sound());
  assert.equal(plain.port, 0);
});

test('a key with a lifetime and an identifier is answered by its tag, with one that has neither', async () => {
  const [from, to] = [await endpoint(), await endpoint()];
  await rpc.invoke(from, 'connect', { sink: to });
  const fed = await answer(from, peers[0].sound());
  const section = await answer(to, peers[1].sound([`a=crypto:4 AES_CM_128_HMAC_SHA1_32 inline:${KEY}|2^20|1:4`]));
  assert.match(section.get('crypto'), /^4 AES_CM_128_HMAC_SHA1_32 inline:[A-Za-z0-9+/=]{40}$/);
  peers[0].speak(fed.port, { ssrc: 7 });
  const packets = await peers[1].hears(10);
  // Our own key has no identifier: a tag of four bytes is all there is behind the sound.
  assert.ok(packets.every(({ payload }) => payload.length === 164));
});
