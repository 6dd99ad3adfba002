// addIceCandidate takes what platforms make of a candidate: fields left out or null, prefixes, blanks;
// and what is of no use keeps nothing from what is.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { connectRpc } from '../lib/rpc.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { until } from '../lib/wait.mjs';

let server, rpc, pipeline;
before(async () => {
  server = await startRivero({ modules: ['webrtc'] });
  rpc = await connectRpc(server.url);
  pipeline = await rpc.create('MediaPipeline');
});
after(async () => {
  await rpc?.close();
  await server?.stop();
});

const eventsOf = (object, type) => rpc.events.filter((event) => event.object === object && event.type === type).map(({ data }) => data);

/** Two endpoints that know all but where the other one is, and the candidate of one of them. */
async function strangers() {
  const [one, other] = [await rpc.create('WebRtcEndpoint', { mediaPipeline: pipeline }), await rpc.create('WebRtcEndpoint', { mediaPipeline: pipeline })];
  for (const endpoint of [one, other]) {
    for (const type of ['IceCandidateFound', 'IceGatheringDone', 'IceComponentStateChanged', 'Error']) await rpc.request('subscribe', { object: endpoint, type });
  }
  // Under other mids than the kinds, so that a mid which is none of them can be told apart.
  const offer = (await rpc.invoke(one, 'generateOffer')).replaceAll('audio0', '0').replaceAll('video0', '1');
  const answer = await rpc.invoke(other, 'processOffer', { offer });
  await rpc.invoke(one, 'processAnswer', { answer: answer.replaceAll('a=mid:0', 'a=mid:audio0').replaceAll('a=mid:1', 'a=mid:video0').replace('BUNDLE 0 1', 'BUNDLE audio0 video0') });
  await rpc.invoke(one, 'gatherCandidates');
  await rpc.invoke(other, 'gatherCandidates');
  const found = await until(() => eventsOf(one, 'IceGatheringDone').length && eventsOf(one, 'IceCandidateFound'), 'candidates are found');
  const host = found.map(({ candidate }) => candidate.candidate).find((text) => / UDP (?!.*:)/i.test(text.replace('candidate:', '')));
  assert.ok(host, JSON.stringify(found));
  return { one, other, host };
}

/** What is of no use, or nothing at all. None of it is to raise an Error. */
const USELESS = [
  { candidate: 'candidate:2441 1 udp 659136 fe80::54a9:d238:b2ee:ceb%21 60720 typ host generation 0', sdpMid: '0', sdpMLineIndex: 0 },
  { candidate: 'candidate:2 1 TCP 1019216383 198.51.100.7 0 typ host tcptype active', sdpMid: '0', sdpMLineIndex: 0 },
  { candidate: 'candidate:4 1 tcp 1694506751 198.51.100.7 54750 typ host generation 0', sdpMid: '0', sdpMLineIndex: 0 },
  { candidate: 'candidate:3 1 udp 1685987071 203.0.113.9 50000 typ srflx generation 0', sdpMid: '0', sdpMLineIndex: 0 },
  { candidate: '', sdpMid: '0', sdpMLineIndex: 0 },
  { candidate: '', sdpMid: '', sdpMLineIndex: 0 },
  { candidate: 'end-of-candidates', sdpMid: '0', sdpMLineIndex: 0 },
  { candidate: 'null', sdpMid: null, sdpMLineIndex: null },
  { candidate: null, sdpMid: '0', sdpMLineIndex: 0 },
];

const FORMS = [
  (host) => ({ candidate: host, sdpMid: '0', sdpMLineIndex: 0 }),
  (host) => ({ candidate: `${host.replace(/ typ host.*/, ' typ host')} raddr 0.0.0.0 rport 0 generation 0 network-cost 999`, sdpMid: '0', sdpMLineIndex: 0 }),
  (host) => ({ candidate: `a=${host} `, sdpMid: '0', sdpMLineIndex: 0 }),
  (host) => ({ candidate: host, sdpMid: null, sdpMLineIndex: 0 }),
  (host) => ({ candidate: host, sdpMLineIndex: 1 }),
  (host) => ({ candidate: host, sdpMid: '1' }),
  (host) => ({ candidate: host, sdpMid: '0', sdpMLineIndex: null }),
  (host) => ({ candidate: host }),
  (host) => ({ candidate: host, sdpMid: 'video', sdpMLineIndex: 0 }),
  (host) => ({ candidate: host, sdpMid: '1', sdpMLineIndex: 1, usernameFragment: 'Ab3d' }),
];

test('each form makes a call connect, whatever came before it', async () => {
  for (const form of FORMS) {
    const { one, other, host } = await strangers();
    const give = (candidate) => rpc.invoke(other, 'addIceCandidate', { candidate });
    for (const candidate of USELESS) await give(candidate);
    const candidate = form(host);
    await give(candidate);
    const isReady = () => eventsOf(other, 'IceComponentStateChanged').some(({ state }) => state === 'READY');
    await until(isReady, `a connection by ${JSON.stringify(candidate)}`);
    assert.deepEqual(eventsOf(other, 'Error'), []);
    for (const endpoint of [one, other]) await rpc.request('release', { object: endpoint });
  }
});

test('a section that there is not is refused', async () => {
  const { other, host } = await strangers();
  await assert.rejects(rpc.invoke(other, 'addIceCandidate', { candidate: { candidate: host, sdpMid: '7', sdpMLineIndex: 7 } }), { code: 40401 });
});
