// C07, D07: the six calls of SDP endpoints, in both forms and for every installed
// class of theirs that kurento-client knows.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { connectClient, invoke } from '../lib/client.mjs';
import { readModel } from '../lib/model.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { within } from '../lib/wait.mjs';

const FORMS = {
  callback: invoke,
  promise: (object, operation, ...parameters) => within(Promise.resolve(object[operation](...parameters)), operation),
};

const FINGERPRINT = Array(32).fill('5C').join(':');
const TRANSPORT = ['c=IN IP4 0.0.0.0', 'a=rtcp:9 IN IP4 0.0.0.0', 'a=ice-ufrag:Zk1u', 'a=ice-pwd:0123456789abcdefghijklmn', `a=fingerprint:sha-256 ${FINGERPRINT}`, 'a=setup:actpass'];

/** As the native library of Android applications writes it: named mids, a stream, many payload types. */
const ANDROID_OFFER = [
  'v=0', 'o=- 6284329480412467211 2 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=group:BUNDLE audio video', 'a=msid-semantic: WMS ARDAMS',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111 103 9 102 0 8 105 13 110 113 126', ...TRANSPORT, 'a=mid:audio', 'a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level',
  'a=sendrecv', 'a=rtcp-mux', 'a=rtpmap:111 opus/48000/2', 'a=rtcp-fb:111 transport-cc', 'a=fmtp:111 minptime=10;useinbandfec=1', 'a=rtpmap:103 ISAC/16000',
  'a=rtpmap:9 G722/8000', 'a=rtpmap:102 ILBC/8000', 'a=rtpmap:0 PCMU/8000', 'a=rtpmap:8 PCMA/8000', 'a=rtpmap:105 CN/16000', 'a=rtpmap:13 CN/8000',
  'a=rtpmap:110 telephone-event/48000', 'a=rtpmap:113 telephone-event/16000', 'a=rtpmap:126 telephone-event/8000',
  'a=ssrc:2190021562 cname:1TWwq8QUZtQo', 'a=ssrc:2190021562 msid:ARDAMS ARDAMSa0', 'a=ssrc:2190021562 mslabel:ARDAMS', 'a=ssrc:2190021562 label:ARDAMSa0',
  'm=video 9 UDP/TLS/RTP/SAVPF 96 98 100 127 125 97 99 101 124', ...TRANSPORT, 'a=mid:video', 'a=extmap:3 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time',
  'a=extmap:4 urn:3gpp:video-orientation', 'a=sendrecv', 'a=rtcp-mux', 'a=rtcp-rsize', 'a=rtpmap:96 VP8/90000', 'a=rtcp-fb:96 ccm fir', 'a=rtcp-fb:96 nack',
  'a=rtcp-fb:96 nack pli', 'a=rtcp-fb:96 goog-remb', 'a=rtpmap:98 VP9/90000', 'a=rtpmap:100 H264/90000',
  'a=fmtp:100 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f', 'a=rtpmap:127 red/90000', 'a=rtpmap:125 ulpfec/90000', 'a=rtpmap:97 rtx/90000',
  'a=fmtp:97 apt=96', 'a=rtpmap:99 rtx/90000', 'a=fmtp:99 apt=98', 'a=rtpmap:101 rtx/90000', 'a=fmtp:101 apt=100', 'a=rtpmap:124 rtx/90000', 'a=fmtp:124 apt=127',
  'a=ssrc-group:FID 3283923411 2145312304', 'a=ssrc:3283923411 cname:1TWwq8QUZtQo', 'a=ssrc:3283923411 msid:ARDAMS ARDAMSv0', 'a=ssrc:2145312304 cname:1TWwq8QUZtQo', '',
].join('\r\n');

let server;
let client;
let classes;
before(async () => {
  server = await startRivero();
  client = await connectClient(server.url);
  const rpc = await connectRpc(server.url);
  const model = await readModel(rpc);
  classes = model.factories.filter((name) => model.isA(name, 'SdpEndpoint') && ['WebRtcEndpoint', 'RtpEndpoint'].includes(name));
  await rpc.close();
});
after(async () => {
  client?.close();
  await server?.stop();
});

/** One for each installed class, in a pipeline of its own. */
async function forEachClass(check) {
  assert.ok(classes.includes('WebRtcEndpoint'));
  for (const name of classes) {
    const pipeline = await client.create('MediaPipeline');
    await check(() => pipeline.create(name), name);
    await pipeline.release();
  }
}

const media = (sdp) => sdp.match(/^m=\w+ \d+/gm)?.map((line) => line.split(' ')[0]);

for (const [form, call] of Object.entries(FORMS)) {
  test(`C07 D07 an offer and its answer, and what both sides say afterwards (${form})`, () =>
    forEachClass(async (create, name) => {
      const [offerer, answerer] = [await create(), await create()];
      const offer = await call(offerer, 'generateOffer');
      assert.match(offer, /^v=0\r\no=.*\r\ns=/, name);
      assert.deepEqual(media(offer), ['m=audio', 'm=video']);
      const answer = await call(answerer, 'processOffer', offer);
      assert.deepEqual(media(answer), ['m=audio', 'm=video']);
      const local = await call(offerer, 'processAnswer', answer);
      assert.deepEqual(media(local), ['m=audio', 'm=video']);
      assert.equal(await call(answerer, 'getRemoteSessionDescriptor'), offer);
      assert.equal(await call(offerer, 'getRemoteSessionDescriptor'), answer);
      for (const endpoint of [offerer, answerer]) assert.deepEqual(media(await call(endpoint, 'getLocalSessionDescriptor')), ['m=audio', 'm=video']);
    }));
}

test('C07 D07 before a negotiation there are no descriptions: 40202, 40203', () =>
  forEachClass(async (create, name) => {
    const endpoint = await create();
    await assert.rejects(invoke(endpoint, 'getLocalSessionDescriptor'), { code: 40202, message: 'No local SDP' }, name);
    await assert.rejects(invoke(endpoint, 'getRemoteSessionDescriptor'), { code: 40203, message: 'No remote SDP' }, name);
  }));

test('C07 D07 calls out of order and unusable texts are refused', () =>
  forEachClass(async (create, name) => {
    const [offerer, answerer] = [await create(), await create()];
    await assert.rejects(invoke(offerer, 'processOffer', ''), { code: 40201, message: 'Empty offer not valid' }, name);
    await assert.rejects(invoke(offerer, 'processOffer', 'no sdp'), { code: 40201 }, name);
    const offer = await invoke(offerer, 'generateOffer');
    const answer = await invoke(answerer, 'processOffer', offer);
    await assert.rejects(invoke(answerer, 'processOffer', offer), { code: 40208, message: 'Endpoint already negotiated' }, name);
    await assert.rejects(invoke(await create(), 'processAnswer', answer), { code: 40209 }, name);
    await assert.rejects(invoke(offerer, 'processAnswer', ''), { code: 40201, message: 'Empty answer not valid' }, name);
    await invoke(offerer, 'processAnswer', answer);
    await assert.rejects(invoke(offerer, 'processAnswer', answer), { code: 40210 }, name);
  }));

test('C07 an offer of an Android application is answered', async () => {
  const pipeline = await client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  const answer = await invoke(endpoint, 'processOffer', ANDROID_OFFER);
  assert.deepEqual(media(answer), ['m=audio', 'm=video']);
  assert.deepEqual(answer.match(/^a=mid:.*$/gm), ['a=mid:audio', 'a=mid:video']);
  assert.match(answer, /^a=group:BUNDLE audio video\r$/m);
  assert.match(answer, /^m=audio [1-9]\d* UDP\/TLS\/RTP\/SAVPF 111 0 8\r$/m);
  assert.match(answer, /^m=video [1-9]\d* UDP\/TLS\/RTP\/SAVPF 96 98 100\b/m);
  assert.deepEqual(answer.match(/^a=setup:.*$/gm), ['a=setup:active', 'a=setup:active']);
  await pipeline.release();
});

test('C07 an offer for one direction or medium', async () => {
  const pipeline = await client.create('MediaPipeline');
  const options = client.constructor.getComplexType?.('OfferOptions') ?? ((members) => members);
  const endpoint = await pipeline.create('WebRtcEndpoint');
  const offer = await invoke(endpoint, 'generateOffer', options({ offerToReceiveAudio: false, offerToReceiveVideo: true }));
  assert.deepEqual(media(offer), ['m=video']);
  const oneWay = await pipeline.create('WebRtcEndpoint', { recvonly: true });
  assert.match(await invoke(oneWay, 'generateOffer'), /^a=recvonly\r$/m);
  await pipeline.release();
});
