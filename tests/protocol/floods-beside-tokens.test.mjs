// Who floods a server that asks for tokens, from the same address as everybody else, with or without one of
// them: connections that say nothing or never come to an end, clients that never read, a hundred that are at their
// quotas. The calls beside lose nothing, and the memory stays within its bounds.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';

import { connectRpc } from '../lib/rpc.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { until, within } from '../lib/wait.mjs';

const SCALE = Math.min(10, Number(process.env.SCALE ?? 1));
const SILENT = 1_000 * SCALE;
const SLOW = 50 * SCALE;
const DEAF = 100 * SCALE;
const GREEDY = 100;
const MANAGER = 'manager_ServerManager';
/** What clients may have in memory beside media, whatever they do (docs/limits.md), and what it takes of the heap. */
const MOST_KIB = 400 * 1024;

const token = (name) => `${name}-0123456789abcdef`;
const greedy = Array.from({ length: GREEDY }, (_, number) => `greedy${number}`);

let server;
before(async () => {
  const tokens = Object.fromEntries(['beside', 'deaf', 'slow', ...greedy].map((name) => [name, { value: token(name) }]));
  for (const name of greedy) tokens[name].quotas = { pipelines: 2, requestsPerSecond: 20, connections: 2 };
  server = await startRivero({ modules: ['passthrough'], config: { auth: { tokens } } });
});
after(() => server?.stop());

const client = (name) => connectRpc(`${server.url}?access_token=${token(name)}`);
const handshake = (name) =>
  `GET /kurento?access_token=${token(name)} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n';

/** A socket of somebody who does not care what becomes of it. */
const socket = () => connect(server.port, '127.0.0.1').on('error', () => {});
const connected = (one) => new Promise((resolve) => one.once('connect', resolve).once('close', resolve));

/** A masked frame of text. */
function frame(text) {
  const length = Buffer.byteLength(text);
  return Buffer.concat([Buffer.from([0x81, 0xfe, length >> 8, length & 255, 0, 0, 0, 0]), Buffer.from(text)]);
}

/** Works as an application does, until it is told to stop; gives the number of rounds. */
async function work(rpc, isOver) {
  await rpc.value('subscribe', { object: MANAGER, type: 'ObjectCreated' });
  const created = [];
  for (let round = 0; ; round++) {
    if (isOver() && round > 0) {
      const told = () => rpc.events.filter(({ type, data }) => type === 'ObjectCreated' && data).map(({ data }) => data.object);
      await until(() => told().length >= created.length, 'all events have come');
      assert.deepEqual(told(), created);
      return round;
    }
    const mediaPipeline = await rpc.create('MediaPipeline');
    const [source, sink] = [await rpc.create('PassThrough', { mediaPipeline }), await rpc.create('PassThrough', { mediaPipeline })];
    created.push(mediaPipeline, source, sink);
    await rpc.invoke(source, 'connect', { sink });
    await rpc.invoke(sink, 'setName', { name: `round ${round}` });
    assert.equal(await rpc.invoke(sink, 'getName'), `round ${round}`);
    await rpc.value('release', { object: mediaPipeline });
  }
}

/** Connections that say nothing. */
async function silence() {
  const sockets = Array.from({ length: SILENT }, () => socket().resume());
  await within(Promise.all(sockets.map(connected)), 'the silent have come');
  return () => sockets.forEach((one) => one.destroy());
}

/** Some never end their head, the others have a token and never end their message. */
async function slowness() {
  const sockets = Array.from({ length: SLOW }, () => socket().resume());
  await Promise.all(sockets.map(connected));
  const said = [() => 'GET /kurento HTTP/1.1\r\nX-Slow: ', () => handshake('slow')];
  sockets.forEach((one, index) => one.write(said[index % 2]()));
  sockets.filter((_, index) => index % 2).forEach((one) => one.write(Buffer.from([0x81, 0xff, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0])));
  const drops = setInterval(() => sockets.forEach((one) => one.writable && one.write(' ')), 300);
  return () => {
    clearInterval(drops);
    sockets.forEach((one) => one.destroy());
  };
}

/** Clients that ask for what is large, and read none of it: however many they are, for as much together, and more than is kept. */
async function deafness() {
  const ask = (id) => frame(JSON.stringify({ jsonrpc: '2.0', id, method: 'invoke', params: { object: MANAGER, operation: 'getKmd', operationParams: { moduleName: 'core' } } }));
  const burst = Buffer.concat(Array.from({ length: Math.ceil(20 / SCALE) }, (_, id) => ask(id)));
  const sockets = Array.from({ length: DEAF }, () => socket().pause());
  await Promise.all(sockets.map(connected));
  for (const one of sockets) {
    one.write(handshake('deaf'));
    one.write(burst);
  }
  return () => sockets.forEach((one) => one.destroy());
}

/** These want more than they may have; gives how often they were told so. */
async function greed(clients, isOver) {
  const refusals = { requests: 0, pipelines: 0 };
  await Promise.all(clients.map(async (rpc) => {
    // They come at once, and are those of ten seconds.
    const operations = Array.from({ length: 200 }, (_, id) => ({ jsonrpc: '2.0', id, method: 'ping' }));
    const { result } = await rpc.request('transaction', { operations });
    refusals.requests += result.value.filter(({ error }) => /requestsPerSecond/.test(error?.message)).length;
    while (!isOver()) {
      const answers = await Promise.all(Array.from({ length: 10 }, () => rpc.request('create', { type: 'MediaPipeline' })));
      for (const { error } of answers.filter((answer) => answer.error)) {
        assert.equal(error.code, 40009, error.message);
        if (/permits 2 pipelines/.test(error.message)) refusals.pipelines += 1;
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    await rpc.close();
  }));
  return refusals;
}

test('the calls beside all floods lose nothing, newcomers are let in, and the memory is bounded', async () => {
  const { rssKib } = server.usage();
  let [isCalm, isOver, most] = [false, false, 0];
  const watch = setInterval(() => (most = Math.max(most, server.usage().rssKib)), 200);
  const beside = await client('beside');
  // Before the flood: of thousands that come at the same moment from one address, some do not get in.
  const wanted = await Promise.all(greedy.map(client));
  const working = work(beside, () => isOver);
  const wanting = greed(wanted, () => isCalm);
  const ends = await Promise.all([silence(), slowness(), deafness()]);
  // In the midst of it somebody comes, a health check looks on, and a wrong token is one.
  for (let count = 0; count < 5; count++) {
    const newcomer = await client('beside');
    assert.equal(await newcomer.value('ping', { interval: 60_000 }), 'pong');
    await newcomer.close();
  }
  assert.equal((await fetch(`http://127.0.0.1:${server.port}/health`)).status, 401);
  isCalm = true;
  const refusals = await wanting;
  isOver = true;
  const rounds = await within(working, 'the work is done');
  clearInterval(watch);
  for (const end of ends) end();
  await beside.close();
  assert.ok(rounds > 0 && refusals.pipelines > 0 && refusals.requests >= GREEDY, JSON.stringify({ rounds, refusals }));
  assert.ok(most > 0 && most - rssKib < MOST_KIB, `${most - rssKib} KiB more`);
  assert.ok(server.running);
  // Afterwards everything is as it was.
  const rpc = await client('beside');
  await work(rpc, () => true);
  await rpc.close();
});
