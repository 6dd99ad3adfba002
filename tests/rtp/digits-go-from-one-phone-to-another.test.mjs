// Telephone events (RFC 4733) that one peer dials are heard by those that hear it: under their own numbers, in their own clock,
// also where the sound is converted on the way. Field report 14.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { connectRpc } from '../lib/rpc.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { rtpPeer, sectionsOf } from '../lib/rtp-peer.mjs';
import { until } from '../lib/wait.mjs';

const PCMU = { formats: '0 101', lines: ['a=rtpmap:0 PCMU/8000', 'a=rtpmap:101 telephone-event/8000', 'a=fmtp:101 0-15'] };
const KINDS = [
  { name: 'the same sound under another number', formats: '0 121', lines: ['a=rtpmap:121 telephone-event/8000'], type: 121, rate: 8 },
  { name: 'sound that is converted, and another clock', formats: '96 110', lines: ['a=rtpmap:96 opus/48000/2', 'a=rtpmap:110 telephone-event/48000'], type: 110, rate: 48 },
  { name: 'no digits', formats: '0', lines: [], type: null },
];

let server, rpc, mediaPipeline, caller;
before(async () => {
  server = await startRivero({ modules: ['rtp', 'codecs'] });
  rpc = await connectRpc(server.url);
  mediaPipeline = await rpc.create('MediaPipeline');
  caller = await phone(PCMU);
});
after(async () => {
  caller?.peer.close();
  await rpc?.close();
  await server?.stop();
});

/** A phone with its endpoint, and the port that it sends to. */
async function phone({ lines, formats }) {
  const peer = await rtpPeer();
  const endpoint = await rpc.create('RtpEndpoint', { mediaPipeline });
  const [section] = sectionsOf(await rpc.invoke(endpoint, 'processOffer', { offer: peer.sound(lines, { formats }) }));
  return { peer, endpoint, port: section.port };
}

/** Dials a digit as phones do: an update every 50 ms, and the end three times. */
async function dial(timestamp, digit, milliseconds) {
  const packet = (elapsed, end) => {
    const duration = elapsed * 8;
    const payload = Buffer.from([digit, end ? 0x8a : 0x0a, duration >> 8, duration & 255]);
    caller.peer.send(caller.port, { payloadType: 101, ssrc: 7, sequence: (dial.sequence = (dial.sequence ?? 0) + 1), timestamp, payload });
  };
  for (let elapsed = 50; elapsed < milliseconds; elapsed += 50) {
    packet(elapsed, false);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  for (let end = 0; end < 3; end += 1) packet(milliseconds, true);
}

for (const { name, type, rate, ...kind } of KINDS) {
  test(`digits go to a phone with ${name}`, async () => {
    const callee = await phone(kind);
    await rpc.invoke(caller.endpoint, 'connect', { sink: callee.endpoint });
    const stop = caller.peer.speak(caller.port, { ssrc: 8 });
    await callee.peer.hears(10, 'sound arrives');
    const begin = callee.peer.packets.length;
    await dial(1000, 5, 180);
    await dial(9000, 5, 120);
    await dial(20_000, 11, 60);
    await callee.peer.hears(60, 'sound goes on');
    const events = callee.peer.packets.slice(begin).filter(({ payloadType }) => payloadType === type);
    const isEnd = ({ payload }) => payload[1] >= 0x80;
    if (type === null) {
      assert.deepEqual(events, []);
    } else {
      await until(() => callee.peer.packets.filter((packet) => packet.payloadType === type && isEnd(packet)).length >= 9, 'three ends of three digits');
      const all = callee.peer.packets.slice(begin).filter(({ payloadType }) => payloadType === type);
      const stamps = [...new Set(all.map(({ timestamp }) => timestamp))];
      const digits = stamps.map((stamp) => all.filter(({ timestamp }) => timestamp === stamp));
      assert.deepEqual(digits.map((packets) => packets[0].payload[0]), [5, 5, 11], 'one time stamp for each');
      assert.deepEqual(digits.map((packets) => packets.at(-1).payload.readUInt16BE(2) / rate), [180, 120, 60]);
      assert.ok(digits.every((packets) => packets.every(({ marker }, index) => marker === (index === 0))));
    }
    const numbers = callee.peer.packets.slice(begin).map(({ sequence }) => sequence);
    assert.ok(numbers.every((number, index) => index === 0 || number === ((numbers[index - 1] + 1) & 0xffff)), `no number is left out: ${numbers}`);
    stop();
    callee.peer.close();
    await rpc.value('release', { object: callee.endpoint });
  });
}
