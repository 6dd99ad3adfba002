// kurento-client checks at its start that the server has its modules.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { connectClient } from '../lib/client.mjs';
import { startRivero } from '../lib/rivero.mjs';

let server;
before(async () => (server = await startRivero()));
after(() => server?.stop());

test('kurento-client 7.3.0 connects in strict mode', async () => {
  const client = await connectClient(server.url);
  const manager = await client.getServerManager();
  const info = await manager.getInfo();
  assert.equal(info.version, '7.3.0');
  assert.equal(info.type, 'KMS');
  const names = info.modules.map(({ name }) => name);
  for (const name of ['core', 'elements', 'filters']) assert.ok(names.includes(name), `module ${name} is listed`);
  client.close();
});

test('the factories of installed modules are listed with their module', async () => {
  const client = await connectClient(server.url);
  const manager = await client.getServerManager();
  const { modules } = await manager.getInfo();
  const factories = modules.flatMap((module) => module.factories);
  for (const factory of ['MediaPipeline', 'WebRtcEndpoint', 'PassThrough']) assert.ok(factories.includes(factory), factory);
  client.close();
});
