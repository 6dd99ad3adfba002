// Tokens as kurento-client 7.3.0 sends them: `access_token` in the query of the WebSocket's URL.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { connectClient, invoke } from '../lib/client.mjs';
import { startRivero } from '../lib/rivero.mjs';

const TOKENS = { alice: 'alice-0123456789abcdef', bob: 'bob-0123456789abcdef', operator: 'operator-0123456789abcdef' };

let server;
before(async () => {
  const tokens = {
    alice: { value: TOKENS.alice, quotas: { pipelines: 2 } },
    bob: { value: TOKENS.bob },
    operator: { value: TOKENS.operator, scope: 'all' },
  };
  server = await startRivero({ modules: ['passthrough'], config: { auth: { tokens } } });
});
after(() => server?.stop());

const connect = (name) => connectClient(server.url, { access_token: TOKENS[name] });

test('a client with a token makes and connects objects, and another one does not see them', async () => {
  const [alice, bob, operator] = [await connect('alice'), await connect('bob'), await connect('operator')];
  const pipeline = await alice.create('MediaPipeline');
  const [source, sink] = [await pipeline.create('PassThrough'), await pipeline.create('PassThrough')];
  await source.connect(sink);

  const managers = await Promise.all([alice, bob, operator].map((client) => client.getServerManager()));
  const seen = await Promise.all(managers.map((manager) => invoke(manager, 'getPipelines')));
  assert.deepEqual(seen.map((pipelines) => pipelines.length), [1, 0, 1]);
  await assert.rejects(bob.getMediaobjectById(pipeline.id), /not found/);
  assert.equal((await operator.getMediaobjectById(pipeline.id)).id, pipeline.id);

  await alice.create('MediaPipeline');
  await assert.rejects(alice.create('MediaPipeline'), /permits 2 pipelines/);
  await bob.create('MediaPipeline');
  for (const client of [alice, bob, operator]) client.close();
});

test('a client with a wrong token or none does not connect', async () => {
  await assert.rejects(connectClient(server.url, { access_token: 'wrong' }));
  await assert.rejects(connectClient(server.url));
  assert.ok(!Object.values(TOKENS).some((token) => server.log.includes(token)));
});
