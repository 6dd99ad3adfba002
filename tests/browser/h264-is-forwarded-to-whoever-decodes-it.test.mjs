// Profiles of H264: who publishes one and who takes which. A viewer is sent what its decoder takes, as it is; what
// it does not take is converted.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, decodesFrames, seesColour, seesMotion } from '../lib/media.mjs';

const rivero = live();

const CONSTRAINED_BASELINE = '42e01f';
const BASELINE = '42001f';
const MAIN = '4d001f';

/** Profiles of a publisher, the viewers that decode them, and those that do not. This browser has no High. */
const CASES = [
  { sent: CONSTRAINED_BASELINE, decoding: [CONSTRAINED_BASELINE, BASELINE, MAIN], other: [] },
  { sent: BASELINE, decoding: [BASELINE, CONSTRAINED_BASELINE], other: [] },
  { sent: MAIN, decoding: [MAIN], other: [CONSTRAINED_BASELINE] },
];

/** The payload type of a profile in single units and fragments, in the video section of a description. */
const payloadType = (sdp, profile) =>
  [...sdp.matchAll(/^a=fmtp:(\d+) (.*)$/gm)].find(([, , text]) => text.includes(`profile-level-id=${profile}`) && text.includes('packetization-mode=1'))?.[1];

/** A description with this profile of H264 as its only video format. */
const only = (profile) => (sdp) => {
  const kept = payloadType(sdp, profile);
  const [head, video] = sdp.split('m=video');
  const lines = video.split('\r\n').filter((line) => !/^a=(rtpmap|fmtp|rtcp-fb):/.test(line) || line.includes(`:${kept} `));
  lines[0] = lines[0].split(' ').slice(0, 3).concat(kept).join(' ');
  return `${head}m=video${lines.join('\r\n')}`;
};

/** As Safari offers: High first, which this browser cannot send, then Constrained Baseline. */
const likeSafari = (offer) => {
  const sdp = only(CONSTRAINED_BASELINE)(offer);
  const codecs = 'a=rtpmap:127 H264/90000\r\na=fmtp:127 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640c1f\r\n';
  return sdp.replace(/^(m=video \d+ \S+) (.*)$/m, '$1 127 $2').replace(/(m=video[\s\S]*?)(?=a=rtpmap:)/, `$1${codecs}`);
};

async function publisher(pipeline, signalled) {
  const page = await rivero.browser.openProbe();
  const endpoint = await pipeline.create('WebRtcEndpoint');
  await page.evaluate((colour) => probe.createSource('camera', { colour, toneHz: 500 }), COLOURS.green);
  const { answer } = await (await Calls.on(page)).open('camera', endpoint, { send: 'camera', receive: false, codecs: { video: 'H264' }, signalled });
  return { endpoint, answer };
}

async function watches(calls, page, pipeline, from, profile) {
  const endpoint = await pipeline.create('WebRtcEndpoint');
  await invoke(from, 'connect', endpoint);
  const name = `of ${profile}`;
  await calls.open(name, endpoint, { codecs: { video: 'H264' }, signalled: only(profile) });
  await seesColour(page, name, COLOURS.green);
  await seesMotion(page, name);
  assert.equal((await decodesFrames(page, name, 5)).video.codec, 'H264');
  return async () => {
    await calls.close(name);
    await endpoint.release();
  };
}

for (const { sent, decoding, other } of CASES) {
  test(`H264 of profile ${sent} is forwarded to viewers of ${decoding.join(', ')}`, async () => {
    const pipeline = await rivero.client.create('MediaPipeline');
    const { endpoint } = await publisher(pipeline, only(sent));
    const page = await rivero.browser.openProbe();
    const calls = await Calls.on(page);
    for (const [profiles, converted] of [[decoding, false], [other, true]]) {
      for (const profile of profiles) {
        const leave = await watches(calls, page, pipeline, endpoint, profile);
        assert.equal(await invoke(endpoint, 'isMediaTranscoding', 'VIDEO'), converted, `${sent} to ${profile}`);
        await leave();
      }
    }
    await pipeline.release();
  });
}

test('a publisher that offers High first is asked for what most viewers decode', async () => {
  const pipeline = await rivero.client.create('MediaPipeline');
  const { endpoint, answer } = await publisher(pipeline, likeSafari);
  const [first] = answer.match(/^m=video \d+ \S+ (.*)$/m)[1].split(' ');
  assert.equal(first, payloadType(answer, CONSTRAINED_BASELINE));
  const page = await rivero.browser.openProbe();
  await watches(await Calls.on(page), page, pipeline, endpoint, CONSTRAINED_BASELINE);
  assert.equal(await invoke(endpoint, 'isMediaTranscoding', 'VIDEO'), false);
  await pipeline.release();
});
