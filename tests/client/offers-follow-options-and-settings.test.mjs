// What generateOffer lists: by its options, the constructor, the properties and the
// configuration; and what processAnswer makes of answers that do not fit.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { connectClient, invoke } from '../lib/client.mjs';
import { startRivero } from '../lib/rivero.mjs';

const CODECS = {
  audioCodecs: [{ name: 'PCMA/8000' }, { name: 'opus/48000/2' }],
  videoCodecs: [{ name: 'VP8/90000' }, { name: 'H264/90000' }, { name: 'VP9/90000' }],
};

let server;
let client;
let pipeline;
before(async () => {
  server = await startRivero({ moduleConfig: { 'kurento/SdpEndpoint.conf.json': JSON.stringify(CODECS) } });
  client = await connectClient(server.url);
  pipeline = await client.create('MediaPipeline');
});
after(async () => {
  client?.close();
  await server?.stop();
});

const endpoint = (params = {}) => pipeline.create('WebRtcEndpoint', params);
const lines = (sdp, start) => sdp.split('\r\n').filter((line) => line.startsWith(start));
const sections = (sdp) => lines(sdp, 'm=').map((line) => line.slice(2).split(' ')[0]);
const formats = (sdp) => lines(sdp, 'a=rtpmap:').map((line) => line.split(' ')[1].split('/')[0]);
const names = (sdp) => formats(sdp).filter((name) => name !== 'rtx');

test('codecs come in the order of the configuration', async () => {
  const offer = await invoke(await endpoint(), 'generateOffer');
  assert.deepEqual(names(offer), ['PCMA', 'opus', 'VP8', 'H264', 'VP9']);
  assert.deepEqual(sections(offer), ['audio', 'video']);
  assert.deepEqual(lines(offer, 'a=mid:'), ['a=mid:audio0', 'a=mid:video0']);
  assert.deepEqual(lines(offer, 'a=group:'), ['a=group:BUNDLE audio0 video0']);
});

/** What Kurento's offers lack, for which each answerer has had to read over unknown lines since SDP began. */
const FURTHER = [/a=rtpmap:\d+ rtx\/90000/, /a=ssrc-group:FID /, /a=rtcp-fb:\d+ transport-cc/, /transport-wide-cc/, /color-space/, /ssrc-audio-level/];

test('offers have all that answers may have, unless they are to be plain', async () => {
  const offer = await invoke(await endpoint(), 'generateOffer');
  for (const line of FURTHER) assert.match(offer, line);
  assert.equal(formats(offer).filter((name) => name === 'rtx').length, CODECS.videoCodecs.length);
  const settings = { 'kurento/WebRtcEndpoint.conf.json': JSON.stringify({ plainOffers: true }), 'kurento/SdpEndpoint.conf.json': JSON.stringify({ answerCodecOrder: ['VP9', 'H264'] }) };
  const plain = await startRivero({ moduleConfig: settings });
  const itsClient = await connectClient(plain.url);
  try {
    const itsPipeline = await itsClient.create('MediaPipeline');
    const its = await invoke(await itsPipeline.create('WebRtcEndpoint'), 'generateOffer');
    for (const line of FURTHER.filter((further) => !further.test('color-space'))) assert.doesNotMatch(its, line);
    // The order of answers is configured there, too.
    const answer = await invoke(await itsPipeline.create('WebRtcEndpoint'), 'processOffer', offer);
    assert.deepEqual(names(answer), ['PCMA', 'opus', 'VP9', 'H264', 'VP8']);
  } finally {
    itsClient.close();
    await plain.stop();
  }
});

test('options leave sections out, data channels add one', async () => {
  const options = client.getComplexType?.('OfferOptions') ?? ((value) => value);
  const without = async (wish, params) => sections(await invoke(await endpoint(params), 'generateOffer', options(wish)));
  assert.deepEqual(await without({ offerToReceiveAudio: false }), ['video']);
  assert.deepEqual(await without({ offerToReceiveVideo: false }), ['audio']);
  assert.deepEqual(await without({ offerToReceiveVideo: false }, { useDataChannels: true }), ['audio', 'application']);
});

test('without numVideoMedias there are no pictures', async () => {
  const soundOnly = await startRivero({ moduleConfig: { 'kurento/SdpEndpoint.conf.json': JSON.stringify({ numVideoMedias: 0 }) } });
  const itsClient = await connectClient(soundOnly.url);
  try {
    const itsPipeline = await itsClient.create('MediaPipeline');
    const offer = await invoke(await itsPipeline.create('WebRtcEndpoint'), 'generateOffer');
    assert.deepEqual(sections(offer), ['audio']);
    const both = await invoke(await endpoint(), 'generateOffer');
    const answer = await invoke(await itsPipeline.create('WebRtcEndpoint'), 'processOffer', both);
    assert.deepEqual(lines(answer, 'm=').map((line) => line.split(' ').slice(0, 2)), [['m=audio', '1'], ['m=video', '0']]);
  } finally {
    itsClient.close();
    await soundOnly.stop();
  }
});

test('bandwidths that were set are in the offer', async () => {
  const limited = await endpoint();
  await invoke(limited, 'setMaxVideoRecvBandwidth', 800);
  await invoke(limited, 'setMaxAudioRecvBandwidth', 64);
  assert.deepEqual(lines(await invoke(limited, 'generateOffer'), 'b='), ['b=AS:64', 'b=AS:800']);
});

test('one endpoint answers the offer of another; what does not fit is refused and can be mended', async () => {
  const [offerer, answerer] = [await endpoint(), await endpoint()];
  const refused = (operation, text, code) =>
    assert.rejects(invoke(offerer, operation, text), (error) => error.code === code, `${operation} ${code}`);
  await refused('processAnswer', 'v=0', 40209);
  const offer = await invoke(offerer, 'generateOffer');
  await assert.rejects(invoke(offerer, 'generateOffer'), (error) => error.code === 40208);
  await refused('processOffer', offer, 40208);
  const answer = await invoke(answerer, 'processOffer', offer);
  await refused('processAnswer', '', 40201);
  await refused('processAnswer', 'garbage', 40201);
  await refused('processAnswer', answer.replaceAll(/a=ice-pwd.*\r\n/g, ''), 40206);
  const local = await invoke(offerer, 'processAnswer', answer);
  assert.deepEqual(sections(local), ['audio', 'video']);
  await refused('processAnswer', answer, 40210);
  // Before the peers are connected, Kurento's rule: one negotiation.
  await assert.rejects(invoke(answerer, 'generateOffer'), (error) => error.code === 40208);
  await assert.rejects(invoke(answerer, 'processOffer', offer), (error) => error.code === 40208);
});

test('sections beyond the first of a kind are rejected in their place', async () => {
  const offer = await invoke(await endpoint({ useDataChannels: true }), 'generateOffer');
  const video = offer.slice(offer.indexOf('m=video'), offer.indexOf('m=application'));
  const more = offer.replace('BUNDLE audio0 video0', 'BUNDLE audio0 video0 extra') + video.replace('a=mid:video0', 'a=mid:extra');
  const answer = await invoke(await endpoint(), 'processOffer', more);
  assert.deepEqual(lines(answer, 'm=').map((line) => line.split(' ').slice(0, 2).join(' ')), [
    'm=audio 1',
    'm=video 1',
    'm=application 0',
    'm=video 0',
  ]);
  assert.deepEqual(lines(answer, 'a=group:'), ['a=group:BUNDLE audio0 video0']);
});
