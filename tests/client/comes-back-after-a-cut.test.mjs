// D12, B05, B06, C02, C03: both generations of kurento-client, when the connection is
// cut and when the server goes. A proxy of the test stands for the network.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { connectClient, invoke, kurentoClient } from '../lib/client.mjs';
import { connectClient6, kurentoClient6 } from '../lib/client-6.mjs';
import { startProxy } from '../lib/proxy.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { nextEvent, until, within } from '../lib/wait.mjs';

/** What a cut takes with it is given up after a while; it keeps the process alive as long. */
const GIVES_UP = { request_timeout: 4_000 };
/** The client goes on trying for minutes. */
const PATIENT = { failAfter: 100, ...GIVES_UP };

const once = (client, event) => nextEvent(client, event);
const disconnected = (client) => new Promise((resolve) => client.connection.once('disconnect', resolve));

/** Closes a connected client: it first waits for the replies to its calls. */
async function leave(client) {
  const gone = disconnected(client);
  client.close();
  await gone;
}

for (const [version, connect, kurento] of [['7.3.0', connectClient, kurentoClient], ['6.18.0', connectClient6, kurentoClient6]]) {
  describe(`kurento-client ${version}`, () => {
    let server;
    let proxy;
    before(async () => {
      server = await startRivero();
      proxy = await startProxy(server.port);
    });
    after(async () => {
      await proxy?.close();
      await server?.stop();
    });

    test('D12 B05 continues in the same session after a network error, and gets the events of meanwhile in order', async () => {
      const client = await connect(proxy.url, PATIENT);
      const pipeline = await client.create('MediaPipeline');
      const element = await pipeline.create('PassThrough');
      const { sessionId } = client;
      const events = [];
      for (const name of ['ElementConnected', 'ElementDisconnected']) element.on(name, ({ type, mediaType }) => events.push(`${type} ${mediaType}`));
      await invoke(element, 'getName');

      const back = once(client, 'reconnected');
      const gone = disconnected(client);
      proxy.leadTo(null);
      proxy.cut();
      await gone;
      const other = await connectRpc(server.url);
      for (let round = 0; round < 10; round++) {
        await other.invoke(element.id, 'connect', { sink: element.id });
        await other.invoke(element.id, 'disconnect', { sink: element.id });
      }
      assert.deepEqual(events, [], 'nobody to tell');
      proxy.leadTo(server.port);
      assert.equal(await back, true, 'the session goes on');
      await until(() => events.length >= 60, 'the events arrive');
      const round = ['AUDIO', 'VIDEO', 'DATA'].map((type) => `ElementConnected ${type}`).concat(['AUDIO', 'VIDEO', 'DATA'].map((type) => `ElementDisconnected ${type}`));
      assert.deepEqual(events, Array(10).fill(round).flat());

      assert.equal(client.sessionId, sessionId);
      assert.equal(await invoke(element, 'getName'), element.id);
      await other.invoke(element.id, 'connect', { sink: element.id, mediaType: 'AUDIO' });
      await until(() => events.length === 61, 'events come as before');
      await other.close();
      await leave(client);
    });

    test('D12 a call that is made while the connection is down is answered when it is back', async () => {
      const client = await connect(proxy.url, PATIENT);
      const pipeline = await client.create('MediaPipeline');
      const gone = disconnected(client);
      proxy.cut();
      await gone;
      assert.equal(await invoke(pipeline, 'getName'), pipeline.id);
      await leave(client);
    });

    test('B05 survives twenty cuts with the same session', async () => {
      const client = await connect(proxy.url, PATIENT);
      const pipeline = await client.create('MediaPipeline');
      for (let cut = 0; cut < 20; cut++) {
        const back = once(client, 'reconnected');
        proxy.cut();
        assert.equal(await back, true);
        assert.equal(await invoke(pipeline, 'getName'), pipeline.id);
      }
      await leave(client);
    });

    test('D12 C02 after a restart of the server says reconnected(false), old objects are refused and new ones work', async () => {
      const first = await startRivero();
      const network = await startProxy(first.port);
      const client = await connect(network.url, PATIENT);
      const pipeline = await client.create('MediaPipeline');
      const back = once(client, 'reconnected');
      network.leadTo(null);
      assert.deepEqual(await first.stop(), { code: 0, signal: null });
      const second = await startRivero();
      network.leadTo(second.port);
      assert.equal(await back, false, 'another session');

      await assert.rejects(invoke(pipeline, 'getName'), { code: 40101, message: `Object '${pipeline.id}' not found` });
      const fresh = await client.create('MediaPipeline');
      const element = await fresh.create('PassThrough');
      const connected = new Promise((resolve) => element.on('ElementConnected', resolve));
      await invoke(element, 'connect', element);
      assert.equal((await within(connected, 'ElementConnected')).sink, element.id);
      await leave(client);
      await network.close();
      await second.stop();
    });

    test('D12 C02 C03 B05 when the server is gone for good, the client says so, and calls name the connection', async () => {
      const own = await startRivero();
      const client = await connect(own.url, { failAfter: 3, ...GIVES_UP });
      const pipeline = await client.create('MediaPipeline');
      const gone = once(client, 'disconnect');
      await own.stop();
      await gone;
      await assert.rejects(invoke(pipeline, 'getName'), /Connection error|has been disconnected/);
      client.close();
    });

    test('B05 closed while it reconnects it stays closed', async () => {
      const network = await startProxy(server.port);
      const client = await connect(network.url, PATIENT);
      const gone = disconnected(client);
      network.leadTo(null);
      network.cut();
      await gone;
      client.close();
      network.leadTo(server.port);
      // Another client comes through the same way later than the closed one would have.
      const other = await connect(network.url, PATIENT);
      const cut = once(other, 'reconnected');
      network.cut();
      await cut;
      assert.equal(network.connections, 1);
      await leave(other);
      await network.close();
    });

    test('B06 tells when it is connected, and fails on a port without a server', async () => {
      const network = await startProxy(null);
      const refused = new Promise((resolve) => {
        const client = kurento(network.url, { failAfter: 2, ...GIVES_UP }, (error) => resolve(error));
        client._re.on('error', () => {});
      });
      assert.match((await refused).message, /Connection error/);
      const client = kurento(server.url, { failAfter: 2, duplicates_timeout: 100, ...GIVES_UP });
      await once(client, 'connected');
      client.close();
      await network.close();
    });
  });
}
