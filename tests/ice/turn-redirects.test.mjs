// A TURN server that only sends its clients on to another one (300 Try Alternate).

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { connectClient, invoke } from '../lib/client.mjs';
import { startTurn, TURN_PASSWORD, TURN_USER } from '../lib/nat.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { nextEvent, until } from '../lib/wait.mjs';

const [FRONT, BACK] = ['127.0.0.1', '127.0.0.2'];

const parts = {};
before(async () => {
  parts.back = await startTurn([], [BACK]);
  parts.front = await startTurn([], [FRONT], ['--alternate-server', `${BACK}:3478`]);
  parts.server = await startRivero({ modules: ['webrtc'] });
  parts.client = await connectClient(parts.server.url);
});
after(async () => {
  parts.client?.close();
  await parts.server?.stop();
  await parts.front?.stop();
  await parts.back?.stop();
});

for (const transport of ['udp', 'tcp']) {
  test(`over ${transport} the other server's relay is announced`, async () => {
    const pipeline = await parts.client.create('MediaPipeline');
    const endpoint = await pipeline.create('WebRtcEndpoint');
    const [found, errors] = [[], []];
    endpoint.on('IceCandidateFound', ({ candidate }) => found.push(candidate.candidate));
    endpoint.on('Error', ({ description }) => errors.push(description));
    const done = nextEvent(endpoint, 'IceGatheringDone');
    await invoke(endpoint, 'setTurnUrl', `${TURN_USER}:${TURN_PASSWORD}@${FRONT}:3478?transport=${transport}`);
    await invoke(endpoint, 'generateOffer');
    await invoke(endpoint, 'gatherCandidates');
    await until(() => found.some((text) => text.includes('typ relay')), 'there is a relayed candidate').catch((error) => {
      throw new Error(`${error.message}: ${errors}\n${parts.front.log.slice(-2000)}`);
    });
    await done;
    const relayed = found.filter((text) => text.includes('typ relay'));
    assert.ok(relayed.every((text) => text.split(' ')[4] === BACK), relayed.join('\n'));
    assert.deepEqual(errors, []);
    await pipeline.release();
  });
}
