// The fixture module panics in every callback. Its caller gets 40003, its object
// an Error event, and everybody else notices nothing.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';

import { builtModules, startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { until } from '../lib/wait.mjs';

const UNEXPECTED_ERROR = 40003;

let server;
let rpc;
let pipeline;
before(async () => {
  server = await startRivero({ modules: [...builtModules(), 'panics'] });
  rpc = await connectRpc(server.url);
});
beforeEach(async () => (pipeline = await rpc.create('MediaPipeline')));
after(async () => {
  await rpc?.close();
  await server?.stop();
});

/** Everything else still answers: the process, the pipeline, its other elements. */
async function othersAreWell(bystander) {
  assert.ok(server.running);
  assert.equal(await rpc.invoke(bystander, 'getName'), bystander);
  const fresh = await rpc.create('PassThrough', { mediaPipeline: pipeline });
  await rpc.invoke(bystander, 'connect', { sink: fresh });
}

test('a panic is an error to the caller and an event on the object', async () => {
  const bystander = await rpc.create('PassThrough', { mediaPipeline: pipeline });
  const element = await rpc.create('fixturepanics.Panics', { mediaPipeline: pipeline });
  await rpc.value('subscribe', { object: element, type: 'Error' });

  const { error } = await rpc.request('invoke', { object: element, operation: 'panic', operationParams: {} });
  assert.equal(error.code, UNEXPECTED_ERROR);
  await until(() => rpc.events.some((event) => event.type === 'Error' && event.object === element), 'Error event on the object');
  assert.ok(rpc.events.every((event) => event.object === element), 'no other object reports anything');
  await othersAreWell(bystander);
});

test('an element that panics when media is connected and released harms nobody', async () => {
  const bystander = await rpc.create('PassThrough', { mediaPipeline: pipeline });
  const element = await rpc.create('fixturepanics.Panics', { mediaPipeline: pipeline });
  await rpc.request('invoke', { object: bystander, operation: 'connect', operationParams: { sink: element } });
  await othersAreWell(bystander);
  await rpc.request('release', { object: element });
  await othersAreWell(bystander);
});
