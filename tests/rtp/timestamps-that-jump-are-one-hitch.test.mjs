// Gateways that park a call, or change from a ringing tone to speech, go on at the same SSRC with timestamps from somewhere
// else; those that transfer one come with a new SSRC and say nothing. Who listens gets one stream that goes on.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { connectRpc } from '../lib/rpc.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { rtpPeer, sectionsOf } from '../lib/rtp-peer.mjs';

const MINUTE = 60 * 8000;

let server, rpc, mediaPipeline, caller, listener, port;
before(async () => {
  server = await startRivero({ modules: ['rtp'] });
  rpc = await connectRpc(server.url);
  mediaPipeline = await rpc.create('MediaPipeline');
  [caller, listener] = [await rtpPeer(), await rtpPeer()];
  const [from, to] = [await rpc.create('RtpEndpoint', { mediaPipeline }), await rpc.create('RtpEndpoint', { mediaPipeline })];
  await rpc.invoke(from, 'connect', { sink: to });
  const [section] = sectionsOf(await rpc.invoke(from, 'processOffer', { offer: caller.sound() }));
  await rpc.invoke(to, 'processOffer', { offer: listener.sound() });
  port = section.port;
});
after(async () => {
  [caller, listener].forEach((peer) => peer?.close());
  await rpc?.close();
  await server?.stop();
});

/** How much further the time of each packet is than that of the one before, in packets of 20 ms. */
const steps = (packets) => packets.slice(1).map(({ timestamp }, i) => ((timestamp - packets[i].timestamp) | 0) / 160);

for (const [how, jump, ssrc] of [['two minutes ahead', 2 * MINUTE, 5], ['three seconds ahead', 24_000, 6], ['back to the beginning', -20 * MINUTE, 7]]) {
  test(`timestamps that jump ${how} are passed on as the time that passed`, async () => {
    const begin = listener.packets.length;
    const stop = caller.speak(port, { ssrc, sequence: 65_500, timestamp: 30 * MINUTE });
    await listener.hears(25);
    const { sequence, timestamp } = stop();
    const stopAgain = caller.speak(port, { ssrc, sequence, timestamp: timestamp + jump });
    await listener.hears(50, 'sound behind the jump');
    stopAgain();
    const packets = listener.packets.slice(begin);
    assert.equal(new Set(packets.map(({ ssrc }) => ssrc)).size, 1);
    assert.ok(packets.every((packet, i) => i === 0 || packet.sequence === ((packets[i - 1].sequence + 1) & 0xffff)), 'no number is left out');
    const all = steps(packets);
    const odd = all.filter((step) => step !== 1);
    assert.ok(odd.length <= 1, `one hitch: ${odd}`);
    assert.ok(odd.every((step) => step > 0 && step < 25), `of less than half a second: ${odd}`);
  });
}

test('a transfer to another source, of which nobody says a word, is heard at once', async () => {
  const stop = caller.speak(port, { ssrc: 8, sequence: 21_294, timestamp: 5 * MINUTE, payload: () => Buffer.alloc(160, 8) });
  await listener.hears(25);
  const before = listener.packets.at(-1);
  stop();
  caller.speak(port, { ssrc: 9, sequence: 12_676, timestamp: 0, payload: () => Buffer.alloc(160, 9) });
  const packets = await listener.hears(25, 'sound of the other source');
  const first = packets.find(({ payload }) => payload[0] === 9);
  assert.ok(first.at - before.at < 500, `within ${first.at - before.at} ms, and not after a silence that would have to be waited for`);
  const all = [before, ...packets];
  assert.ok(all.every((packet, i) => i === 0 || packet.sequence === ((all[i - 1].sequence + 1) & 0xffff)));
  assert.ok(steps(all).every((step) => step > 0 && step < 25));
});
