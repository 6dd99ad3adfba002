// J05: H265 is in descriptions only with `enable-h265`, and then goes both ways over a connection of
// two endpoints, with either kind of certificate. No browser here has it: the server converts.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { connectClient, iceCandidate, invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, hearsTone, isConnected, seesColour, seesMotion } from '../lib/media.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { nextEvent } from '../lib/wait.mjs';

const rivero = live({ moduleConfig: { 'kurento/WebRtcEndpoint.conf.ini': 'enable-h265=true\n' } });

/** The description with H265 as its only video format. */
const onlyH265 = (sdp) => {
  const [, number] = sdp.match(/a=rtpmap:(\d+) H265\/90000/);
  const [head, video] = sdp.split('m=video');
  const foreign = new RegExp(`^a=(rtpmap|fmtp|rtcp-fb):(?!${number} )`);
  const lines = video.split('\r\n').filter((line) => !foreign.test(line));
  lines[0] = lines[0].split(' ').slice(0, 3).concat(number).join(' ');
  return `${head}m=video${lines.join('\r\n')}`;
};

test('J05: H265 appears in offers only if it is enabled', async () => {
  const formats = async (client) => {
    const pipeline = await client.create('MediaPipeline');
    const offer = await invoke(await pipeline.create('WebRtcEndpoint'), 'generateOffer');
    await pipeline.release();
    const names = [...offer.matchAll(/a=rtpmap:\d+ (\w+)\/90000/g)].map(([, name]) => name);
    return names.filter((name) => name !== 'rtx');
  };
  assert.deepEqual((await formats(rivero.client)).sort(), ['AV1', 'H264', 'H265', 'VP8', 'VP9']);
  const plain = await startRivero({ modules: ['webrtc'] });
  const client = await connectClient(plain.url);
  try {
    assert.deepEqual((await formats(client)).sort(), ['AV1', 'H264', 'VP8', 'VP9']);
  } finally {
    client.close();
    await plain.stop();
  }
});

for (const certificateKeyType of ['RSA', 'ECDSA']) {
  test(`J05: pictures cross a trunk of H265, ${certificateKeyType} certificates`, async () => {
    const page = await rivero.browser.openProbe();
    const calls = await Calls.on(page);
    const pipeline = await rivero.client.create('MediaPipeline');
    const make = (params) => pipeline.create('WebRtcEndpoint', params);
    const [camera, from, to, viewer] = [await make(), await make({ certificateKeyType }), await make({ certificateKeyType }), await make()];
    await invoke(camera, 'connect', from);
    await invoke(to, 'connect', viewer);
    for (const [one, other] of [[from, to], [to, from]]) {
      one.on('IceCandidateFound', ({ candidate }) => other.addIceCandidate(iceCandidate(candidate)));
    }
    const connected = nextEvent(to, 'ConnectionStateChanged', ({ newState }) => newState === 'CONNECTED');
    const answer = await invoke(to, 'processOffer', onlyH265(await invoke(from, 'generateOffer')));
    assert.match(answer, /m=video 1 [^\r]*\r\n(?!.*VP8)/);
    await invoke(from, 'processAnswer', answer);
    await invoke(from, 'gatherCandidates');
    await invoke(to, 'gatherCandidates');
    await connected;
    await page.evaluate((colour) => probe.createSource('camera', { colour, toneHz: 1000 }), COLOURS.blue);
    await calls.open('camera', camera, { send: 'camera', receive: false, codecs: { video: 'VP8' } });
    await calls.open('viewer', viewer, { codecs: { video: 'VP8' } });
    await isConnected(page, 'viewer');
    await seesColour(page, 'viewer', COLOURS.blue, 40_000);
    await seesMotion(page, 'viewer');
    await hearsTone(page, 'viewer', 1000);
    assert.deepEqual(page.troubles, []);
    await pipeline.release();
  });
}
