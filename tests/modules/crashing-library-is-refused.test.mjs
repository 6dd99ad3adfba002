// A library whose loading ends the process: it is tried out in another process,
// refused by name and reason, and the server starts without it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { builtModules, startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';

const NOT_AVAILABLE = 40108;

let server;
let rpc;
before(async () => {
  server = await startRivero({ modules: [...builtModules(), 'crashes'] });
  rpc = await connectRpc(server.url);
});
after(async () => {
  await rpc?.close();
  await server?.stop();
});

test('one line names the file and the signal', () => {
  const lines = server.log.split('\n').filter((line) => line.includes('crashes.so'));
  assert.equal(lines.length, 1, lines.join('\n'));
  assert.match(lines[0], /WARN.*module refused: .*signal 6/); // SIGABRT
});

test('its class is not available', async () => {
  const pipeline = await rpc.create('MediaPipeline');
  const constructorParams = { mediaPipeline: pipeline };
  const { error } = await rpc.request('create', { type: 'fixturecrashes.Crashes', constructorParams });
  assert.equal(error.code, NOT_AVAILABLE);
  assert.ok(server.running);
});

test('the modules beside it work', async () => {
  const pipeline = await rpc.create('MediaPipeline');
  const endpoint = await rpc.create('WebRtcEndpoint', { mediaPipeline: pipeline });
  const passThrough = await rpc.create('PassThrough', { mediaPipeline: pipeline });
  await rpc.invoke(endpoint, 'connect', { sink: passThrough });
  assert.match(await rpc.invoke(endpoint, 'generateOffer'), /^v=0/);
});
