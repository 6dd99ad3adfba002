// kurento-module-rivero in the unmodified client, in its strict default, before a real server.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { connectClient, kurentoClient } from '../lib/client.mjs';
import { artefacts, startRivero } from '../lib/rivero.mjs';
import { generate, repository, scratch } from './generate.mjs';

const folder = scratch();
let server, client, pipeline;

before(async () => {
  const descriptors = readdirSync(join(repository, 'plugins')).flatMap((module) => {
    const files = readdirSync(join(repository, 'plugins', module)).filter((file) => file.endsWith('.kmd.json'));
    return files.map((file) => join(repository, 'plugins', module, file));
  });
  generate('js', descriptors, folder, '--rivero');
  kurentoClient.register(createRequire(join(folder, 'index.js'))('./kurento-module-rivero'));
  server = await startRivero({ modules: ['rtmp', 'hubs', 'passthrough'] });
  client = await connectClient(server.url);
  pipeline = await client.create('MediaPipeline');
});
after(async () => {
  client?.close();
  await server?.stop();
});

test('an additive class is created, called and listened to', async () => {
  const ingest = await pipeline.create('RtmpIngest', { streamKey: 'secret' });
  assert.match(await ingest.getUri(), /\/live\/secret$/);
  assert.equal(await ingest.getConnected(), false);
  ingest.on('Connected', () => {});
  const publisher = await pipeline.create('rtmp.RtmpPublisher', { uri: 'rtmp://127.0.0.1:9/a/b', silentAudio: true });
  assert.equal(await publisher.getUri(), 'rtmp://127.0.0.1:9/a/b');
  await ingest.connect(publisher);
  const sources = await publisher.getSourceConnections();
  assert.equal(sources[0].source, ingest.id);
  assert.equal((await publisher.getParent()).id, pipeline.id);
  await publisher.release();
});

test('a standard class has what Rivero adds, and all that it had', async () => {
  const composite = await pipeline.create('Composite', { width: 320, height: 240 });
  const port = await pipeline.create('HubPort', { hub: composite });
  await composite.setLayout({ name: 'SPEAKER' });
  await composite.setPort(port, { label: 'one', muted: true });
  await new Promise((resolve, reject) => composite.setPortLayout(port, { name: 'GRID' }, true, (error) => (error ? reject(error) : resolve())));
  const stats = await composite.getPortStats(port);
  assert.equal(stats.__type__, 'CompositePortStats');
  composite.on('LayoutChanged', () => {});
  await composite.setName('mix');
  assert.equal(await composite.getName(), 'mix');
  await assert.rejects(composite.setPort(composite, { label: 'x' }), ({ code }) => code > 40_000);
  await assert.rejects(composite.setOutput(-1, 0, 0), ({ code }) => code > 40_000);
});

test('an object that is found by its id is of the class as well', async () => {
  const { id } = await pipeline.create('Composite', {});
  const found = await client.getMediaobjectById(id);
  await found.setOutput(640, 480);
  assert.ok((await pipeline.getChildren()).some((child) => child.id === id && typeof child.setLayout === 'function'));
});

test('a library gives the same package as its descriptor', () => {
  const library = scratch();
  generate('ts', [join(artefacts.modules, 'rtmp.so')], library);
  const text = scratch();
  generate('ts', [join(repository, 'plugins/rtmp/rtmp.kmd.json')], text);
  for (const file of ['package.json', 'README.md', 'lib/index.js', 'lib/index.d.ts']) {
    const [one, other] = [library, text].map((place) => readFileSync(join(place, 'kurento-module-rtmp', file), 'utf8'));
    assert.equal(one, other, file);
  }
});
