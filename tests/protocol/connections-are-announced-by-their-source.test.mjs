// J02: ElementConnected and ElementDisconnected as Kurento raises them, also for what is not
// connected and for what is connected again.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';

import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';

const KINDS = ['AUDIO', 'VIDEO', 'DATA'];
const each = (type, kinds = KINDS) => kinds.map((kind) => `${type} ${kind}`);

let server;
let rpc;
let elements;
before(async () => (server = await startRivero()));
beforeEach(async () => {
  await rpc?.close();
  rpc = await connectRpc(server.url);
  const mediaPipeline = await rpc.create('MediaPipeline');
  elements = [];
  for (let count = 0; count < 3; count++) elements.push(await rpc.create('PassThrough', { mediaPipeline }));
  for (const object of elements) for (const type of ['ElementConnected', 'ElementDisconnected']) await rpc.value('subscribe', { object, type });
});
after(async () => {
  await rpc?.close();
  await server?.stop();
});

/** The events of a call, with the place of the element that raised each. */
async function eventsOf(source, operation, params) {
  rpc.events.length = 0;
  await rpc.invoke(elements[source], operation, params);
  await rpc.request('ping');
  return rpc.events.map(({ type, object, data }) => {
    assert.deepEqual([data.source, data.sourceMediaDescription, data.sinkMediaDescription], [object, 'default', 'default']);
    return [elements.indexOf(object), `${type} ${data.mediaType}`, elements.indexOf(data.sink)];
  });
}

const from = (source, types, sink) => types.map((type) => [source, type, sink]);

test('connect raises one event for each media type, on the source', async () => {
  assert.deepEqual(await eventsOf(0, 'connect', { sink: elements[1] }), from(0, each('ElementConnected'), 1));
});

test('connecting again raises a disconnection and a connection for each media type', async () => {
  await eventsOf(0, 'connect', { sink: elements[1] });
  const again = await eventsOf(0, 'connect', { sink: elements[1] });
  assert.deepEqual(new Set(again.map(String)), new Set([...from(0, each('ElementDisconnected'), 1), ...from(0, each('ElementConnected'), 1)].map(String)));
  for (const kind of KINDS) {
    const types = again.map(([, type]) => type);
    assert.ok(types.indexOf(`ElementDisconnected ${kind}`) < types.indexOf(`ElementConnected ${kind}`));
  }
});

test('another source of a sink takes the place of the first, which tells of its end', async () => {
  await eventsOf(0, 'connect', { sink: elements[1], mediaType: 'VIDEO' });
  const taken = await eventsOf(2, 'connect', { sink: elements[1], mediaType: 'VIDEO' });
  assert.deepEqual(taken, [[0, 'ElementDisconnected VIDEO', 1], [2, 'ElementConnected VIDEO', 1]]);
  const sources = await rpc.invoke(elements[1], 'getSourceConnections');
  assert.deepEqual(sources.map(({ source, type }) => [source, type]), [[elements[2], 'VIDEO']]);
});

test('disconnecting what is not connected succeeds and raises three events', async () => {
  assert.deepEqual(await eventsOf(0, 'disconnect', { sink: elements[1] }), from(0, each('ElementDisconnected'), 1));
});

test('an element may be its own sink', async () => {
  assert.deepEqual(await eventsOf(0, 'connect', { sink: elements[0], mediaType: 'AUDIO' }), [[0, 'ElementConnected AUDIO', 0]]);
});
