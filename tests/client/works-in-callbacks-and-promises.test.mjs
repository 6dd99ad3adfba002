// C01, C05, C06, C09, C11, D01 to D06 as far as they need no media: both generations of kurento-client, each call in callback
// and in promise form.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { connectClient, invoke, kurentoClient } from '../lib/client.mjs';
import { connectClient6, kurentoClient6 } from '../lib/client-6.mjs';
import { MANAGER } from '../lib/model.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { nextEvent, until, within } from '../lib/wait.mjs';

const scratch = mkdtempSync(join(tmpdir(), 'rivero-forms-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** The two forms of a call: a function from object, operation and parameters to a promise. */
const FORMS = {
  callback: invoke,
  promise: (object, operation, ...parameters) => within(Promise.resolve(object[operation](...parameters)), operation),
};

for (const [version, connect, kurento] of [['7.3.0', connectClient, kurentoClient], ['6.18.0', connectClient6, kurentoClient6]]) {
  describe(`kurento-client ${version}`, () => {
    let server;
    let client;
    before(async () => {
      server = await startRivero();
      client = await connect(server.url);
    });
    after(async () => {
      client?.close();
      await server?.stop();
    });

    for (const [form, call] of Object.entries(FORMS)) {
      test(`C01 C11 D01 a pipeline is created and released (${form})`, async () => {
        const pipeline = await call(client, 'create', 'MediaPipeline');
        assert.match(pipeline.id, /^[0-9a-f-]{36}_kurento\.MediaPipeline$/);
        assert.equal(pipeline.constructor.name, 'MediaPipeline');
        const element = await call(pipeline, 'create', 'PassThrough');
        assert.ok(element.id.startsWith(`${pipeline.id}/`));
        await call(element, 'release');
        await call(pipeline, 'release');
        const rpc = await connectRpc(server.url);
        assert.ok(!(await rpc.invoke(MANAGER, 'getPipelines')).includes(pipeline.id));
        await rpc.close();
      });

      test(`D02 a name is set and read (${form})`, async () => {
        const pipeline = await client.create('MediaPipeline');
        await call(pipeline, 'setName', 'alpha');
        assert.equal(await call(pipeline, 'getName'), 'alpha');
        await call(pipeline, 'setName', '');
        assert.equal(await call(pipeline, 'getName'), pipeline.id);
        await pipeline.release();
      });

      test(`D02 a video format is set (${form})`, async () => {
        const pipeline = await client.create('MediaPipeline');
        const element = await pipeline.create('PassThrough');
        const framerate = kurento.getComplexType('Fraction')({ numerator: 30, denominator: 1 });
        const caps = kurento.getComplexType('VideoCaps')({ codec: 'VP8', framerate });
        assert.ok((await call(element, 'setVideoFormat', caps)) == null);
        await pipeline.release();
      });

      test(`C05 D04 a player tells its URI and is connected, whole and by type (${form})`, async () => {
        const pipeline = await client.create('MediaPipeline');
        const uri = 'file:///nonexistent/film.webm';
        const player = await pipeline.create('PlayerEndpoint', { uri });
        const viewer = await pipeline.create('WebRtcEndpoint');
        assert.equal(await call(player, 'getUri'), uri);
        await call(player, 'connect', viewer);
        assert.equal((await call(player, 'getSinkConnections')).length, 3);
        await call(player, 'disconnect', viewer);
        await call(player, 'connect', viewer, 'AUDIO');
        const [connection, ...others] = await call(player, 'getSinkConnections');
        assert.deepEqual([connection.type, others.length], ['AUDIO', 0]);
        await pipeline.release();
      });

      test(`C06 D05 a recorder tells its URI, records, pauses and stops (${form})`, async () => {
        const pipeline = await client.create('MediaPipeline');
        const uri = `file://${scratch}/${version}-${form}.webm`;
        const recorder = await pipeline.create('RecorderEndpoint', { uri });
        assert.equal(await call(recorder, 'getUri'), uri);
        for (const operation of ['record', 'pause', 'record', 'stop']) {
          assert.ok((await call(recorder, operation)) == null, operation);
        }
        await pipeline.release();
      });

      test(`D06 an endpoint for uploads tells its URL, and takes what is sent there (${form})`, async () => {
        const pipeline = await client.create('MediaPipeline');
        const endpoint = await pipeline.create('HttpPostEndpoint', { disconnectionTimeout: 1, useEncodedMedia: true });
        const events = ['MediaSessionStarted', 'Error', 'MediaSessionTerminated'].map((name) => nextEvent(endpoint, name));
        // Its answer comes after the subscriptions.
        const url = await call(endpoint, 'getUrl');
        assert.match(url, /^http:\/\/localhost:\d+\/[0-9a-f-]{36}$/);
        assert.equal((await fetch(url, { method: 'POST', body: new Uint8Array(100) })).status, 415);
        const [, { type }] = await Promise.all(events);
        assert.equal(type, 'INVALID_MEDIA');
        await call(endpoint, 'release');
        await assert.rejects(fetch(url, { method: 'POST' }), 'nobody listens');
        await pipeline.release();
      });

      test(`D03 getInfo and getPipelines (${form})`, async () => {
        const manager = await call(client, 'getServerManager');
        assert.equal(manager.id, MANAGER);
        const pipeline = await client.create('MediaPipeline');
        const info = await call(manager, 'getInfo');
        assert.deepEqual([info.type, info.version, info.capabilities], ['KMS', '7.3.0', ['transactions']]);
        assert.ok(info.modules.length > 2);
        for (const { name, version: of, generationTime, factories } of info.modules) {
          assert.ok(name && of && Array.isArray(factories));
          assert.match(generationTime, /^[A-Z][a-z]{2} [ 0-3]\d \d{4} \d\d:\d\d:\d\d$/);
        }
        const pipelines = await call(manager, 'getPipelines');
        assert.ok(pipelines.some(({ id }) => id === pipeline.id));
        await pipeline.release();
      });

      test(`C07 connect, connect by type, sources and sinks (${form})`, async () => {
        const pipeline = await client.create('MediaPipeline');
        const [source, sink] = [await pipeline.create('WebRtcEndpoint'), await pipeline.create('PassThrough')];
        await call(source, 'connect', sink);
        const sinks = await call(source, 'getSinkConnections');
        assert.deepEqual(sinks.map(({ type }) => type).sort(), ['AUDIO', 'DATA', 'VIDEO']);
        await call(source, 'disconnect', sink);
        await call(source, 'connect', sink, 'VIDEO');
        const sources = await call(sink, 'getSourceConnections', 'VIDEO');
        assert.equal(sources.length, 1);
        assert.deepEqual([sources[0].source.id ?? sources[0].source, sources[0].type], [source.id, 'VIDEO']);
        assert.deepEqual(await call(sink, 'getSourceConnections', 'AUDIO'), []);
        await pipeline.release();
      });
    }

    test('D01 calls are chained before their objects exist', async () => {
      const pipeline = client.create('MediaPipeline');
      const [source, sink] = [pipeline.create('PassThrough'), pipeline.create('PassThrough')];
      await source.connect(sink);
      const connections = await (await sink).getSourceConnections('AUDIO');
      assert.equal(connections.length, 1);
      await (await pipeline).release();
    });

    test('C09 the server manager is one object, for every call and client', async () => {
      const [first, second] = [await client.getServerManager(), await client.getServerManager()];
      assert.equal(first.id, MANAGER);
      assert.equal(second.id, first.id);
      const other = await connect(server.url);
      assert.equal((await other.getServerManager()).id, first.id);
      other.close();
    });

    test('C09 ObjectCreated holds the object that create returned', async () => {
      const manager = await client.getServerManager();
      const created = [];
      manager.on('ObjectCreated', ({ object }) => created.push(object));
      await invoke(manager, 'getName');
      const pipeline = await client.create('MediaPipeline');
      await until(() => created.length > 0, 'ObjectCreated');
      const told = await client.getMediaobjectById(created[0]);
      assert.equal(told.id, pipeline.id);
      await invoke(told, 'setName', 'the same');
      assert.equal(await invoke(pipeline, 'getName'), 'the same');
      await pipeline.release();
    });

    test('C09 children of a pipeline are seen by another client, with their parent', async () => {
      const pipeline = await client.create('MediaPipeline');
      const element = await pipeline.create('PassThrough');
      const other = await connect(server.url);
      const manager = await other.getServerManager();
      const seen = (await manager.getPipelines()).find(({ id }) => id === pipeline.id);
      const [child] = await seen.getChildren();
      assert.equal(child.id, element.id);
      assert.equal(child.constructor.name, 'PassThrough');
      assert.equal((await child.getParent()).id, pipeline.id);
      other.close();
      await pipeline.release();
    });

    test('D02 what a client does not know is an error before anything is sent', async () => {
      const other = await connect(server.url);
      await assert.rejects(async () => other.create('NoSuchClass'), SyntaxError);
      other.close();
    });

    test('D11 an object is usable after an idle time of several passes of the collector', async () => {
      const eager = await startRivero({ config: { resources: { garbageCollectorPeriod: 1 } } });
      const idle = await connect(eager.url);
      const pipeline = await idle.create('MediaPipeline');
      const observer = await connectRpc(eager.url);
      for (let pass = 0; pass < 3; pass++) {
        const gone = await connectRpc(eager.url);
        await gone.create('MediaPipeline');
        await gone.close();
        await until(async () => (await observer.invoke(MANAGER, 'getPipelines')).length === 1, 'what went away is collected');
      }
      assert.equal(await invoke(pipeline, 'getName'), pipeline.id);
      idle.close();
      await observer.close();
      await eager.stop();
    });

    test('a client in another mode than the strict one connects too', async () => {
      const loose = kurento(server.url, { strict: false, failAfter: 2, duplicates_timeout: 100, response_timeout: 100 });
      const pipeline = await within(Promise.resolve(loose.create('MediaPipeline')), 'create');
      assert.ok(pipeline.id);
      loose.close();
    });
  });
}
