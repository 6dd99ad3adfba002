// J03: descriptions of every style as an RtpEndpoint answers them; J04: what it refuses.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { connectRpc } from '../lib/rpc.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { description, sectionsOf } from '../lib/rtp-peer.mjs';

const ADDRESS = '127.0.0.1';
const KEY = 'inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR';
const CRYPTO = `a=crypto:1 AES_CM_128_HMAC_SHA1_80 ${KEY}`;
const SUITE = { crypto: 'AES_128_CM_HMAC_SHA1_80' };

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

const endpoint = (params = {}) => rpc.create('RtpEndpoint', { mediaPipeline, ...params });
const process = (object, lines, version = 1, address = ADDRESS) => rpc.invoke(object, 'processOffer', { offer: description(address, lines, version) });
const answer = async (lines, params) => sectionsOf(await process(await endpoint(params), lines));
/** Kind, profile and formats of each section, or `-` in place of the formats where it is rejected. */
const shown = (sections) => sections.map(({ kind, port, profile, formats }) => `${kind} ${profile} ${port === 0 ? '-' : formats.join(' ')}`);

test('J03: profiles are mirrored, and those of another transport rejected', async () => {
  for (const profile of ['RTP/AVP', 'RTP/AVPF']) {
    assert.deepEqual(shown(await answer([`m=audio 5000 ${profile} 0`])), [`audio ${profile} 0`]);
    assert.deepEqual(shown(await answer([`m=audio 5000 ${profile} 0`, CRYPTO], { crypto: SUITE })), [`audio ${profile} 0`]);
  }
  for (const profile of ['RTP/SAVP', 'RTP/SAVPF']) {
    assert.deepEqual(shown(await answer([`m=audio 5000 ${profile} 0`, CRYPTO], { crypto: SUITE })), [`audio ${profile} 0`]);
    assert.deepEqual(shown(await answer([`m=audio 5000 ${profile} 0`], { crypto: SUITE })), [`audio ${profile} -`], 'without a key');
  }
  for (const profile of ['UDP/TLS/RTP/SAVPF', 'RTP/XYZ']) assert.deepEqual(shown(await answer([`m=audio 5000 ${profile} 0`])), [`audio ${profile} -`]);
});

test('J03: sections that are rejected, of no use or too many keep their places with port 0', async () => {
  const lines = ['m=audio 0 RTP/AVP 0', 'm=image 5000 udptl t38', 'm=application 5002 UDP/DTLS/SCTP webrtc-datachannel', 'm=video 5004 RTP/AVP 96', 'a=rtpmap:96 VP8/90000', 'm=audio 5006 RTP/AVP 8', 'm=audio 5008 RTP/AVP 0', 'm=text 5010 RTP/AVP 98', 'a=rtpmap:98 t140/1000'];
  const sections = await answer(lines);
  assert.deepEqual(sections.map(({ kind, port }) => [kind, port > 0]), [['audio', false], ['image', false], ['application', false], ['video', true], ['audio', true], ['audio', false], ['text', false]]);
  assert.deepEqual(sections[4].formats, ['8']);
});

test('J03: of a medium that comes in two profiles the secure one is taken, whatever its place', async () => {
  const both = ['m=audio 5000 RTP/AVP 0', 'm=audio 5002 RTP/SAVP 0', CRYPTO];
  assert.deepEqual(shown(await answer(both)), ['audio RTP/AVP 0', 'audio RTP/SAVP -'], 'an endpoint without keys');
  assert.deepEqual(shown(await answer(both, { crypto: SUITE })), ['audio RTP/AVP -', 'audio RTP/SAVP 0']);
});

test('J03: formats are answered under their numbers, in their order; repair formats and unknown ones are left out', async () => {
  const lines = ['m=video 5000 RTP/AVPF 122 101 123 124 125', 'a=rtpmap:122 red/90000', 'a=rtpmap:101 VP8/90000', 'a=rtpmap:123 ulpfec/90000', 'a=rtpmap:124 XYZ/90000', 'a=rtpmap:125 rtx/90000', 'a=fmtp:125 apt=101', 'm=audio 5002 RTP/AVP 8 99 0 97', 'a=rtpmap:99 opus/48000/2', 'a=fmtp:99 useinbandfec=1', 'a=rtpmap:97 speex/16000'];
  const [video, audio] = await answer(lines);
  assert.deepEqual([video.formats, audio.formats], [['101'], ['8', '99', '0']]);
  assert.equal(audio.get('fmtp'), '99 useinbandfec=1');
});

test('J03: feedback and extensions are answered as far as both sides have them', async () => {
  const lines = ['m=video 5000 RTP/AVPF 96', 'a=rtpmap:96 VP8/90000', 'a=rtcp-fb:96 nack', 'a=rtcp-fb:96 nack pli', 'a=rtcp-fb:96 goog-remb', 'a=rtcp-fb:96 unheard-of', 'a=extmap:3 urn:example:unheard-of'];
  const [video] = await answer(lines);
  const feedback = video.attributes.filter((attribute) => attribute.startsWith('rtcp-fb:'));
  assert.deepEqual(feedback.sort(), ['rtcp-fb:96 goog-remb', 'rtcp-fb:96 nack', 'rtcp-fb:96 nack pli']);
  assert.equal(video.get('extmap'), undefined);
});

test('J03: what a description says beyond that is not repeated', async () => {
  const [audio] = await answer(['m=audio 5000 RTP/AVP 0', 'i=a title', 'a=sendrecv', 'a=unheard-of:1', 'a=candidate:1 1 UDP 2130706431 192.0.2.1 5000 typ host', 'a=ice-ufrag:abcd', 'a=ice-pwd:abcdabcdabcdabcdabcdabcd', 'a=fingerprint:sha-256 00']);
  assert.ok(!audio.attributes.some((attribute) => /unheard-of|candidate|ice-|fingerprint/.test(attribute)), audio.attributes.join());
});

test('J03: bandwidths are said as they are set', async () => {
  const object = await endpoint();
  await rpc.invoke(object, 'setMaxVideoRecvBandwidth', { maxVideoRecvBandwidth: 700 });
  await rpc.invoke(object, 'setMaxAudioRecvBandwidth', { maxAudioRecvBandwidth: 0 });
  const text = await process(object, ['m=video 5000 RTP/AVP 96', 'b=AS:300', 'a=rtpmap:96 VP8/90000', 'm=audio 5002 RTP/AVP 0']);
  const [, video, audio] = text.split(/^m=/m);
  assert.match(video, /^b=AS:700\r$/m);
  assert.doesNotMatch(audio, /^b=AS/m);
});

test('J03: a group of sections is answered with one port for all, or with one for each', async () => {
  const lines = ['m=audio 5000 RTP/AVPF 0', 'a=mid:a', 'a=rtcp-mux', 'm=video 5000 RTP/AVPF 96', 'a=mid:v', 'a=rtcp-mux', 'a=rtpmap:96 VP8/90000'];
  // A bundle has one port for RTP and RTCP (RFC 9143 §9.3).
  for (const [offered, isShared] of [[lines, true], [lines.filter((line) => line !== 'a=rtcp-mux'), false]]) {
    const offer = description(ADDRESS, offered).replace('t=0 0\r\n', 't=0 0\r\na=group:BUNDLE a v\r\n');
    const text = await rpc.invoke(await endpoint(), 'processOffer', { offer });
    const [audio, video] = sectionsOf(text);
    // Who leaves the group out wants a port for each section (RFC 9143 §7.3.1).
    assert.equal(/a=group:BUNDLE a v/.test(text), isShared);
    assert.ok(audio.port > 0 && video.port > 0 && (audio.port === video.port) === isShared);
    assert.deepEqual([audio.get('mid'), video.get('mid')], ['a', 'v']);
  }
});

test('J03: sources that a description names belong together', async () => {
  const [video] = await answer(['m=video 5000 RTP/AVPF 96', 'a=rtpmap:96 VP8/90000', 'a=ssrc-group:FID 11 12', 'a=ssrc:11 cname:x', 'a=ssrc:12 cname:x']);
  assert.equal(video.attributes.filter((attribute) => /^ssrc:\d+ cname:/.test(attribute)).length, 1, 'one of ours, without retransmissions');
  assert.equal(video.get('ssrc-group'), undefined);
});

test('J03: a first section that is inactive is no obstacle', async () => {
  const [audio, video] = await answer(['m=audio 5000 RTP/AVP 0', 'a=inactive', 'm=video 5002 RTP/AVP 96', 'a=rtpmap:96 VP8/90000', 'a=sendonly']);
  assert.ok(audio.port > 0 && audio.attributes.includes('inactive'));
  assert.ok(video.port > 0 && video.attributes.includes('recvonly'));
});

test('J03: who waits to be sent something is answered as passive, and nobody else', async () => {
  for (const [direction, answered] of [['active', 'passive'], ['both', 'passive'], ['passive', undefined]]) {
    const [audio] = await answer(['m=audio 9 RTP/AVP 0', `a=direction:${direction}`]);
    assert.equal(audio.get('direction'), answered, direction);
  }
});

test('J03: later offers add sections, take them away and bring them back, each with its port', async () => {
  const object = await endpoint();
  const [AUDIO, VIDEO] = [['m=audio 5000 RTP/AVP 0'], ['m=video 5002 RTP/AVP 96', 'a=rtpmap:96 VP8/90000']];
  let version = 0;
  const offer = async (...lines) => sectionsOf(await process(object, lines.flat(), (version += 1)));
  const [alone] = await offer(AUDIO);
  const [audio, video] = await offer(AUDIO, VIDEO);
  assert.ok(audio.port === alone.port && video.port > 0);
  const [, rejected] = await offer(AUDIO, ['m=video 0 RTP/AVP 96', 'a=rtpmap:96 VP8/90000']);
  assert.equal(rejected.port, 0);
  const [, back] = await offer(AUDIO, VIDEO);
  assert.equal(back.port, video.port);
  const [first, second] = await offer(VIDEO, AUDIO);
  assert.deepEqual([first.kind, first.port, second.kind, second.port], ['video', video.port, 'audio', audio.port], 'the other way round');
  assert.equal(second.get('ssrc'), audio.get('ssrc'));
});

test('J04: what comes twice, or before it is asked for, is refused with the code of Kurento', async () => {
  const object = await endpoint();
  await assert.rejects(rpc.invoke(object, 'processAnswer', { answer: description(ADDRESS, ['m=audio 5000 RTP/AVP 0']) }), { code: 40209 });
  await process(object, ['m=audio 5000 RTP/AVP 0']);
  await assert.rejects(process(object, ['m=audio 5000 RTP/AVP 0']), { code: 40208 });
  await assert.rejects(rpc.invoke(await endpoint(), 'processOffer', { offer: 'no description' }), { code: 40201 });
  await assert.rejects(rpc.invoke(await endpoint(), 'processOffer', { offer: '' }), { code: 40201 });
  const caller = await endpoint();
  const answers = (version) => ({ answer: description(ADDRESS, ['m=audio 5000 RTP/AVP 0', 'm=video 0 RTP/AVP 96'], version) });
  await rpc.invoke(caller, 'generateOffer');
  await rpc.invoke(caller, 'processAnswer', answers(1));
  await assert.rejects(rpc.invoke(caller, 'processAnswer', answers(1)), { code: 40210 });
});

test('J04: an offer of IPv6 is answered with such an address where the endpoint has it', async () => {
  const lines = ['m=audio 5000 RTP/AVP 0'];
  const six = await process(await endpoint({ useIpv6: true }), lines, 1, '::1');
  assert.match(six, /^c=IN IP6 ::1\r$/m);
  const [offer] = [await rpc.invoke(await endpoint({ useIpv6: true }), 'generateOffer')];
  assert.match(offer, /^c=IN IP6 /m);
  assert.match(await process(await endpoint(), lines, 1, '::1'), /^c=IN IP4 /m, 'one without IPv6 says so');
});

test('J04: G722, AMR and AMR-WB are answered as they are offered, in whatever form is spoken', async () => {
  const lines = ['m=audio 5000 RTP/AVP 9 96 97 98 99', 'a=rtpmap:9 G722/16000', 'a=rtpmap:96 AMR/8000', 'a=fmtp:96 octet-align=1;crc=1', 'a=rtpmap:97 AMR/8000/1', 'a=fmtp:97 octet-align=1; mode-set=0,2,7', 'a=rtpmap:98 AMR/8000', 'a=rtpmap:99 AMR-WB/16000', 'a=fmtp:99 octet-align=1'];
  const [audio] = await answer(lines);
  assert.deepEqual(audio.formats, ['9', '97', '98', '99'], 'all but the one with checksums');
  assert.ok(audio.attributes.includes('fmtp:97 octet-align=1; mode-set=0,2,7') && audio.attributes.includes('fmtp:99 octet-align=1'));
  assert.ok(!audio.attributes.some((attribute) => attribute.startsWith('fmtp:98')));
});
