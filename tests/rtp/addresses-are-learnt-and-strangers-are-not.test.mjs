// COMEDIA (`a=direction:active`) and the setting `symmetric`: where a peer is, its packets show; nobody else's do.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { connectRpc } from '../lib/rpc.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { description, receiverReport, rtpPeer, sectionsOf } from '../lib/rtp-peer.mjs';
import { until } from '../lib/wait.mjs';

const SETTINGS = { 'kurento/RtpEndpoint.conf.ini': 'symmetric=true\nannouncedAddress=192.0.2.77\nkeyframeInterval=0\n' };
const PEERS = { comedia: { modules: ['rtp'] }, symmetric: { modules: ['rtp'], moduleConfig: SETTINGS } };

const servers = {};
before(async () => {
  for (const [name, options] of Object.entries(PEERS)) servers[name] = await startRivero(options);
});
after(() => Promise.all(Object.values(servers).map((server) => server.stop())));

/** An endpoint that is fed by another one with sound, and the caller that it was given an offer of. */
async function called(server, offerOf) {
  const rpc = await connectRpc(server.url);
  const pipeline = await rpc.create('MediaPipeline');
  const [source, target] = [await rpc.create('RtpEndpoint', { mediaPipeline: pipeline }), await rpc.create('RtpEndpoint', { mediaPipeline: pipeline })];
  const [speaker, caller] = [await rtpPeer(), await rtpPeer()];
  await rpc.invoke(source, 'connect', { sink: target });
  const [fed] = sectionsOf(await rpc.invoke(source, 'processOffer', { offer: speaker.sound() }));
  const text = await rpc.invoke(target, 'processOffer', { offer: offerOf(caller) });
  const [section] = sectionsOf(text);
  const speech = () => speaker.speak(fed.port, { ssrc: 1 });
  const close = async (...others) => {
    [speaker, caller, ...others].forEach((peer) => peer.close());
    await rpc.value('release', { object: pipeline });
    await rpc.close();
  };
  return { rpc, target, caller, section, text, speech, close };
}

test('the address is that of the first packets, of RTP and of RTCP', async () => {
  const offer = (caller) => caller.sound(['a=direction:active'], { port: 9, address: '0.0.0.0' });
  const { caller, section, speech, close } = await called(servers.comedia, offer);
  assert.equal(section.get('direction'), 'passive');
  speech();
  const stranger = await rtpPeer();
  // What is no packet of the negotiated formats teaches nothing.
  stranger.send(section.port, { ssrc: 9, sequence: 1, timestamp: 1, payloadType: 35 });
  stranger.report(section.port, [receiverReport(9)], stranger.rtp);
  stranger.rtp.send(Buffer.from([0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, ...Buffer.alloc(12)]), section.port, '127.0.0.1');
  caller.speak(section.port, { ssrc: 2 });
  await caller.hears(20);
  caller.report(section.port + 1, [receiverReport(2)]);
  await until(() => caller.reports.some(({ type }) => type === 200), 'reports');
  assert.equal(stranger.packets.length, 0);
  await close(stranger);
});

test('without it packets go to the address of the description, wherever the peer sends from', async () => {
  const { caller, section, speech, close } = await called(servers.comedia, (peer) => peer.sound());
  const elsewhere = await rtpPeer();
  elsewhere.speak(section.port, { ssrc: 2 });
  speech();
  await caller.hears(20);
  assert.equal(elsewhere.packets.length, 0);
  await close(elsewhere);
});

test('symmetric: a phone behind a translator is found, and followed when that moves it', async () => {
  const offer = (caller) => caller.sound([], { port: 4000, address: '10.99.99.99' });
  const { caller, section, text, speech, close } = await called(servers.symmetric, offer);
  assert.match(text, /^c=IN IP4 192\.0\.2\.77\r$/m);
  assert.equal(section.get('direction'), undefined);
  speech();
  const stop = caller.speak(section.port, { ssrc: 2, sequence: 65_520 });
  await caller.hears(20);
  const [stranger, moved] = [await rtpPeer(), await rtpPeer()];
  stranger.speak(section.port, { ssrc: 3 });
  await caller.hears(20, 'sound while a stranger sends');
  const next = stop();
  moved.speak(section.port, next);
  await moved.hears(20, 'sound at the new address');
  assert.equal(stranger.packets.length, 0);
  await close(stranger, moved);
});

test('IPv6: descriptions name such an address, and sound comes back', async () => {
  const rpc = await connectRpc(servers.comedia.url);
  const pipeline = await rpc.create('MediaPipeline');
  const endpoint = await rpc.create('RtpEndpoint', { mediaPipeline: pipeline, useIpv6: true });
  await rpc.invoke(endpoint, 'connect', { sink: endpoint });
  const peer = await rtpPeer({ address: '::1' });
  const text = await rpc.invoke(endpoint, 'processOffer', { offer: peer.sound() });
  assert.match(text, /^c=IN IP6 ::1\r$/m);
  peer.speak(sectionsOf(text)[0].port, { ssrc: 2 });
  await peer.hears(20);
  peer.close();
  await rpc.close();
});

test('symmetric: a keyframe is asked for when it is known where pictures have to go', async () => {
  const rpc = await connectRpc(servers.symmetric.url);
  const mediaPipeline = await rpc.create('MediaPipeline');
  const [source, target] = [await rpc.create('RtpEndpoint', { mediaPipeline }), await rpc.create('RtpEndpoint', { mediaPipeline })];
  await rpc.invoke(source, 'connect', { sink: target });
  const [camera, viewer] = [await rtpPeer(), await rtpPeer()];
  const lines = (port, profile, ...more) => [`m=video ${port} ${profile} 96`, 'a=rtpmap:96 VP8/90000', ...more];
  const answer = async (object, address, sections) => sectionsOf(await rpc.invoke(object, 'processOffer', { offer: description(address, sections) }))[0];
  const fed = await answer(source, camera.address, lines(camera.port, 'RTP/AVPF', 'a=rtcp-fb:96 nack pli', 'a=sendonly'));
  const section = await answer(target, '10.99.99.99', lines(4000, 'RTP/AVP'));
  let sequence = 0;
  const picture = (key) => camera.send(fed.port, { payloadType: 96, ssrc: 5, sequence: (sequence += 1), timestamp: sequence * 6000, marker: true, payload: Buffer.from([0x10, key ? 0 : 1, 0, 0, 0x9d, 0x01, 0x2a, 0, 1, 0, 1]) });
  const requests = () => camera.reports.filter(({ type, count }) => type === 206 && count === 1).length;
  await until(() => (picture(sequence % 10 === 0), sequence > 40), 'pictures come');
  const before = requests();
  viewer.send(section.port, { payloadType: 96, ssrc: 6, sequence: 1, timestamp: 1, payload: Buffer.from([0x10, 0]) });
  await until(() => (picture(false), requests() > before), 'a keyframe is asked for');
  await until(() => (picture(true), viewer.packets.length > 5), 'pictures arrive');
  [camera, viewer].forEach((peer) => peer.close());
  await rpc.close();
});
