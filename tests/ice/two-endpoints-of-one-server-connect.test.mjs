// Two endpoints of one server that are each other's peers, as in tests of applications: on one processor they share a port, by
// which alone nothing tells whose datagram is whose.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { connectRpc } from '../lib/rpc.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { until } from '../lib/wait.mjs';

const PAIRS = 5;
const [PROCESSOR] = /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8')).slice(1);
const MACHINES = {
  'one processor': (command) => ['taskset', '-c', PROCESSOR, ...command],
  'all processors': (command) => command,
};

for (const [machine, wrap] of Object.entries(MACHINES)) {
  test(`two endpoints of a server on ${machine} connect`, async () => {
    const server = await startRivero({ modules: ['webrtc'], wrap });
    const rpc = await connectRpc(server.url);
    const eventsOf = (object, type) => rpc.events.filter((event) => event.object === object && event.type === type).map(({ data }) => data);
    const pipeline = await rpc.create('MediaPipeline');
    const pairs = [];
    for (let count = 0; count < PAIRS; count += 1) {
      const pair = [await rpc.create('WebRtcEndpoint', { mediaPipeline: pipeline }), await rpc.create('WebRtcEndpoint', { mediaPipeline: pipeline })];
      for (const endpoint of pair) {
        for (const type of ['IceCandidateFound', 'IceGatheringDone', 'ConnectionStateChanged', 'Error']) await rpc.value('subscribe', { object: endpoint, type });
      }
      const [one, other] = pair;
      const offer = await rpc.invoke(one, 'generateOffer');
      await rpc.invoke(one, 'processAnswer', { answer: await rpc.invoke(other, 'processOffer', { offer }) });
      for (const endpoint of pair) await rpc.invoke(endpoint, 'gatherCandidates');
      for (const [from, to] of [[one, other], [other, one]]) {
        await until(() => eventsOf(from, 'IceGatheringDone').length, 'candidates are found');
        for (const { candidate } of eventsOf(from, 'IceCandidateFound')) await rpc.invoke(to, 'addIceCandidate', { candidate });
      }
      pairs.push(pair);
    }
    for (const endpoint of pairs.flat()) {
      await until(() => eventsOf(endpoint, 'ConnectionStateChanged').some(({ newState }) => newState === 'CONNECTED'), `${endpoint} is connected`);
      assert.deepEqual(eventsOf(endpoint, 'Error'), []);
    }
    await rpc.close();
    await server.stop();
  });
}
