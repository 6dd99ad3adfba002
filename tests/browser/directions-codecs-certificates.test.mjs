// J05: media in one direction only, offered by either side, with every codec and
// both kinds of certificate.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, decodesFrames, hearsTone, isConnected, seesColour, seesMotion } from '../lib/media.mjs';

const rivero = live();

const CASES = [
  { video: 'VP8', audio: 'opus', certificateKeyType: 'RSA', offered: true },
  { video: 'VP9', audio: 'PCMU', certificateKeyType: 'ECDSA', offered: false },
  { video: 'AV1', audio: 'PCMA', certificateKeyType: 'ECDSA', offered: true },
  { video: 'H264', audio: 'opus', certificateKeyType: 'RSA', offered: false },
];

/** Only one codec of each kind: the others are what the browser would rather use. */
const only = (codecs) => (sdp) => {
  const keep = Object.values(codecs).map((name) => name.toLowerCase());
  const numbers = [...sdp.matchAll(/a=rtpmap:(\d+) ([^/]+)\//g)];
  const others = numbers.filter(([, , name]) => !keep.includes(name.toLowerCase())).map(([, number]) => number);
  return sdp
    .split('\r\n')
    .filter((line) => !others.some((number) => new RegExp(`^a=(rtpmap|fmtp|rtcp-fb):${number} `).test(line)))
    .map((line) => (/^m=(audio|video)/.test(line) ? line.split(' ').filter((word, at) => at < 3 || !others.includes(word)).join(' ') : line))
    .join('\r\n');
};

for (const { video, audio, certificateKeyType, offered } of CASES) {
  const who = offered ? 'the server offers' : 'the browsers offer';
  test(`J05: ${video} and ${audio} go one way, ${certificateKeyType} certificates, ${who}`, async () => {
    const page = await rivero.browser.openProbe();
    const calls = await Calls.on(page);
    const pipeline = await rivero.client.create('MediaPipeline');
    const from = await pipeline.create('WebRtcEndpoint', { certificateKeyType, recvonly: offered });
    const to = await pipeline.create('WebRtcEndpoint', { certificateKeyType, sendonly: offered });
    await invoke(from, 'connect', to);
    await page.evaluate((colour) => probe.createSource('camera', { colour, toneHz: 1000 }), COLOURS.blue);
    const codecs = { video, audio };
    if (offered) {
      const sent = await calls.openOffered('camera', from, { send: 'camera', receive: false, signalled: only(codecs) });
      const shown = await calls.openOffered('viewer', to, { signalled: only(codecs) });
      assert.equal(sent.offer.match(/a=recvonly/g).length, 2);
      assert.equal(sent.answer.match(/a=sendonly/g).length, 2);
      assert.equal(shown.offer.match(/a=sendonly/g).length, 2);
      assert.equal(shown.answer.match(/a=recvonly/g).length, 2);
    } else {
      const sent = await calls.open('camera', from, { send: 'camera', receive: false, codecs });
      const shown = await calls.open('viewer', to, { codecs });
      assert.equal(sent.answer.match(/a=recvonly/g).length, 2);
      assert.equal(shown.answer.match(/a=sendonly/g).length, 2);
    }
    await isConnected(page, 'viewer');
    await seesColour(page, 'viewer', COLOURS.blue);
    await seesMotion(page, 'viewer');
    await hearsTone(page, 'viewer', 1000);
    const statistics = await decodesFrames(page, 'viewer', 10);
    assert.equal(statistics.video.codec, video);
    assert.equal(statistics.audio.codec, audio.toUpperCase());
    assert.deepEqual(page.troubles, []);
    await pipeline.release();
  });
}
