// An id that another client made known is described, and becomes an object of its class.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { connectClient } from '../lib/client.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';

let server;
before(async () => (server = await startRivero()));
after(() => server?.stop());

test('a second client gets an object of the right class for an id', async () => {
  const owner = await connectClient(server.url);
  const pipeline = await owner.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');

  const guest = await connectClient(server.url);
  const found = await guest.getMediaobjectById(endpoint.id);
  assert.equal(found.id, endpoint.id);
  assert.equal(typeof found.processOffer, 'function');
  assert.equal((await found.getMediaPipeline()).id, pipeline.id);
  guest.close();
  owner.close();
});

test('A05 describe names the class and its ancestors, nearest first', async () => {
  const rpc = await connectRpc(server.url);
  const pipeline = await rpc.create('MediaPipeline');
  const endpoint = await rpc.create('WebRtcEndpoint', { mediaPipeline: pipeline });
  const { result } = await rpc.request('describe', { object: endpoint });
  assert.equal(result.type, 'WebRtcEndpoint');
  assert.equal(result.qualifiedType, 'kurento.WebRtcEndpoint');
  assert.deepEqual(result.hierarchy, [
    'kurento.BaseRtpEndpoint',
    'kurento.SdpEndpoint',
    'kurento.SessionEndpoint',
    'kurento.Endpoint',
    'kurento.MediaElement',
    'kurento.MediaObject',
  ]);
  await rpc.close();
});
