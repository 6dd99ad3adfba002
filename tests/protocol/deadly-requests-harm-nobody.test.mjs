// Requests that are valid JSON-RPC and end the process of Kurento 7.3: an object of
// the wrong class wherever the descriptors ask for one, `getIceTcp`, and `Mixer.connect`.
// They go to every class that is installed.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { isKnownError } from '../lib/error-codes.mjs';
import { MANAGER, readModel } from '../lib/model.mjs';
import { createOneOfEach, objectOf } from '../lib/one-of-each.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { Dice, fitting } from '../lib/values.mjs';

const dice = new Dice(7);
const text = (parameter) => (/uri/i.test(parameter) ? 'file:///nonexistent/x.webm' : 'identity');

let server;
let rpc;
let model;
let made;
let bystander;
let theirs;

before(async () => {
  server = await startRivero();
  rpc = await connectRpc(server.url);
  model = await readModel(rpc);
  made = await createOneOfEach(rpc, model, dice, text);
  made.set('ServerManager', MANAGER);

  bystander = await connectRpc(server.url);
  const pipeline = await bystander.create('MediaPipeline');
  const [source, sink] = [await bystander.create('PassThrough', { mediaPipeline: pipeline }), await bystander.create('PassThrough', { mediaPipeline: pipeline })];
  await bystander.invoke(source, 'connect', { sink });
  theirs = { pipeline, source, sink };
});
after(async () => {
  await bystander?.close();
  await rpc?.close();
  await server?.stop();
});

async function nobodyIsHarmed(pid) {
  assert.ok(server.running && server.pid === pid, 'the same process');
  const connections = await bystander.invoke(theirs.source, 'getSinkConnections');
  assert.equal(connections.length, 3, 'connections of another session');
  assert.ok(connections.every(({ sink }) => sink === theirs.sink));
  for (const id of made.values()) assert.equal(await rpc.invoke(id, 'getName'), id);
}

/** Every parameter that takes an object, each with every object that does not fit. */
function* misdirected() {
  for (const [type, id] of made) {
    for (const operation of model.class(type).operations) {
      for (const param of operation.params) {
        const wanted = model.type(param.type);
        if (wanted.kind !== 'class') continue;
        for (const [other, wrong] of made) {
          if (!model.isA(other, wanted.name)) yield { type, id, operation, param, wanted: wanted.name, other, wrong };
        }
      }
    }
  }
}

test('an object of the wrong class is an error of the call, for every class and operation', async () => {
  const { pid } = server;
  let asked = 0;
  for (const { type, id, operation, param, wanted, other, wrong } of misdirected()) {
    const object = (name) => objectOf(model, made, name);
    const given = operation.params.filter(({ optional }) => !optional).map(({ name, type: of }) => [name, fitting(model, of, dice, { text, object }, name)]);
    const operationParams = { ...Object.fromEntries(given), [param.name]: wrong };
    const { error } = await rpc.request('invoke', { object: id, operation: operation.name, operationParams });
    const what = `${type}.${operation.name} with a ${other} as ${param.name}`;
    assert.equal(error?.code, 40001, `${what}: ${JSON.stringify(error)}`);
    assert.ok(isKnownError(error) && error.message.includes(wanted) && error.message.includes(other), `${what}: ${error.message}`);
    asked += 1;
  }
  // A pipeline and the server manager as sinks of connect and disconnect, at least.
  assert.ok(asked >= 4 * (made.size - 2), `${asked} requests`);
  await nobodyIsHarmed(pid);
});

test('a parent of the wrong class is an error of create', async () => {
  const { pid } = server;
  for (const type of model.factories) {
    for (const { name, type: of } of model.class(type).params.filter((param) => model.type(param.type).kind === 'class')) {
      for (const [other, wrong] of made) {
        if (model.isA(other, of)) continue;
        const { error } = await rpc.request('create', { type, constructorParams: { uri: 'file:///nonexistent/x', command: 'identity', [name]: wrong } });
        assert.equal(error?.code, 40001, `${type} in a ${other}: ${JSON.stringify(error)}`);
      }
    }
  }
  await nobodyIsHarmed(pid);
});

test('getIceTcp answers', async () => {
  const { pid } = server;
  assert.equal(typeof (await rpc.invoke(made.get('WebRtcEndpoint'), 'getIceTcp')), 'boolean');
  await nobodyIsHarmed(pid);
});

test('every operation of a hub that takes ports answers when the ports are its own', async () => {
  const { pid } = server;
  for (const [type, hub] of made) {
    if (!model.isA(type, 'Hub')) continue;
    const port = await rpc.create('HubPort', { hub });
    for (const { name, params } of model.class(type).operations.filter((operation) => operation.params.some((param) => param.type === 'HubPort'))) {
      for (const mediaType of model.type('MediaType').values) {
        const operationParams = Object.fromEntries(params.map((param) => [param.name, fitting(model, param.type, dice, { text, object: () => port }, param.name)]));
        if ('media' in operationParams) operationParams.media = mediaType;
        const { error } = await rpc.request('invoke', { object: hub, operation: name, operationParams });
        assert.ok(!error || isKnownError(error), `${type}.${name}: ${JSON.stringify(error)}`);
      }
    }
  }
  await nobodyIsHarmed(pid);
});
