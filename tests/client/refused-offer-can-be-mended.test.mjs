// An offer that is refused leaves the endpoint as it was: the next one is answered.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { connectClient, invoke } from '../lib/client.mjs';
import { startRivero } from '../lib/rivero.mjs';

let server;
let client;
before(async () => {
  server = await startRivero();
  client = await connectClient(server.url);
});
after(async () => {
  client?.close();
  await server?.stop();
});

const PASSWORD = 'abcdefghijklmnopqrstuvwx';
const FINGERPRINT = Array(32).fill('AB').join(':');

function section(line, rtpmap, mid, { ufrag = `frag${mid}`, fingerprint = FINGERPRINT } = {}) {
  return [
    line, 'c=IN IP4 0.0.0.0', `a=ice-ufrag:${ufrag}`, `a=ice-pwd:${PASSWORD}`, `a=fingerprint:sha-256 ${fingerprint}`,
    'a=setup:actpass', `a=mid:${mid}`, 'a=sendrecv', 'a=rtcp-mux', rtpmap,
  ];
}

/** Two sections without a bundle: a transport each. */
function offer(second) {
  const audio = section('m=audio 9 UDP/TLS/RTP/SAVPF 111', 'a=rtpmap:111 opus/48000/2', 'a');
  const video = section('m=video 9 UDP/TLS/RTP/SAVPF 96', 'a=rtpmap:96 VP8/90000', 'v', second);
  return ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0', ...audio, ...video, ''].join('\r\n');
}

for (const [what, second] of [['user fragment', { ufrag: 'x'.repeat(300) }], ['fingerprint', { fingerprint: 'AB:CD' }]]) {
  test(`after an unusable ${what} in the second transport`, async () => {
    const pipeline = await client.create('MediaPipeline');
    const endpoint = await pipeline.create('WebRtcEndpoint');
    await assert.rejects(invoke(endpoint, 'processOffer', offer(second)), (error) => error.code >= 40200 && error.code < 40300);
    const answer = await invoke(endpoint, 'processOffer', offer());
    assert.equal(answer.match(/^m=(audio|video) [1-9]/gm)?.length, 2, answer);
    await pipeline.release();
  });
}
