// Without a direct way the server's relay carries the call, whichever transport
// leads to it; then with no UDP at all; credentials as an operator may have them.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { invoke } from '../lib/client.mjs';
import { COLOURS, hearsTone, seesColour, seesMotion } from '../lib/media.mjs';
import { PUBLIC, startTurn } from '../lib/nat.mjs';
import { arrangement, pairOf, turnUrl } from '../lib/traversal.mjs';
import { nextEvent, until } from '../lib/wait.mjs';

const directory = mkdtempSync(join(tmpdir(), 'rivero-turn-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const certificate = join(directory, 'certificate.pem');
const key = join(directory, 'key.pem');
execFileSync('openssl', [
  'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=turn.rivero.test',
  '-addext', `subjectAltName=IP:${PUBLIC.v4},IP:${PUBLIC.v6}`, '-addext', 'basicConstraints=critical,CA:FALSE',
  '-out', certificate, '-keyout', key,
], { stdio: 'ignore' });

const parts = arrangement(
  {},
  {
    turn: ['--cert', certificate, '--pkey', key],
    server: { env: { SSL_CERT_FILE: certificate } },
  },
  ({ internet }) => {
    // Neither knows a way to the other but through the public host.
    internet.block(undefined, 'ip daddr 198.51.100.20');
    internet.block(undefined, 'ip6 daddr 2001:db8::20');
  },
);

/** A loop whose server side has the relay of `url` only; its endpoint. */
async function loopThrough(name, url) {
  const pipeline = await parts.client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  endpoint.on('Error', (event) => console.error(name, event.description));
  await invoke(endpoint, 'setTurnUrl', url);
  await invoke(endpoint, 'connect', endpoint);
  await parts.calls.open(name, endpoint, { send: 'both', codecs: { video: 'VP8' } });
  return endpoint;
}

async function carriesMedia(name, endpoint, preference) {
  await seesColour(parts.page, name, COLOURS.red);
  await seesMotion(parts.page, name);
  await hearsTone(parts.page, name, 1000);
  const { local } = await pairOf(endpoint);
  assert.equal(local.type, 'relay', local.text);
  assert.equal(Number(local.text.split(' ')[3]) >> 24, preference, `${local.text} is reached by another transport`);
}

for (const [transport, preference] of [['udp', 2], ['tcp', 1], ['tls', 0]]) {
  for (const family of ['v4', 'v6']) {
    test(`TURN over ${transport}, IP${family}`, async () => {
      const name = `${transport}-${family}`;
      const endpoint = await loopThrough(name, turnUrl(PUBLIC[family], transport));
      await carriesMedia(name, endpoint, preference);
    });
  }
}

test('of several servers the one that works is used', async () => {
  const nowhere = 'a:b@198.51.100.77:3478?transport=tcp';
  const endpoint = await loopThrough('several', `${nowhere} ${turnUrl(PUBLIC.v4)}`);
  await carriesMedia('several', endpoint, 2);
});

test('a wrong password is told', async () => {
  const pipeline = await parts.client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  const told = nextEvent(endpoint, 'Error', ({ description }) => description.includes('user name and password'));
  const done = nextEvent(endpoint, 'IceGatheringDone');
  await invoke(endpoint, 'setTurnUrl', `rivero:wrong@${PUBLIC.v4}:3478`);
  await invoke(endpoint, 'generateOffer');
  await invoke(endpoint, 'gatherCandidates');
  await told;
  await done;
});

test('a certificate that nobody vouches for is told', async () => {
  const pipeline = await parts.client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  const told = nextEvent(endpoint, 'Error', ({ description }) => /certificate/i.test(description));
  await invoke(endpoint, 'setTurnUrl', `rivero:x@localhost:5349?transport=tls`);
  const turn = await startTurn([], ['127.0.0.1', '::1'], ['--cert', certificate, '--pkey', key]);
  try {
    await invoke(endpoint, 'generateOffer');
    await invoke(endpoint, 'gatherCandidates');
    await told;
  } finally {
    await turn.stop();
  }
});

test('credentials limited in time, and a server by name', async () => {
  const secret = 'shared with the application';
  const turn = await startTurn([], ['127.0.0.1', '::1'], ['--use-auth-secret', '--static-auth-secret', secret]);
  try {
    const pipeline = await parts.client.create('MediaPipeline');
    const endpoint = await pipeline.create('WebRtcEndpoint');
    const found = [];
    endpoint.on('IceCandidateFound', ({ candidate }) => found.push(candidate.candidate));
    const username = `${Math.floor(Date.now() / 1000) + 600}:alice`;
    const password = createHmac('sha1', secret).update(username).digest('base64');
    await invoke(endpoint, 'setTurnUrl', `${username}:${password}@localhost:3478`);
    await invoke(endpoint, 'generateOffer');
    await invoke(endpoint, 'gatherCandidates');
    await until(() => found.some((text) => text.includes('typ relay')), 'there is a relayed candidate');
  } finally {
    await turn.stop();
  }
});

test('without UDP the relay is reached by TCP and TLS', async () => {
  parts.internet.unblock();
  parts.internet.block(undefined, 'meta l4proto udp');
  parts.internet.block(undefined, 'ip daddr 198.51.100.20');
  parts.internet.block(undefined, 'ip6 daddr 2001:db8::20');
  for (const [transport, preference] of [['tcp', 1], ['tls', 0]]) {
    const name = `${transport}-without-udp`;
    const endpoint = await loopThrough(name, turnUrl(PUBLIC.v4, transport));
    await carriesMedia(name, endpoint, preference);
  }
});
