// What the generated package sends and takes, before a server that writes it down.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runInNewContext } from 'node:vm';

import { connectClient, kurentoClient } from '../lib/client.mjs';
import { until } from '../lib/wait.mjs';
import { HOSTILE, LENS, generate, scratch } from './generate.mjs';
import { ScriptedServer } from './scripted-server.mjs';

const folder = scratch();
const modules = join(folder, 'node_modules');
let server, client, pipeline, lens, packages;

/** A module that extends what another one has. */
const TELESCOPE = {
  name: 'telescope',
  version: '1.0.0',
  kurentoVersion: '^7.0.0',
  imports: [{ name: 'lens', version: '>=1.0.0 AND <2.0.0' }],
  remoteClasses: [{ name: 'Telescope', extends: 'lens.Lens', constructor: { params: [{ name: 'mediaPipeline', type: 'MediaPipeline' }] }, methods: [{ name: 'turn', params: [{ name: 'at', type: 'Spot' }] }] }],
  complexTypes: [{ name: 'Spot', typeFormat: 'REGISTER', extends: 'lens.Point', properties: [{ name: 'z', type: 'float' }] }],
};

before(async () => {
  generate('js', [LENS, HOSTILE], modules);
  writeFileSync(join(folder, 'telescope.kmd.json'), JSON.stringify(TELESCOPE));
  generate('js', [join(folder, 'telescope.kmd.json')], modules, '--dependency', LENS);
  const load = createRequire(join(folder, 'index.js'));
  packages = ['lens', 'native', 'telescope'].map((name) => load(`kurento-module-${name}`));
  packages.forEach((made) => kurentoClient.register(made));
  server = await ScriptedServer.start(['lens', 'native', 'telescope'], ({ operation }) => {
    if (operation === 'find') throw new Error('nothing to find');
    return new Map(Object.entries({ getPartner: '7_lens.Lens', constructor: { a: '8_native.Promise' }, focus: 0.5, getMatch: true })).get(operation);
  });
  client = await connectClient(server.url);
  pipeline = await client.create('MediaPipeline');
  lens = await pipeline.create('lens.Lens', { size: 3, mode: 'OPEN', points: [{ x: 1, y: 2 }] });
});
after(async () => {
  client?.close();
  await server?.close();
});

const params = () => server.latest.operationParams;

test('an object is made of the class with its parameters', () => {
  const { type, constructorParams } = server.requests.find(({ type }) => type === 'lens.Lens');
  assert.equal(type, 'lens.Lens');
  assert.deepEqual(constructorParams, { mediaPipeline: pipeline.id, size: 3, mode: 'OPEN', points: [{ x: 1, y: 2 }] });
  assert.equal(lens.constructor.name, 'Lens');
});

test('a constructor takes objects that were waited for, and those that were not', async () => {
  const waited = await pipeline.create('native.Promise', { default: 'x' });
  const pending = pipeline.create('native.Promise', { default: 'y', peer: waited });
  await pipeline.create('native.Promise', { default: 'z', peer: pending, class: { class: 'c', int: 1 } });
  const peers = server.requests.filter(({ constructorParams }) => constructorParams?.peer).map(({ constructorParams }) => constructorParams.peer);
  assert.deepEqual(peers, [waited.id, (await pending).id]);
  await assert.rejects(async () => pipeline.create('native.Promise', { default: 'x', peer: {} }), SyntaxError);
});

test('what a constructor cannot take is refused before it is sent', async () => {
  for (const wrong of [{ size: 'x' }, { mode: 'AJAR' }, { points: [{ x: 1 }] }, { points: 1 }]) {
    await assert.rejects(async () => pipeline.create('lens.Lens', wrong), SyntaxError, JSON.stringify(wrong));
  }
});

test('properties and methods, with promises and callbacks', async () => {
  assert.equal(await lens.getMatch(), true);
  await lens.setMatch(false);
  assert.deepEqual(params(), { match: false });
  const [error, value] = await new Promise((resolve) => lens.getMatch((...told) => resolve(told)));
  assert.deepEqual([error, value], [null, true]);
  await assert.rejects(lens.find([1]), /nothing to find/);
  const refusal = await new Promise((resolve) => lens.find([1], resolve));
  assert.match(refusal.message, /nothing to find/);
});

test('of several methods of one name the parameters choose', async () => {
  await lens.focus();
  assert.equal(params(), undefined);
  const { Point } = packages[0].complexTypes;
  assert.equal(await lens.focus(Point({ x: 1, y: 2 }), undefined, 'OPEN'), 0.5);
  assert.deepEqual(params(), { point: { x: 1, y: 2, __module__: 'lens', __type__: 'Point' }, type: 'OPEN' });
  await new Promise((resolve) => lens.focus({ x: 1, y: 2 }, resolve));
  assert.deepEqual(params(), { point: { x: 1, y: 2 } });
  assert.throws(() => lens.focus(1, 2, 3, 4), SyntaxError);
});

test('registers have their fields and those of the ones they extend', () => {
  const { Marker, Point } = packages[0].complexTypes;
  const marker = new Marker({ x: 1, y: 2, type: 'closed' });
  assert.ok(marker instanceof Point);
  assert.deepEqual(JSON.parse(JSON.stringify(marker)), { x: 1, y: 2, type: 'closed', __module__: 'lens', __type__: 'Marker' });
});

test('objects are told by their ids and ids come back as objects', async () => {
  const partner = await lens.getPartner();
  assert.equal(partner.id, '7_lens.Lens');
  assert.equal(partner.constructor.name, 'Lens');
  const waited = await pipeline.create('native.Promise', { default: 'x' });
  await lens.setPartner(waited);
  assert.deepEqual(params(), { partner: waited.id });
  const pending = pipeline.create('native.Promise', { default: 'y' });
  await waited.default({ class: 'c', int: 1, own: waited, all: [pending, waited.id] });
  assert.deepEqual(params(), { tx: { class: 'c', int: 1, own: waited.id, all: [(await pending).id, waited.id] } });
  const { a } = await waited.constructor_();
  assert.equal(a.id, '8_native.Promise');
});

test('names that the client uses itself have an underscore, the server hears the real ones', async () => {
  const object = await pipeline.create('native.Promise', { default: 'x' });
  for (const [member, given, expected] of [
    ['then_', ['a'], { callback: 'a' }],
    ['catch_', [], undefined],
    ['on_', [1, 2], { error: 1, cont: 2 }],
    ['release_', [true], { hard: true }],
    ['toString_', [2], { radix: 2 }],
  ]) {
    await object[member](...given);
    assert.equal(server.latest.operation, member.slice(0, -1));
    assert.deepEqual(params(), expected);
  }
  await object.gap(undefined, 2);
  assert.deepEqual(params(), { second: 2 });
  await object.named('x', object, { class: 'c', int: 1 });
  assert.deepEqual(params(), { id: 'x', object: object.id, sink: { class: 'c', int: 1 } });
});

test('an inherited overload stays what it is', async () => {
  const object = await pipeline.create('native.Promise', { default: 'x' });
  await object.connect();
  assert.deepEqual([server.latest.operation, params()], ['connect', undefined]);
  await object.connect(lens, 'VIDEO');
  assert.deepEqual([server.latest.operation, params().sink, params().mediaType], ['connect', lens.id, 'VIDEO']);
});

test('what another module has is extended', async () => {
  const { dependencies } = JSON.parse(readFileSync(join(modules, 'kurento-module-telescope/package.json'), 'utf8'));
  assert.deepEqual(dependencies, { 'kurento-module-lens': '>=1.0.0 <2.0.0' });
  const telescope = await pipeline.create('telescope.Telescope', {});
  await telescope.turn({ x: 1, y: 2, z: 3 });
  assert.deepEqual(params(), { at: { x: 1, y: 2, z: 3 } });
  assert.equal(await telescope.getMatch(), true);
  const spot = packages[2].complexTypes.Spot({ x: 1, y: 2, z: 3 });
  assert.ok(spot instanceof packages[0].complexTypes.Point);
  assert.deepEqual(JSON.parse(JSON.stringify(spot)), { x: 1, y: 2, z: 3, __module__: 'telescope', __type__: 'Spot' });
});

test('own and inherited events can be listened to, others not', async () => {
  const heard = [];
  for (const event of ['Seen', 'Lost', 'ElementConnected', 'Error']) lens.on(event, (data) => heard.push([event, data]));
  await until(() => server.requests.filter(({ method }) => method === 'subscribe').length === 4, 'subscriptions');
  assert.throws(() => lens.on('Nothing', () => {}), SyntaxError);
  server.raise(lens.id, 'Seen', { certainty: 0.5 });
  await until(() => heard.length === 1, 'the event');
  assert.deepEqual(heard, [['Seen', { certainty: 0.5 }]]);
});

test('a page without bundler registers the package by loading it', () => {
  const registered = [];
  const register = Object.assign((made) => registered.push(made), kurentoClient.register);
  const page = { kurentoClient: Object.assign(() => {}, kurentoClient, { register }) };
  runInNewContext(readFileSync(join(modules, 'kurento-module-lens/lib/index.js'), 'utf8'), page);
  assert.equal(registered[0].name, 'lens');
  assert.equal(registered[0].Lens.name, 'Lens');
});
