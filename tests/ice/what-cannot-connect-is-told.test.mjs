// What an application waits for comes although there is nothing to connect, or says why it does not;
// and a data channel that is asked for early waits for the connection.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { connectClient, invoke } from '../lib/client.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { nextEvent, until } from '../lib/wait.mjs';

async function withPipeline(use) {
  const server = await startRivero({ modules: ['webrtc'] });
  try {
    const client = await connectClient(server.url);
    await use(await client.create('MediaPipeline'), server);
    client.close();
  } finally {
    await server.stop();
  }
}

/** Each gets what the other one finds. */
async function exchange(one, other) {
  one.on('IceCandidateFound', ({ candidate }) => other.addIceCandidate(candidate, () => {}));
  other.on('IceCandidateFound', ({ candidate }) => one.addIceCandidate(candidate, () => {}));
  await invoke(one, 'gatherCandidates');
  await invoke(other, 'gatherCandidates');
}

test('gathering ends when all sections are rejected', async () => {
  await withPipeline(async (pipeline) => {
    const [one, other] = [await pipeline.create('WebRtcEndpoint'), await pipeline.create('WebRtcEndpoint')];
    const offer = await invoke(one, 'generateOffer');
    const answer = await invoke(other, 'processOffer', offer.replaceAll(/^m=(\w+) \d+/gm, 'm=$1 0'));
    assert.match(answer, /m=audio 0 [^]*m=video 0 /);
    const done = nextEvent(other, 'IceGatheringDone');
    await invoke(other, 'gatherCandidates');
    await done;
  });
});

test('a certificate that is not the announced one is an Error, and a line of the log', async () => {
  await withPipeline(async (pipeline, server) => {
    const [one, other] = [await pipeline.create('WebRtcEndpoint'), await pipeline.create('WebRtcEndpoint')];
    const offer = await invoke(one, 'generateOffer');
    const answer = await invoke(other, 'processOffer', offer.replaceAll(/(a=fingerprint:sha-256 )../g, '$100').replaceAll(/(a=fingerprint:sha-256 00:)../g, '$100'));
    await invoke(one, 'processAnswer', answer);
    const told = nextEvent(other, 'Error', ({ description }) => /DTLS.*certificate/.test(description));
    const failed = nextEvent(other, 'DtlsConnectionStateChange', ({ state }) => state === 'FAILED');
    await exchange(one, other);
    assert.equal((await told).type, 'STREAM_ERROR_DECRYPT');
    await failed;
    await until(() => /DTLS handshake has failed/.test(server.log), 'the log says so');
  });
});

test('a data channel that is created between negotiation and connection is opened', async () => {
  await withPipeline(async (pipeline) => {
    const ends = [await pipeline.create('WebRtcEndpoint', { useDataChannels: true }), await pipeline.create('WebRtcEndpoint', { useDataChannels: true })];
    const [one, other] = ends;
    await invoke(one, 'processAnswer', await invoke(other, 'processOffer', await invoke(one, 'generateOffer')));
    const opened = ends.map((endpoint) => nextEvent(endpoint, 'DataChannelOpened'));
    await invoke(one, 'createDataChannel', 'early');
    await exchange(one, other);
    await Promise.all(opened);
    const plain = await pipeline.create('WebRtcEndpoint');
    await invoke(plain, 'generateOffer');
    await assert.rejects(invoke(plain, 'createDataChannel', 'never'), (error) => error.code === 40111);
  });
});
