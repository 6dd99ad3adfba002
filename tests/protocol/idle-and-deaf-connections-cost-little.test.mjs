// B08: a thousand connections at a time, those that never read, and those that never finish
// what they say: everybody else is served, and the memory comes back.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';

import WebSocket from 'ws';

import { connectRpc } from '../lib/rpc.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { until, within } from '../lib/wait.mjs';

const CONNECTIONS = 1_000;
const DEAF = 10;
const MIB = 1024; // in KiB, as usage() has it
const HANDSHAKE = `GET /kurento HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`;

let server;
before(async () => (server = await startRivero({ modules: ['passthrough'] })));
after(() => server?.stop());

const opened = () => {
  const socket = new WebSocket(server.url);
  return within(new Promise((resolve, reject) => socket.once('open', () => resolve(socket)).once('error', reject)), 'a connection opens');
};

function pong(socket) {
  socket.send('{"jsonrpc":"2.0","id":1,"method":"ping"}');
  return within(new Promise((resolve) => socket.once('message', (text) => resolve(JSON.parse(text).result.value))), 'pong');
}

async function answersOthers() {
  const rpc = await connectRpc(server.url);
  assert.equal((await rpc.request('ping')).result.value, 'pong');
  await rpc.close();
}

test('a thousand connections are served at a time, and leave nothing behind', async () => {
  await answersOthers();
  const { rssKib, descriptors } = server.usage();
  const sockets = await Promise.all(Array.from({ length: CONNECTIONS }, opened));
  assert.deepEqual(new Set(await Promise.all(sockets.map(pong))), new Set(['pong']));
  const each = (server.usage().rssKib - rssKib) / CONNECTIONS;
  assert.ok(each < 40, `${each} KiB for a connection`);
  for (const socket of sockets) socket.terminate();
  await until(() => server.usage().descriptors <= descriptors, 'all sockets are closed');
  await until(() => server.usage().rssKib < rssKib + 10 * MIB, 'the memory is given back');
});

test('clients that never read are read no further, and disturb nobody', async () => {
  const { rssKib } = server.usage();
  const text = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'invoke', params: { object: 'manager_ServerManager', operation: 'getKmd', operationParams: { moduleName: 'core' } } });
  const length = Buffer.byteLength(text);
  const frame = Buffer.concat([Buffer.from([0x81, 0xfe, length >> 8, length & 255, 0, 0, 0, 0]), Buffer.from(text)]);
  const burst = Buffer.concat(Array(100).fill(frame));
  const deaf = Array.from({ length: DEAF }, () => connect(server.port, '127.0.0.1').pause().on('error', () => {}));
  // Each is given requests until the server takes no more of them.
  const filled = deaf.map(async (socket) => {
    socket.write(HANDSHAKE);
    for (;;) {
      if (socket.write(burst)) continue;
      const drained = new Promise((resolve) => socket.once('drain', () => resolve(true)));
      if (!(await Promise.race([drained, new Promise((resolve) => setTimeout(resolve, 2_000, false))]))) return;
    }
  });
  await within(Promise.all(filled), 'the server takes no more');
  const each = (server.usage().rssKib - rssKib) / DEAF;
  assert.ok(each < 12 * MIB, `${each} KiB for a client that does not read`);
  await answersOthers();
  for (const socket of deaf) socket.destroy();
});

test('connections are probed, so that one to a machine that vanished ends', async () => {
  const rpc = await connectRpc(server.url);
  const sockets = execFileSync('ss', ['-tnoH', 'state', 'established', 'sport', '=', String(server.port)], { encoding: 'utf8' });
  assert.match(sockets, /timer:\(keepalive,(1min|[0-9]+sec)/);
  await rpc.close();
});

test('a request head that never ends is given up', async () => {
  const socket = connect(server.port, '127.0.0.1').on('error', () => {});
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const slowly = setInterval(() => socket.write('x'), 500);
  socket.resume().write('GET /kurento HTTP/1.1\r\nX-Slow: ');
  await within(closed, 'the server hangs up');
  clearInterval(slowly);
  await answersOthers();
});
