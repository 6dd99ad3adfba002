// Offers that name every profile there is and many that are none: they are of no consequence for
// the calls of others, and nothing remains of them.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, decodesFrames, hearsTone, isConnected, seesColour } from '../lib/media.mjs';
import { usage } from '../lib/process-usage.mjs';
import { until } from '../lib/wait.mjs';

const OFFERS = 1000;
/** The first of them load the module and fill what is kept for the next ones. */
const WARM_UP = 100;
const MIB = 1024;
const TONE_HZ = 1000;
const FINGERPRINT = Array(32).fill('AB').join(':');

const rivero = live();

/** A hexadecimal byte that differs from offer to offer and from format to format. */
const byte = (number) => (number & 0xff).toString(16).padStart(2, '0');

/** What payload type number `index` of offer number `offer` stands for. */
function format(offer, index) {
  const number = offer * 97 + index * 31;
  const kinds = [
    ['H264', `profile-level-id=${byte(number)}${byte(number * 7)}1f;packetization-mode=${number % 5}`],
    ['AV1', `profile=${number % 256};tier=${(number >> 3) % 256};level-idx=5`],
    ['H265', `profile-id=${number % 256};tier-flag=${(number >> 2) % 256}`],
    ['VP9', `profile-id=${number % 256}`],
    [`X${number}`, `x=${number}`],
  ];
  return kinds[index % kinds.length];
}

function hostileOffer(offer) {
  const types = [...Array(95).keys()].map((index) => index + 33);
  const lines = types.flatMap((type) => {
    const [name, parameters] = format(offer, type);
    return [`a=rtpmap:${type} ${name}/90000`, `a=fmtp:${type} ${parameters}`];
  });
  return [
    'v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0', `m=video 9 UDP/TLS/RTP/SAVPF ${types.join(' ')}`,
    'c=IN IP4 0.0.0.0', 'a=mid:0', 'a=sendrecv', 'a=rtcp-mux', 'a=setup:actpass', 'a=ice-ufrag:abcd',
    'a=ice-pwd:abcdabcdabcdabcdabcdabcd', `a=fingerprint:sha-256 ${FINGERPRINT}`, ...lines, '',
  ].join('\r\n');
}

async function negotiate(pipeline, offer) {
  const endpoint = await pipeline.create('WebRtcEndpoint');
  const answer = await invoke(endpoint, 'processOffer', hostileOffer(offer));
  await endpoint.release();
  return answer;
}

test(`after ${OFFERS} hostile offers calls with codecs that were never there before have pictures and sound`, async () => {
  const pipeline = await rivero.client.create('MediaPipeline');
  for (let offer = 0; offer < WARM_UP; offer += 1) await negotiate(pipeline, offer);
  const before = usage(rivero.server.pid).rssKib;
  for (let offer = WARM_UP; offer < OFFERS; offer += 1) {
    const answer = await negotiate(pipeline, offer);
    assert.doesNotMatch(answer, /\/90000 X|packetization-mode=[2-9]|rtpmap:\d+ X/, 'only what decoders know is answered');
  }
  await until(async () => usage(rivero.server.pid).rssKib < before + 8 * MIB, 'the memory is given back');

  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  await page.evaluate(([colour, toneHz]) => probe.createSource('camera', { colour, toneHz }), [COLOURS.red, TONE_HZ]);
  const wanted = [['VP8', 'opus'], ['VP9', 'PCMU'], ['H264', 'opus'], ['AV1', 'PCMU']];
  for (const [video, audio] of wanted) {
    const endpoint = await pipeline.create('WebRtcEndpoint');
    await invoke(endpoint, 'connect', endpoint);
    await calls.open(video, endpoint, { send: 'camera', codecs: { video, audio } });
  }
  for (const [video, audio] of wanted) {
    await isConnected(page, video);
    await seesColour(page, video, COLOURS.red);
    await hearsTone(page, video, TONE_HZ);
    const statistics = await decodesFrames(page, video, 5);
    assert.equal(statistics.video.codec, video);
    assert.equal(statistics.audio.codec, audio.toUpperCase());
  }
  await pipeline.release();
});
