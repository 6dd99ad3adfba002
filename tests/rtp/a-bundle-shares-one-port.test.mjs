// BUNDLE in plain RTP (RFC 9143): where an offer has a group, sound and pictures come and go by one port, RTCP included; where
// they could not be told apart each has a port of its own; and what shares a port goes on doing so.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, test } from 'node:test';

import { connectRpc } from '../lib/rpc.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { description, rtpPeer, sectionsOf } from '../lib/rtp-peer.mjs';
import { until } from '../lib/wait.mjs';

const [SOUND, PICTURES] = [0, 96];
/** A keyframe of VP8 of 320x240, as far as anybody looks here: its payload descriptor and its header. */
const KEYFRAME = Buffer.from([0x10, 0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00, ...Array(50).fill(7)]);

let server, rpc, mediaPipeline;
before(async () => {
  server = await startRivero({ modules: ['rtp'] });
  rpc = await connectRpc(server.url);
  mediaPipeline = await rpc.create('MediaPipeline');
});
after(async () => {
  await rpc?.close();
  await server?.stop();
});

/** An offer of sound and pictures in one group. */
function offerOf(peer, { group = 'a=group:BUNDLE p s', type = PICTURES, version = 1, crypto = [] } = {}) {
  const name = 'a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid';
  return description(peer.address, [
    ...(group ? [group] : []),
    `m=audio 0 RTP/AVP ${SOUND}`, 'a=mid:s', 'a=bundle-only', 'a=rtcp-mux', name, ...crypto,
    `m=video ${peer.port} RTP/AVPF ${type}`, 'a=mid:p', 'a=rtcp-mux', `a=rtpmap:${type} VP8/90000`, name, ...crypto,
  ], version);
}

/** An endpoint that sends back what it gets, and the sections of its answer. */
async function mirror(offer) {
  const endpoint = await rpc.create('RtpEndpoint', { mediaPipeline });
  const answer = await rpc.invoke(endpoint, 'processOffer', { offer });
  await rpc.invoke(endpoint, 'connect', { sink: endpoint });
  return { endpoint, answer, sections: sectionsOf(answer) };
}

/** Sends pictures until it is told to stop. */
function show(peer, port) {
  let sent = 0;
  return peer.every(40, () => {
    sent += 1;
    peer.send(port, { payloadType: PICTURES, ssrc: 2, sequence: sent, timestamp: 3600 * sent, marker: true, payload: KEYFRAME });
  });
}

const comes = async (peer) => {
  const begin = peer.packets.length;
  const types = () => new Set(peer.packets.slice(begin).map(({ payloadType }) => payloadType));
  await until(() => types().has(SOUND) && types().has(PICTURES), 'sound and pictures come back');
  return peer.packets.slice(begin);
};

test('sound and pictures of a group share a port, and go on sharing it', async (t) => {
  const peer = await rtpPeer();
  t.after(() => peer.close());
  const { endpoint, answer, sections } = await mirror(offerOf(peer));
  assert.match(answer, /^a=group:BUNDLE p s\r$/m);
  const [{ port }] = sections;
  assert.deepEqual(sections.map((section) => section.port), [port, port]);
  assert.ok(port % 2 === 0 && sections.every(({ attributes }) => attributes.includes('rtcp-mux')));
  const stop = [peer.speak(port), show(peer, port)];
  const packets = await comes(peer);
  assert.equal(new Set(packets.map(({ ssrc }) => ssrc)).size, 2);
  assert.deepEqual([...new Set(packets.map(({ from }) => from))], [`127.0.0.1:${port}`]);
  await until(() => peer.reports.some(({ type, from }) => type === 200 && from.endsWith(`:${port}`)), 'reports come by the same port');
  const streams = async (mediaType) => Object.keys(await rpc.invoke(endpoint, 'getStats', mediaType && { mediaType })).length;
  const counts = [await streams('AUDIO'), await streams('VIDEO')];
  assert.ok(counts.every((count) => count >= 2), `${counts}`);

  const apart = description(peer.address, [
    `m=audio ${peer.port} RTP/AVP ${SOUND}`, 'a=mid:s', `m=video ${peer.port + 2} RTP/AVPF ${PICTURES}`, 'a=mid:p', `a=rtpmap:${PICTURES} VP8/90000`,
  ], 2);
  await assert.rejects(rpc.invoke(endpoint, 'processOffer', { offer: apart }), (error) => error.code === 40205 && /BUNDLE/.test(error.message));
  await comes(peer);
  const again = sectionsOf(await rpc.invoke(endpoint, 'processOffer', { offer: offerOf(peer, { version: 3 }) }));
  assert.deepEqual(again.map((section) => section.port), [port, port]);
  await comes(peer);
  const ours = await rpc.invoke(endpoint, 'generateOffer');
  assert.match(ours, /^a=group:BUNDLE p s\r$/m);
  assert.deepEqual(sectionsOf(ours).map((section) => section.port), [port, port]);
  stop.forEach((end) => end());
  await rpc.value('release', { object: endpoint });
  await until(() => peer.reports.some(({ type }) => type === 203), 'both say good-bye');
});

test('GStreamer sends both through one socket', async (t) => {
  const peer = await rtpPeer();
  t.after(() => peer.close());
  const { sections: [{ port }] } = await mirror(offerOf(peer));
  const pipeline = `rtpfunnel name=f ! udpsink host=127.0.0.1 port=${port} audiotestsrc is-live=true samplesperbuffer=160 ! audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay ! f. videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=15/1 ! vp8enc deadline=1 keyframe-max-dist=15 ! rtpvp8pay pt=${PICTURES} ! f.`;
  const child = spawn('gst-launch-1.0', ['-q', ...pipeline.split(' ')], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (text) => (said += text));
  t.after(() => child.kill('SIGKILL'));
  await comes(peer).catch((error) => assert.fail(`${error.message}: ${said}`));
});

test('what could not be told apart has ports of its own, or none', async (t) => {
  const peer = await rtpPeer();
  t.after(() => peer.close());
  const clash = offerOf(peer, { type: 100 }).replaceAll('RTP/AVP 0', 'RTP/AVP 100').replace('a=mid:s\r\n', 'a=mid:s\r\na=rtpmap:100 opus/48000/2\r\n');
  const { answer, sections } = await mirror(clash);
  assert.doesNotMatch(answer, /BUNDLE/);
  assert.deepEqual(sections.map(({ port }) => port > 0), [false, true], 'sound has no address outside of the group');
  const addressed = clash.replace('m=audio 0', `m=audio ${peer.port}`).replace('a=bundle-only\r\n', '');
  const both = (await mirror(addressed)).sections.map(({ port }) => port);
  assert.ok(both.every((port) => port > 0) && both[0] !== both[1], `${both}`);
});
