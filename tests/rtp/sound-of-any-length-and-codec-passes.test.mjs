// J04: G722 and AMR as phones send them, packets of all lengths, and offers that change the codec.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import { connectRpc } from '../lib/rpc.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { rtpPeer, sectionsOf } from '../lib/rtp-peer.mjs';
import { until } from '../lib/wait.mjs';

let server, rpc, mediaPipeline, peers;
before(async () => {
  server = await startRivero({ modules: ['rtp', 'codecs'] });
});
beforeEach(async () => {
  rpc = await connectRpc(server.url);
  mediaPipeline = await rpc.create('MediaPipeline');
  peers = [await rtpPeer(), await rtpPeer()];
});
afterEach(async () => {
  peers.forEach((peer) => peer.close());
  await rpc.value('release', { object: mediaPipeline });
  await rpc.close();
});
after(() => server?.stop());

const answer = async (object, offer) => sectionsOf(await rpc.invoke(object, 'processOffer', { offer }))[0];

/** Two endpoints, the first of which feeds the second; with their descriptions' lines. */
async function forwarder(lines, others = lines, formats = '0', otherFormats = formats) {
  const [from, to] = [await rpc.create('RtpEndpoint', { mediaPipeline }), await rpc.create('RtpEndpoint', { mediaPipeline })];
  await rpc.invoke(from, 'connect', { sink: to });
  const fed = await answer(from, peers[0].sound(lines, { formats }));
  const sent = await answer(to, peers[1].sound(others, { formats: otherFormats }));
  return { from, to, fed, sent };
}

const steps = (packets) => packets.slice(1).map(({ timestamp }, i) => (timestamp - packets[i].timestamp) >>> 0);

test('G722 under either clock rate of its description has 160 ticks in 20 ms', async () => {
  const { fed } = await forwarder(['a=rtpmap:9 G722/16000'], ['a=rtpmap:9 G722/8000'], '9');
  peers[0].speak(fed.port, { payloadType: 9, ssrc: 7, sequence: 65_520 });
  const packets = await peers[1].hears(40);
  assert.ok(packets.every(({ payloadType, payload }) => payloadType === 9 && payload.length === 160));
  assert.deepEqual(new Set(steps(packets)), new Set([160]));
});

// Field report 13.
test('G722 that begins with twice the ticks is put right', async () => {
  const { fed } = await forwarder(['a=rtpmap:9 G722/8000'], undefined, '9');
  let sent = 0;
  const timestamp = () => 160 * (sent + Math.min(sent, 15));
  const timer = setInterval(() => (peers[0].send(fed.port, { payloadType: 9, ssrc: 7, sequence: 65_530 + sent, timestamp: timestamp() }), (sent += 1)), 20);
  const packets = await peers[1].hears(40);
  clearInterval(timer);
  assert.deepEqual(new Set(steps(packets)), new Set([160]));
});

test('AMR goes in whole bytes to who speaks that, and without gaps to who does not', async () => {
  const octets = ['a=rtpmap:96 AMR/8000', 'a=fmtp:96 octet-align=1'];
  const { from, fed } = await forwarder(octets, octets, '96');
  const efficient = await rpc.create('RtpEndpoint', { mediaPipeline });
  const third = await rtpPeer();
  peers.push(third);
  await answer(efficient, third.sound(['a=rtpmap:97 AMR/8000'], { formats: '97' }));
  await rpc.invoke(from, 'connect', { sink: efficient });
  // 12.2 kbit/s: 244 bits, of which the last byte has four.
  const frame = (n) => Buffer.from([0xf0, 0x3c, ...Array(30).fill(n & 0xff), 0xa0]);
  peers[0].speak(fed.port, { payloadType: 96, ssrc: 7, payload: frame });
  const packets = await peers[1].hears(40);
  assert.ok(packets.every(({ payload }) => payload.length === 33 && payload[1] === 0x3c));
  const others = await third.hears(40);
  assert.ok(others.every(({ payloadType, payload }) => payloadType === 97 && payload.length === 32));
  assert.deepEqual(new Set(steps(others)), new Set([160]));
  // Mode 7, and the same bits, ten further on than at the beginning of a byte.
  assert.ok(others.every(({ payload }) => (payload.readUInt16BE(0) >> 6) === 0b1111_0_0111_1));
  const bit = (payload, n) => (payload[n >> 3] >> (7 - (n & 7))) & 1;
  const spoken = ({ payload }) => Array.from({ length: 8 }, (_, n) => bit(payload, 10 + n)).join('');
  assert.ok(others.every((packet) => spoken(packet) === Array.from({ length: 8 }, (_, n) => bit(packet.payload, 18 + n)).join('')));
});

test('packets of 10, 40 and 60 ms come in, and leave as they are for who does not mind', async () => {
  const { fed } = await forwarder([]);
  for (const [ssrc, milliseconds] of [[11, 10], [12, 40], [13, 60]]) {
    const bytes = 8 * milliseconds;
    const begin = peers[1].packets.length;
    let sent = 0;
    const packet = () => ({ ssrc, sequence: sent, timestamp: bytes * sent, payload: Buffer.alloc(bytes, milliseconds) });
    const timer = setInterval(() => (peers[0].send(fed.port, packet()), (sent += 1)), milliseconds);
    const own = () => peers[1].packets.slice(begin).filter(({ payload }) => payload[0] === milliseconds);
    await until(() => own().length >= 15, `packets of ${milliseconds} ms`);
    clearInterval(timer);
    assert.ok(own().every(({ payload }) => payload.length === bytes));
    assert.deepEqual(new Set(steps(own())), new Set([bytes]));
  }
});

test('an offer that has another codec only is obeyed at once, and ports stay', async () => {
  const { to, fed, sent } = await forwarder([]);
  peers[0].speak(fed.port, { ssrc: 7 });
  await peers[1].hears(20);
  const begin = peers[1].packets.length;
  const changed = await answer(to, peers[1].sound([], { formats: '8', version: 2 }));
  assert.deepEqual([changed.port, changed.formats, changed.get('ssrc')], [sent.port, ['8'], sent.get('ssrc')]);
  // What comes in is mu-law still: it is converted.
  await until(() => peers[1].packets.slice(begin).filter(({ payloadType }) => payloadType === 8).length > 20, 'A-law');
  // One that has nothing in common is refused, and the former state goes on.
  const refused = await answer(to, peers[1].sound(['a=rtpmap:97 speex/16000'], { formats: '97', version: 3 })).catch((error) => error);
  assert.ok(refused instanceof Error || refused.port === 0);
});
