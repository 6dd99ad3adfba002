// J05: candidates that nobody trickles, over either IP version: they are in the descriptions after
// gathering. The states of ICE, DTLS and the connection are told, and statistics are there.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { connectClient, invoke } from '../lib/client.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { nextEvent, until } from '../lib/wait.mjs';

const STATES = { IceComponentStateChanged: 'state', DtlsConnectionStateChange: 'state', ConnectionStateChanged: 'newState' };

const parts = {};
before(async () => {
  parts.server = await startRivero({ modules: ['webrtc'] });
  parts.client = await connectClient(parts.server.url);
});
after(async () => {
  parts.client?.close();
  await parts.server?.stop();
});

/** The local description once all candidates are in it, without those of the other IP version. */
async function gathered(endpoint, family) {
  const done = nextEvent(endpoint, 'IceGatheringDone');
  await invoke(endpoint, 'gatherCandidates');
  await done;
  const sdp = await invoke(endpoint, 'getLocalSessionDescriptor');
  assert.match(sdp, /a=candidate:/);
  const lines = sdp.split('\r\n');
  return lines.filter((line) => !line.startsWith('a=candidate:') || (line.split(' ')[4].includes(':') ? 'v6' : 'v4') === family).join('\r\n');
}

for (const family of ['v4', 'v6']) {
  test(`J05: candidates inside descriptions connect over IP${family}, and every state is told`, async () => {
    const pipeline = await parts.client.create('MediaPipeline');
    const make = async () => {
      const endpoint = await pipeline.create('WebRtcEndpoint', { useDataChannels: true });
      const told = [];
      for (const [event, field] of Object.entries(STATES)) endpoint.on(event, (data) => told.push(`${event} ${data[field]}`));
      return { endpoint, told };
    };
    const [one, other] = [await make(), await make()];
    await invoke(one.endpoint, 'generateOffer');
    const offer = await gathered(one.endpoint, family);
    await invoke(other.endpoint, 'processOffer', offer);
    const answer = await gathered(other.endpoint, family);
    await invoke(one.endpoint, 'processAnswer', answer);
    const expected = [
      ...['GATHERING', 'CONNECTING', 'CONNECTED', 'READY'].map((state) => `IceComponentStateChanged ${state}`),
      ...['NEW', 'CONNECTING', 'CONNECTED'].map((state) => `DtlsConnectionStateChange ${state}`),
      'ConnectionStateChanged CONNECTED',
    ];
    for (const { told } of [one, other]) {
      await until(() => expected.every((state) => told.includes(state)), 'every state is told').catch((error) => {
        throw new Error(`${error.message}; told ${told}`);
      });
    }
    for (const { endpoint } of [one, other]) {
      const [pair] = await invoke(endpoint, 'getICECandidatePairs');
      for (const candidate of [pair.localCandidate, pair.remoteCandidate]) {
        assert.equal(candidate.split(' ')[4].includes(':') ? 'v6' : 'v4', family, candidate);
      }
      const stats = Object.values(await invoke(endpoint, 'getStats'));
      assert.ok(stats.some(({ type }) => type === 'session'), JSON.stringify(stats));
    }
    await pipeline.release();
  });
}
