// J03, J04: offers and answers of plain RTP, sound in both directions, reports, statistics, states, good-bye.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import { connectRpc } from '../lib/rpc.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { description, goodbye, receiverReport, rtpPeer, sectionsOf } from '../lib/rtp-peer.mjs';
import { until } from '../lib/wait.mjs';

const RANGE = { 'kurento/BaseRtpEndpoint.conf.ini': 'minPort=30001\nmaxPort=30041\n' };
const SR = 200;
const RR = 201;
const SDES = 202;
const BYE = 203;

let server, rpc, pipeline, peers;
before(async () => {
  server = await startRivero({ modules: ['rtp', 'passthrough'], moduleConfig: RANGE });
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

const endpoint = (params = {}) => rpc.create('RtpEndpoint', { mediaPipeline: pipeline, ...params });
const answer = (object, offer) => rpc.invoke(object, 'processOffer', { offer }).then(sectionsOf);
const state = (object, type) => rpc.events.filter((event) => event.object === object && event.type === type).at(-1)?.data.newState;

/** Two endpoints, the first of which feeds the second, with their peers. */
async function forwarder(lines = [], options = {}) {
  const [from, to] = [await endpoint(), await endpoint()];
  for (const object of [from, to]) {
    for (const type of ['MediaStateChanged', 'ConnectionStateChanged', 'MediaSessionStarted']) await rpc.value('subscribe', { object, type });
  }
  await rpc.invoke(from, 'connect', { sink: to });
  const [[first], [second]] = [await answer(from, peers[0].sound(lines, options)), await answer(to, peers[1].sound(lines, options))];
  return { from, to, first, second };
}

test('sound goes on from one peer to another under numbers of its own', async () => {
  const { from, to, first, second } = await forwarder();
  for (const section of [first, second]) {
    assert.equal(section.port % 2, 0);
    assert.equal(section.get('rtcp'), String(section.port + 1));
    assert.ok(section.port >= 30_001 && section.port < 30_041);
    assert.equal(section.profile, 'RTP/AVP');
  }
  assert.equal(state(from, 'ConnectionStateChanged'), 'CONNECTED');
  const payload = (n) => Buffer.alloc(160, n & 0xff);
  peers[0].speak(first.port, { ssrc: 7, sequence: 65_500, payload });
  const packets = await peers[1].hears(100);
  assert.deepEqual(new Set(packets.map(({ ssrc }) => ssrc)), new Set([Number(second.get('ssrc').split(' ')[0])]));
  assert.ok(packets.every((packet, i) => i === 0 || packet.sequence === ((packets[i - 1].sequence + 1) & 0xffff)));
  assert.ok(packets.every((packet, i) => i === 0 || ((packet.timestamp - packets[i - 1].timestamp) >>> 0) === 160));
  assert.ok(packets.every((packet, i) => i === 0 || packet.payload[0] === ((packets[i - 1].payload[0] + 1) & 0xff)));
  assert.deepEqual(new Set(packets.map(({ from: address }) => address)), new Set([`127.0.0.1:${second.port}`]));
  // No RTCP comes from the sender: media is alive all the same.
  await until(() => state(from, 'MediaStateChanged') === 'CONNECTED', 'media is alive');
  const stats = Object.values(await rpc.invoke(from, 'getStats'));
  const received = stats.find(({ type }) => type === 'inboundrtp');
  assert.ok(received.packetsReceived >= 100 && received.ssrc === '7' && received.codec === 'audio/PCMU');
  const sent = Object.values(await rpc.invoke(to, 'getStats', { mediaType: 'AUDIO' })).find(({ type }) => type === 'outboundrtp');
  assert.ok(sent.packetsSent >= 100);

  // Reports are whole compounds, and by them leave the next port; the last one says good-bye.
  await until(() => peers[1].reports.some(({ type }) => type === SR), 'a sender report');
  await until(() => peers[0].reports.some(({ type }) => type === RR), 'a receiver report');
  await rpc.value('release', { object: to });
  await until(() => peers[1].reports.some(({ type }) => type === BYE), 'a good-bye');
  for (const [peer, section] of [[peers[0], first], [peers[1], second]]) {
    assert.ok(peer.reports.filter(({ first: begins }) => begins).every(({ type }) => type === SR || type === RR));
    assert.ok(peer.reports.some(({ type, body }) => type === SDES && body[4] === 1 && body[5] > 0), 'a canonical name');
    assert.ok(peer.reports.every(({ from: address }) => address === `127.0.0.1:${section.port + 1}`));
  }
});

test('reports that come to the port of RTP count; a good-bye ends media, and a new source goes on at once', async () => {
  const { from, first } = await forwarder();
  const stop = peers[0].speak(first.port, { ssrc: 7, sequence: 21_294 });
  await peers[1].hears(10);
  const { sequence } = stop();
  await until(() => state(from, 'MediaStateChanged') === 'CONNECTED', 'media is alive');
  peers[0].report(first.port, [receiverReport(9), goodbye(7)], peers[0].rtp);
  const ended = () => rpc.events.some(({ object, type, data }) => object === from && type === 'MediaStateChanged' && data.newState === 'DISCONNECTED');
  await until(ended, 'the good-bye counts');
  // A transfer on the same ports, of which nobody says a word.
  const before = peers[1].packets.at(-1);
  peers[0].speak(first.port, { ssrc: 8, sequence: (sequence + 40_000) & 0xffff });
  const [next] = await peers[1].hears(10, 'sound of the new source');
  assert.equal(next.sequence, (before.sequence + 1) & 0xffff);
  await until(() => state(from, 'MediaStateChanged') === 'CONNECTED', 'media is alive again');
});

test('J03: a port is shared where the peer offers it, and timely feedback is where its profile has it', async () => {
  const { first } = await forwarder(['a=rtcp-mux'], { profile: 'RTP/AVPF' });
  assert.ok(first.attributes.includes('rtcp-mux') && first.get('rtcp') === undefined);
  const begin = performance.now();
  peers[0].speak(first.port, { ssrc: 7 });
  await until(() => peers[0].reports.filter(({ first: begins }) => begins).length >= 3, 'three reports');
  assert.ok(performance.now() - begin < 3500, 'two a second');
  assert.ok(peers[0].reports.every(({ from: address }) => address === `127.0.0.1:${first.port}`));
});

test('J04: an answer may number formats otherwise, and another answer replaces the first', async () => {
  const [source, caller] = [await endpoint(), await endpoint()];
  await rpc.invoke(source, 'connect', { sink: caller });
  const [fed] = await answer(source, peers[0].sound());
  peers[0].speak(fed.port, { ssrc: 7 });
  const offer = await rpc.invoke(caller, 'generateOffer');
  const [audio, video] = sectionsOf(offer);
  assert.deepEqual([audio.formats.join(' '), video.formats.join(' ')], ['96 0 8 97', '105 106 107 108 109']);
  const reply = (port, formats, rtpmap) => description('127.0.0.1', [`m=audio ${port} RTP/AVP ${formats}`, ...rtpmap, 'm=video 0 RTP/AVP 96']);
  const early = reply(peers[1].port, '99', ['a=rtpmap:99 PCMU/8000']);
  await rpc.invoke(caller, 'processAnswer', { answer: early });
  const announced = await peers[1].hears(20);
  assert.ok(announced.every(({ payloadType }) => payloadType === 99));
  await assert.rejects(rpc.invoke(caller, 'processAnswer', { answer: early }), { code: 40210 });
  const final = await rtpPeer();
  peers.push(final);
  await rpc.invoke(caller, 'processAnswer', { answer: reply(final.port, '0', []) });
  const packets = await final.hears(20);
  assert.ok(packets.every(({ payloadType, ssrc }) => payloadType === 0 && ssrc === announced[0].ssrc));
  const gap = (packets[0].sequence - announced.at(-1).sequence) & 0xffff;
  assert.ok(gap > 0 && gap < 200, 'numbers go on');
});

test('sound is put together as long as the peer asks for', async () => {
  const [from, to] = [await endpoint(), await endpoint()];
  await rpc.invoke(from, 'connect', { sink: to });
  const [fed] = await answer(from, peers[0].sound());
  const [section] = await answer(to, peers[1].sound(['a=ptime:30']));
  assert.equal(section.get('ptime'), '30');
  peers[0].speak(fed.port, { ssrc: 7, payload: (n) => Buffer.alloc(160, n & 0xff) });
  const packets = (await peers[1].hears(31)).slice(1);
  assert.ok(packets.every(({ payload }) => payload.length === 240));
  assert.ok(packets.every((packet, i) => i === 0 || ((packet.timestamp - packets[i - 1].timestamp) >>> 0) === 240));
  assert.ok(packets.every((packet, i) => i === 0 || packet.sequence === ((packets[i - 1].sequence + 1) & 0xffff)));
});

test('J04: a hold sends nothing and keeps receiving, its end brings sound back, other ports are obeyed', async () => {
  const { from, to, first, second } = await forwarder();
  peers[0].speak(first.port, { ssrc: 7, sequence: 65_500 });
  await peers[1].hears(20);
  let version = 1;
  const offer = (lines, options = {}) => answer(to, peers[1].sound(lines, { version: (version += 1), ...options }));
  await assert.rejects(answer(to, peers[1].sound()), { code: 40208 });
  for (const [hold, mirrored] of [[{ lines: ['a=inactive'] }, 'inactive'], [{ lines: [], options: { address: '0.0.0.0' } }, 'sendrecv'], [{ lines: ['a=sendonly'] }, 'recvonly']]) {
    const [held] = await offer(hold.lines, hold.options);
    assert.ok(held.attributes.includes(mirrored), mirrored);
    assert.equal(held.port, second.port);
    // What is on its way still comes: then there is nothing for longer than packets take.
    await until(() => performance.now() - peers[1].packets.at(-1).at > 200, `nothing while held: ${mirrored}`);
    const [resumed] = await offer([]);
    assert.ok(resumed.attributes.includes('sendrecv') && resumed.port === second.port);
    await peers[1].hears(10, `sound after the hold: ${mirrored}`);
  }
  const elsewhere = await rtpPeer();
  peers.push(elsewhere);
  const [moved] = await offer([], { port: elsewhere.port });
  assert.equal(moved.get('ssrc'), second.get('ssrc'));
  const packets = await elsewhere.hears(10, 'sound at the other port');
  assert.equal(String(packets[0].ssrc), second.get('ssrc').split(' ')[0]);
  // One that cannot be met is refused, and the former state goes on.
  await assert.rejects(answer(to, description('239.1.2.3', [`m=audio 27000 RTP/AVP 0`], 99)), { code: 40205 });
  await elsewhere.hears(10, 'sound as before');
  const again = sectionsOf(await rpc.invoke(to, 'generateOffer'));
  assert.equal(again[0].port, second.port);
  await rpc.value('release', { object: from });
});

test('J04: too few ports are an error that says what to do', async () => {
  const objects = [];
  const refused = await until(async () => {
    const object = await endpoint();
    objects.push(object);
    return rpc.invoke(object, 'generateOffer').then(() => undefined, (error) => error);
  }, 'the ports are used up');
  assert.equal(refused.code, 40009);
  assert.match(refused.message, /minPort 30001 to maxPort 30041/);
  assert.ok(objects.length >= 11, '20 pairs, two for each offer');
  await Promise.all(objects.map((object) => rpc.value('release', { object })));
  const object = await endpoint();
  await until(() => rpc.invoke(object, 'generateOffer').catch(() => undefined), 'ports are free again');
});
