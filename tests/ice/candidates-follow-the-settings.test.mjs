// Which candidates there are: port range, interfaces, external addresses, and
// what is said when something is wrong with one.

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { test } from 'node:test';

import { connectClient, invoke } from '../lib/client.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { nextEvent, until } from '../lib/wait.mjs';

async function withServer(moduleConfig, use) {
  const server = await startRivero({ modules: ['webrtc'], moduleConfig });
  try {
    const client = await connectClient(server.url);
    try {
      await use(await client.create('MediaPipeline'));
    } finally {
      client.close();
    }
  } finally {
    await server.stop();
  }
}

/** What a new endpoint with these properties finds, split into words. */
async function candidates(pipeline, properties = {}) {
  const endpoint = await pipeline.create('WebRtcEndpoint');
  for (const [name, value] of Object.entries(properties)) await invoke(endpoint, `set${name}`, value);
  const found = new Set();
  endpoint.on('IceCandidateFound', ({ candidate }) => found.add(candidate.candidate));
  const done = nextEvent(endpoint, 'IceGatheringDone');
  await invoke(endpoint, 'generateOffer');
  await invoke(endpoint, 'gatherCandidates');
  await done;
  return [...found].map((text) => {
    const [, , transport, , address, port] = text.split(' ');
    return { transport, address, port: Number(port), text };
  });
}

test('J05: ports are those of minPort and maxPort', async () => {
  const range = 'minPort=40000\nmaxPort=40040\n';
  await withServer({ 'kurento/BaseRtpEndpoint.conf.ini': range }, async (pipeline) => {
    const passive = (await candidates(pipeline)).filter(({ port }) => port !== 9);
    assert.ok(passive.length > 1);
    for (const { port, text } of passive) assert.ok(port >= 40_000 && port <= 40_040, text);
  });
});

test('J05: a range without a free port is an error that names it', async () => {
  const taken = createSocket('udp4');
  await new Promise((resolve) => taken.bind(41_000, '0.0.0.0', resolve));
  const taken6 = createSocket({ type: 'udp6', ipv6Only: true });
  await new Promise((resolve) => taken6.bind(41_000, '::', resolve));
  try {
    const range = 'minPort=41000\nmaxPort=41000\n';
    await withServer({ 'kurento/BaseRtpEndpoint.conf.ini': range }, async (pipeline) => {
      await assert.rejects(pipeline.create('WebRtcEndpoint'), /minPort 41000 to maxPort 41000/);
    });
  } finally {
    taken.close();
    taken6.close();
  }
});

test('J05: host candidates have the addresses that are set for them', async () => {
  await withServer({}, async (pipeline) => {
    const found = await candidates(pipeline, { ExternalIPv4: '203.0.113.9', ExternalIPv6: '2001:db8::9' });
    const passive = found.filter(({ port }) => port !== 9);
    const addresses = new Set(passive.map(({ address }) => address));
    assert.deepEqual(addresses, new Set(['203.0.113.9', '2001:db8::9']));
  });
});

test('J05: only the named interfaces are used', async () => {
  const config = { 'kurento/WebRtcEndpoint.conf.ini': 'networkInterfaces=lo\niceTcp=0\n' };
  await withServer(config, async (pipeline) => {
    const found = await candidates(pipeline);
    assert.ok(found.every(({ transport }) => transport === 'UDP'), 'iceTcp=0');
    const addresses = new Set(found.map(({ address }) => address));
    assert.deepEqual(addresses, new Set(['127.0.0.1', '::1']));
  });
});

test('J05: a STUN server that does not answer is told, and does not keep gathering from its end', async () => {
  await withServer({}, async (pipeline) => {
    const endpoint = await pipeline.create('WebRtcEndpoint');
    const told = nextEvent(endpoint, 'Error', ({ description }) => description.includes('192.0.2.1:3478 does not answer'));
    const done = nextEvent(endpoint, 'IceGatheringDone');
    await invoke(endpoint, 'setStunServerAddress', '192.0.2.1');
    await invoke(endpoint, 'generateOffer');
    await invoke(endpoint, 'gatherCandidates');
    await told;
    await done;
  });
});

test('J05: a turnUrl that is none is told', async () => {
  await withServer({}, async (pipeline) => {
    const endpoint = await pipeline.create('WebRtcEndpoint');
    const told = nextEvent(endpoint, 'Error', ({ description }) => description.includes('user:password@host:port'));
    const done = nextEvent(endpoint, 'IceGatheringDone');
    await invoke(endpoint, 'setTurnUrl', 'turn.example.org:3478');
    await invoke(endpoint, 'generateOffer');
    await invoke(endpoint, 'gatherCandidates');
    await told;
    await done;
  });
});

test('J05: malformed candidates are told, whenever and however they come', async () => {
  await withServer({}, async (pipeline) => {
    const [one, other] = [await pipeline.create('WebRtcEndpoint'), await pipeline.create('WebRtcEndpoint')];
    const told = [];
    other.on('Error', ({ errorCode, description }) => told.push([errorCode, description]));
    const give = (text) => invoke(other, 'addIceCandidate', { candidate: text, sdpMid: 'audio0', sdpMLineIndex: 0 });
    const host = (address, rest = 'typ host') => `candidate:1 1 udp 1 ${address} 5000 ${rest}`;
    await give(host('early.example', 'typ moon'));
    const offer = await invoke(one, 'generateOffer');
    const inside = offer.replace(/a=mid:audio0\r\n/, `$&a=${host('inside.example', 'typ sun')}\r\n`);
    assert.notEqual(inside, offer);
    await invoke(other, 'processOffer', inside);
    const wrong = [host('192.0.2.300'), host('2001:db8::g'), host('192.0.2.1', 'host'), 'candidate:1 1 udp x 192.0.2.2 5000 typ host', host('10.0.0.1', 'typ host generation')];
    for (const text of wrong) await give(text);
    // Nothing is wrong with these, though they are of no use.
    for (const text of ['', host('192.0.2.9'), 'candidate:1 1 ssltcp 1 192.0.2.3 443 typ host']) await give(text);
    const expected = ['early.example', 'inside.example', ...wrong];
    await until(() => told.length >= expected.length, 'all are told');
    for (const text of expected) {
      assert.equal(told.filter(([code, description]) => code === 40401 && description.includes(text)).length, 1, text);
    }
    assert.equal(told.length, expected.length, told.join('\n'));
  });
});

test('J05: a malformed candidate harms nothing', async () => {
  await withServer({}, async (pipeline) => {
    const [one, other] = [await pipeline.create('WebRtcEndpoint'), await pipeline.create('WebRtcEndpoint')];
    await invoke(one, 'processAnswer', await invoke(other, 'processOffer', await invoke(one, 'generateOffer')));
    const told = nextEvent(other, 'Error', ({ errorCode, description }) => errorCode === 40401 && description.includes('xyz'));
    const candidate = (text) => ({ candidate: text, sdpMid: 'audio0', sdpMLineIndex: 0 });
    await invoke(other, 'addIceCandidate', candidate('xyz'));
    await told;
    const ready = nextEvent(other, 'IceComponentStateChanged', ({ state }) => state === 'READY');
    one.on('IceCandidateFound', (event) => other.addIceCandidate(event.candidate, () => {}));
    other.on('IceCandidateFound', (event) => one.addIceCandidate(event.candidate, () => {}));
    await invoke(one, 'gatherCandidates');
    await invoke(other, 'gatherCandidates');
    await ready;
  });
});
