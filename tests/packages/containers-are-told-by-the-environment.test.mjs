// The entry point of the container: what the environment says counts, and nobody is let in unasked.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { connectClient, invoke } from '../lib/client.mjs';
import { until, within } from '../lib/wait.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const release = process.env.RIVERO_RELEASE_DIR ?? join(root, 'target', 'release');
const ENTRYPOINT = join(root, 'packaging/container/entrypoint');
const PROBE = 'http://127.0.0.1:8888/kurento';
const SOCKET = 'ws://127.0.0.1:8888/kurento';
const TOKEN = 'a-token-for-these-tests-alone';

let work;
let container;
before(() => {
  work = mkdtempSync(join(tmpdir(), 'rivero-container-'));
});
afterEach(async () => {
  container?.process.kill('SIGTERM');
  await container?.ended;
  container = undefined;
});
after(() => rmSync(work, { recursive: true, force: true, maxRetries: 5 }));

/** The environment of a container, whose configuration is in a folder of its own. */
function environment(variables) {
  const etc = mkdtempSync(join(work, 'etc-'));
  const places = { RIVERO_ETC: etc, RIVERO_RUN: join(etc, 'run'), RIVERO_PROGRAM: join(release, 'rivero'), RIVERO_DATA_PATH: join(etc, 'data'), KMS_UID: String(process.getuid()) };
  return { PATH: process.env.PATH, ...places, ...variables };
}

async function start(variables, env = environment(variables)) {
  const child = spawn(ENTRYPOINT, [], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  container = { process: child, ended: new Promise((resolve) => child.once('exit', resolve)) };
  const ended = container.ended.then((code) => assert.fail(`the container ended with ${code}`));
  await Promise.race([ended, until(() => fetch(PROBE).then(() => true), 'the container listens')]);
  ended.catch(() => {});
}

test('without a word on who may come in it does not start', () => {
  assert.throws(() => execFileSync(ENTRYPOINT, [], { env: environment({}), encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }), /set RIVERO_TOKEN .* or RIVERO_INSECURE=1/);
});

test('arguments are those of the server', () => {
  const run = (...args) => execFileSync(ENTRYPOINT, args, { env: environment({ RIVERO_INSECURE: '1' }), encoding: 'utf8' });
  assert.match(run('--list'), /WebRtcEndpoint/);
  assert.match(run('check-config', '--strict-config'), /fine/);
});

test('who has the token gets in, and the media are as the environment says', async () => {
  await start({
    RIVERO_TOKEN: TOKEN,
    KMS_MIN_PORT: '40000',
    KMS_MAX_PORT: '40100',
    KMS_MTU: '1100',
    KMS_EXTERNAL_IPV4: '198.51.100.7',
    KMS_STUN_IP: '192.0.2.1',
    KMS_STUN_PORT: '3479',
    KMS_TURN_URL: 'user:password@192.0.2.2:3478',
  });
  const client = await connectClient(SOCKET, { access_token: TOKEN });
  const pipeline = await client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  const properties = ['Mtu', 'ExternalIPv4', 'StunServerAddress', 'StunServerPort', 'TurnUrl'];
  const values = await Promise.all(properties.map((name) => endpoint[`get${name}`]()));
  assert.deepEqual(values, [1100, '198.51.100.7', '192.0.2.1', 3479, 'user:password@192.0.2.2:3478']);
  const rtp = await pipeline.create('RtpEndpoint');
  const offer = await invoke(rtp, 'generateOffer');
  const port = Number(/^m=audio (\d+)/m.exec(offer)[1]);
  assert.ok(port >= 40000 && port <= 40100, `port ${port}`);
  client.close();
});

test('strangers get nothing but the status', async () => {
  await start({ RIVERO_TOKEN: TOKEN });
  const handshake = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' };
  const refused = new Promise((resolve, reject) => {
    const asked = request(PROBE, { headers: handshake });
    asked.once('response', resolve).once('upgrade', () => reject(new Error('a stranger was let in'))).once('error', reject).end();
  });
  assert.equal((await within(refused, 'the handshake is refused')).statusCode, 401);
});

test('a configuration that is mounted counts as it is', async () => {
  const env = environment({});
  mkdirSync(join(env.RIVERO_ETC, 'modules/kurento'), { recursive: true });
  writeFileSync(join(env.RIVERO_ETC, 'kurento.conf.json'), '{"mediaServer": {"net": {"websocket": {"port": 8888}}}, "metadata": {"by": "hand"}}');
  writeFileSync(join(env.RIVERO_ETC, 'modules/kurento/BaseRtpEndpoint.conf.ini'), 'mtu=1000\n');
  await start({}, env);
  const client = await connectClient(SOCKET);
  const manager = await client.getServerManager();
  assert.deepEqual(JSON.parse(await manager.getMetadata()), { by: 'hand' });
  const pipeline = await client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  assert.equal(await endpoint.getMtu(), 1000);
  client.close();
});
