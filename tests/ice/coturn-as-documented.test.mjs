// docs/turn.md: coturn with the file of packaging/coturn carries calls for clients and for the server, with credentials that the page
// makes; private networks, other secrets and credentials that have ended are refused.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { invoke } from '../lib/client.mjs';
import { follow, read } from '../lib/documents.mjs';
import { COLOURS, seesColour, seesMotion } from '../lib/media.mjs';
import { PUBLIC } from '../lib/nat.mjs';
import { arrangement, only, pairOf } from '../lib/traversal.mjs';
import { nextEvent } from '../lib/wait.mjs';

const directory = mkdtempSync(join(tmpdir(), 'rivero-coturn-'));
after(() => rmSync(directory, { recursive: true, force: true }));
assert.equal(follow('docs/turn.md', directory), 2);
const file = join(directory, 'turnserver.conf');
const configuration = readFileSync(file, 'utf8');
const secret = /^static-auth-secret=(.*)$/m.exec(configuration)[1];
/** What the commands of the page have made. */
const [expiry, name, password] = readFileSync(join(directory, 'credentials'), 'utf8').trim().split(':');
const user = `${expiry}:${name}`;
const hmac = (text, key = secret) => createHmac('sha1', key).update(text).digest('base64');

// The browser and the server know no way to each other but through the public host.
const parts = arrangement({}, { turn: file }, ({ internet }) => {
  internet.block(undefined, 'ip daddr 198.51.100.20');
  internet.block(undefined, 'ip6 daddr 2001:db8::20');
});

async function endpointInALoop() {
  const pipeline = await parts.client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  await invoke(endpoint, 'connect', endpoint);
  return endpoint;
}

async function comesBack(name) {
  await seesColour(parts.page, name, COLOURS.red);
  await seesMotion(parts.page, name);
}

test('the page changes nothing but secret and name, and its two ways to a password agree', () => {
  const unchanged = (text) => text.replace(/^(static-auth-secret|realm)=.*$/gm, '');
  assert.equal(unchanged(configuration), unchanged(read('packaging/coturn/turnserver.conf')));
  assert.match(secret, /^[0-9a-f]{64}$/);
  assert.equal(password, hmac(user));
});

test('a client gets a relay', async () => {
  const endpoint = await endpointInALoop();
  const iceServers = [{ urls: `turn:${PUBLIC.v4}:3478`, username: user, credential: password }];
  await parts.calls.open('client', endpoint, {
    send: 'both', codecs: { video: 'VP8' }, allows: only('v4'), configuration: { iceTransportPolicy: 'relay', iceServers },
  });
  await comesBack('client');
  // Checks by way of the relay may come before the candidate is told, so its type may be another.
  const { address, text } = (await pairOf(endpoint)).remote;
  const port = Number(text.split(' ')[5]);
  assert.ok(address === PUBLIC.v4 && port >= 49152 && port <= 57343, text);
});

test('the server gets a relay', async () => {
  const endpoint = await endpointInALoop();
  await invoke(endpoint, 'setTurnUrl', `${user}:${password}@${PUBLIC.v4}:3478`);
  await parts.calls.open('server', endpoint, { send: 'both', codecs: { video: 'VP8' } });
  await comesBack('server');
  assert.equal((await pairOf(endpoint)).local.type, 'relay');
});

const past = `${Math.floor(Date.now() / 1000) - 60}:alice`;
for (const [what, given] of [['of another secret', [user, hmac(user, 'another one')]], ['that has ended', [past, hmac(past)]]]) {
  test(`a credential ${what} is refused`, async () => {
    const endpoint = await endpointInALoop();
    const told = nextEvent(endpoint, 'Error', ({ description }) => description.includes('user name and password'));
    await invoke(endpoint, 'setTurnUrl', `${given.join(':')}@${PUBLIC.v4}:3478`);
    await invoke(endpoint, 'generateOffer');
    await invoke(endpoint, 'gatherCandidates');
    await told;
  });
}
