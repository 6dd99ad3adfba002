// A scan from another address, without a token: every method of the protocol, every path.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';

import { MANAGER } from '../lib/model.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { within } from '../lib/wait.mjs';

const TOKEN = 'operator-0123456789abcdef';
const [HERE, ELSEWHERE] = ['10.77.0.1', '10.77.0.2'];

let server;
let ports;
let pipeline;
before(async () => {
  const added = spawnSync('ip', ['addr', 'add', `${ELSEWHERE}/24`, 'dev', 'media0'], { encoding: 'utf8' });
  assert.equal(added.status, 0, added.stderr);
  const tokens = { operator: { value: TOKEN, scope: 'all' } };
  const config = { requireAuth: true, auth: { tokens }, websocket: { address: '0.0.0.0' } };
  server = await startRivero({ modules: ['passthrough'], config, args: ['--management-address', '0.0.0.0'] });
  const management = Number(server.log.match(/management on http:\/\/[^/]*:(\d+)\//)[1]);
  ports = { control: server.port, management };
  const operator = await connectRpc(`${server.url}?access_token=${TOKEN}`);
  pipeline = await operator.create('MediaPipeline');
});
after(() => server?.stop());

/** Everything that the server says to these bytes until it hangs up. */
function answer(port, bytes) {
  const answered = new Promise((resolve, reject) => {
    const socket = connect({ host: HERE, port, localAddress: ELSEWHERE });
    const parts = [];
    socket.on('data', (part) => parts.push(part)).on('error', reject);
    socket.on('close', () => resolve(Buffer.concat(parts).toString('latin1')));
    socket.write(bytes);
  });
  return within(answered, `an answer from port ${port}`, 30_000);
}

/** A text in a frame as clients send it (RFC 6455 section 5.2). */
function frame(text) {
  const payload = Buffer.from(text);
  const mask = randomBytes(4);
  const masked = payload.map((byte, index) => byte ^ mask[index % 4]);
  const length = Buffer.from([0x81, 0x80 | 126, payload.length >> 8, payload.length & 0xff]);
  return Buffer.concat([length, mask, masked]);
}

const HANDSHAKE = [
  'GET /kurento HTTP/1.1',
  `Host: ${HERE}`,
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
];
const head = (...lines) => `${lines.join('\r\n')}\r\n\r\n`;
const bodyOf = (text) => text.slice(text.indexOf('\r\n\r\n') + 4);
const statusOf = (text) => Number(text.match(/^HTTP\/1\.1 (\d+) /)?.[1]);

test('no method is carried out, and nothing is answered', async () => {
  const requests = {
    ping: {},
    connect: {},
    keepAlive: { sessionId: 'x' },
    closeSession: { sessionId: 'x', release: true },
    create: { type: 'MediaPipeline' },
    invoke: { object: MANAGER, operation: 'getInfo' },
    describe: { object: pipeline },
    subscribe: { object: MANAGER, type: 'ObjectCreated' },
    unsubscribe: { object: MANAGER, subscription: 'x' },
    ref: { object: pipeline },
    unref: { object: pipeline },
    release: { object: pipeline },
    transaction: { operations: [] },
  };
  for (const [method, params] of Object.entries(requests)) {
    const text = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
    const told = await answer(server.port, Buffer.concat([Buffer.from(head(...HANDSHAKE)), frame(text)]));
    assert.equal(statusOf(told), 401, `${method}: ${told}`);
    assert.equal(bodyOf(told), '', `${method}: ${told}`);
    const posted = await answer(server.port, `${head('POST /kurento HTTP/1.1', `Host: ${HERE}`, `Content-Length: ${text.length}`)}${text}`);
    assert.equal(statusOf(posted), 401, posted);
  }
  const operator = await connectRpc(`${server.url}?access_token=${TOKEN}`);
  const answered = await operator.request('describe', { object: pipeline });
  assert.equal(answered.result?.type, 'MediaPipeline', 'the pipeline is still there');
  await operator.close();
});

test('no page is shown; a status is all that probes get', async () => {
  const paths = ['/', '/kurento', '/health', '/healthz', '/readyz', '/metrics', '/console', '/api', '/log', '/modules', '/favicon.ico', '/%2e%2e/metrics', '//metrics', '/METRICS'];
  for (const port of Object.values(ports)) {
    for (const path of paths) {
      for (const method of ['GET', 'POST', 'OPTIONS', 'TRACE', 'PUT']) {
        const told = await answer(port, head(`${method} ${path} HTTP/1.1`, `Host: ${HERE}`));
        const isProbe = ['/healthz', '/readyz'].includes(path);
        assert.ok(isProbe || statusOf(told) === 401, `${method} ${path}: ${told}`);
        assert.ok(!/rivero|kurento/i.test(told), `${method} ${path}: ${told}`);
        if (method === 'GET') assert.equal(bodyOf(told), '', `${path}: ${told}`);
      }
    }
  }
  const probe = await answer(server.port, head('GET /kurento HTTP/1.1', `Host: ${HERE}`, 'Connection: Upgrade', 'Upgrade: websocket'));
  assert.equal(statusOf(probe), 500);
});

test('the operator sees the pages', async () => {
  const told = await answer(ports.management, head('GET /metrics HTTP/1.1', `Host: ${HERE}`, `Authorization: Bearer ${TOKEN}`));
  assert.equal(statusOf(told), 200);
  assert.match(told, /^rivero_pipelines 1$/m);
  assert.ok(!server.log.includes(TOKEN));
});
