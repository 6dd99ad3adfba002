// B01 to B09: the JSON-RPC layer, by kurento-jsonrpc 7.3.0.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { connectJsonRpc } from '../lib/jsonrpc-client.mjs';
import { MANAGER } from '../lib/model.mjs';
import { startProxy } from '../lib/proxy.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { until } from '../lib/wait.mjs';

const CONNECTIONS = 400;

let server;
// A name is the longest text that a client gets back as it gave it.
before(async () => (server = await startRivero({ config: { limits: { object: { labelBytes: 16_000_000 } } } })));
after(() => server?.stop());

/** A name that is given and read: an echo through an object. */
async function echo(client, object, text) {
  await client.call('invoke', { object, operation: 'setName', operationParams: { name: text } });
  return (await client.call('invoke', { object, operation: 'getName' })).value;
}

test('B01 echoes one after the other and many at once', async () => {
  const client = await connectJsonRpc(server.url);
  const { value: pipeline } = await client.call('create', { type: 'MediaPipeline' });
  for (const text of ['hello', '', 'é\n"\u{1f600}']) assert.equal(await echo(client, pipeline, text || 'x'), text || 'x');
  const all = await Promise.all(Array.from({ length: 500 }, () => client.call('ping', {})));
  assert.ok(all.every(({ value }) => value === 'pong'));
  client.close();
});

test('B01 errors are delivered with code, message and data', async () => {
  const client = await connectJsonRpc(server.url);
  await assert.rejects(client.call('describe', { object: 'nothing' }), (error) => {
    const { code, message, data } = error;
    assert.deepEqual({ code, message, data }, { code: 40101, message: "Object 'nothing' not found", data: { type: 'MEDIA_OBJECT_NOT_FOUND' } });
    return true;
  });
  client.close();
});

test('B01 calls whose answers nobody waits for harm nothing', async () => {
  const client = await connectJsonRpc(server.url);
  client.send('ping', {});
  client.send('closeSession', { sessionId: 'nobody' });
  assert.equal((await client.call('ping', {})).value, 'pong');
  client.close();
});

test('B02 several clients hear of each other’s objects, and call back from their handlers', async () => {
  const heard = [];
  const clients = [];
  for (let index = 0; index < 5; index++) {
    const client = await connectJsonRpc(server.url, {
      onEvent: async ({ data }) => heard.push((await clients[index].call('describe', { object: data.object })).type),
    });
    clients.push(client);
    await client.call('subscribe', { object: MANAGER, type: 'ObjectCreated' });
  }
  for (const client of clients) await client.call('create', { type: 'MediaPipeline' });
  await until(() => heard.length === 25, 'every client describes every pipeline');
  assert.deepEqual(new Set(heard), new Set(['MediaPipeline']));
  for (const client of clients) client.close();
});

test('B03 several sessions at once; closing one with a message ends it', async () => {
  const observer = await connectRpc(server.url);
  const sessions = () => observer.invoke(MANAGER, 'getSessions');
  const [leaving, staying] = [await connectJsonRpc(server.url, { sendCloseMessage: true }), await connectJsonRpc(server.url)];
  const ids = [];
  for (const client of [leaving, staying]) ids.push((await client.call('create', { type: 'MediaPipeline' })).sessionId);
  assert.notEqual(ids[0], ids[1]);
  assert.ok(ids.every((id) => id));
  leaving.close();
  await until(async () => !(await sessions()).includes(ids[0]), 'the session has ended');
  assert.ok((await sessions()).includes(ids[1]));
  staying.close();
  await observer.close();
});

test('B04 B05 heartbeats keep the link, and their absence makes the client reconnect', async () => {
  const proxy = await startProxy(server.port);
  const client = await connectJsonRpc(proxy.url, { heartbeat: 100, heartbeatRequestTimeout: 1_500 });
  const { value: pipeline, sessionId } = await client.call('create', { type: 'MediaPipeline' });
  const observed = proxy.bytes;
  await until(() => proxy.bytes > observed + 2_000, 'heartbeats go to and fro');
  assert.equal(client.events.reconnecting, 0);

  proxy.freeze();
  await until(() => client.events.reconnecting === 1, 'missing pongs are noticed');
  proxy.thaw();
  await until(() => client.events.reconnected === 1, 'the client is back');
  assert.equal((await client.call('connect', { sessionId })).sessionId, sessionId);
  assert.equal((await client.call('invoke', { object: pipeline, operation: 'getName' })).value, pipeline);
  client.close();
  await proxy.close();
});

test('B05 after a cut the same session goes on, and what the server says reaches the client', async () => {
  const proxy = await startProxy(server.port);
  const types = [];
  const client = await connectJsonRpc(proxy.url, { onEvent: ({ type }) => types.push(type) });
  const { value: pipeline, sessionId } = await client.call('create', { type: 'MediaPipeline' });
  const { value: element } = await client.call('create', { type: 'PassThrough', constructorParams: { mediaPipeline: pipeline } });
  await client.call('subscribe', { object: element, type: 'ElementConnected' });
  proxy.cut();
  await until(() => client.events.reconnected === 1, 'the client is back');
  assert.equal((await client.call('connect', { sessionId })).sessionId, sessionId);
  await client.call('invoke', { object: element, operation: 'connect', operationParams: { sink: element } });
  await until(() => types.length === 3, 'events arrive');
  client.close();
  await proxy.close();
});

test('B05 while the server is down the client keeps trying until it is up', async () => {
  const first = await startRivero();
  const proxy = await startProxy(first.port);
  const client = await connectJsonRpc(proxy.url);
  proxy.leadTo(null);
  await first.stop();
  await until(() => client.events.reconnecting === 1, 'the client notices');
  const second = await startRivero();
  proxy.leadTo(second.port);
  await until(() => client.events.reconnected === 1, 'the client is back');
  assert.equal((await client.call('ping', {})).value, 'pong');
  client.close();
  await proxy.close();
  await second.stop();
});

test('B06 tells of the connection once', async () => {
  const client = await connectJsonRpc(server.url);
  assert.deepEqual(client.events, { connected: 1, reconnecting: 0, reconnected: 0, disconnected: 0 });
  client.close();
  await assert.rejects(connectJsonRpc('ws://127.0.0.1:9/kurento'));
});

test('B07 messages of hundreds of kilobytes go both ways', async () => {
  const client = await connectJsonRpc(server.url);
  const { value: pipeline } = await client.call('create', { type: 'MediaPipeline' });
  for (const size of [65_535, 65_536, 300_000, 999_990, 1_500_000]) {
    const text = 'aé€\u{1f600}'.repeat(size / 10);
    assert.equal(await echo(client, pipeline, text), text, `${size} bytes`);
  }
  client.close();
});

test(`B08 ${CONNECTIONS} connections at once are all served`, async () => {
  const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => connectRpc(server.url)));
  const pipelines = await Promise.all(connections.map((rpc) => rpc.create('MediaPipeline')));
  assert.equal(new Set(pipelines).size, CONNECTIONS);
  await Promise.all(connections.map((rpc, index) => rpc.request('release', { object: pipelines[index] })));
  await Promise.all(connections.map((rpc) => rpc.close()));
});

test('B09 a connection to a wrong path is closed with 1002', async () => {
  const { default: WebSocket } = await import('ws');
  const close = (path) => new Promise((resolve) => new WebSocket(`ws://127.0.0.1:${server.port}${path}`).once('close', (code, reason) => resolve([code, String(reason)])));
  for (const path of ['/', '/kurent', '/kurento/', '/x/kurento']) assert.deepEqual(await close(path), [1002, 'Invalid path'], path);
  const right = await connectRpc(`${server.url}?access_token=x`);
  assert.equal((await right.request('ping')).result.value, 'pong');
  await right.close();
});
