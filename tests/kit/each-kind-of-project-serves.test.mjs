// `kmd new` makes projects of all kinds that build with an installed kit, out of the tree and offline: each passes its own test and the checks, and
// serves in a server.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { installKit } from '../lib/kit.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { until } from '../lib/wait.mjs';

const PROPERTIES = ['strength:int=3', 'gain:double=0.5', 'on:boolean=true', 'label:String=a "b"', 'type:int64', 'maxRate:float=-2.5'].flatMap((property) => ['--property', property]);
/** What each kind is tried with. */
const PROJECTS = [
  ['filter', 'kitfilter.KitFilter', PROPERTIES],
  ['sound-filter', 'kitsound.KitSound', ['--property', 'gain:float=0.5']],
  ['sink', 'kitsink.KitSink', []],
  ['source', 'kitsource.KitSource', []],
  ['hub', 'kithub.KitHub', []],
  ['endpoint', 'kitendpoint.KitEndpoint', []],
  ['converter', 'kitconverter.KitCodec', []],
];

let kit, server, rpc, mediaPipeline;
const libraries = {};
before(async () => {
  kit = await installKit();
  for (const [kind, name, options] of PROJECTS) libraries[`${kind}.so`] = await kit.built(kind, name, ...options);
  server = await startRivero({ modules: ['passthrough'], extraFiles: libraries });
  rpc = await connectRpc(server.url);
  mediaPipeline = await rpc.create('MediaPipeline');
});
after(async () => {
  await rpc?.close();
  await server?.stop();
  kit?.remove();
});

test('they pass the checks at the level of our own modules, without a warning', async () => {
  const files = PROJECTS.map(([, name]) => kit.library(name.split('.')[0]));
  const said = await kit.run('kmd', ['check', '--strict', ...files]);
  assert.equal(said.match(/passes \d+ checks at strictness 5/g).length, PROJECTS.length, said);
});

test('the server lists their classes, and makes objects of each', async () => {
  const { modules } = await rpc.invoke('manager_ServerManager', 'getInfo');
  // A module of converters has none: that the server loads it is among the checks.
  for (const [kind, name] of PROJECTS.filter(([kind]) => kind !== 'converter')) {
    const [module, type] = name.split('.');
    assert.deepEqual(modules.find((known) => known.name === module)?.factories, [type], module);
    await rpc.create(name, { mediaPipeline, ...(kind === 'filter' ? { type: 5 } : {}) });
  }
});

test('properties have their defaults, are set, and never to what does not fit', async () => {
  const filter = await rpc.create('kitfilter.KitFilter', { mediaPipeline, type: 7, strength: 12 });
  const get = (name) => rpc.invoke(filter, `get${name}`);
  assert.deepEqual(await Promise.all(['Strength', 'Gain', 'On', 'Label', 'Type', 'MaxRate'].map(get)), [12, 0.5, true, 'a "b"', 7, -2.5]);
  await rpc.invoke(filter, 'setStrength', { strength: 100 });
  await assert.rejects(rpc.invoke(filter, 'setStrength', { strength: 101 }), { code: 40107 });
  assert.equal(await get('Strength'), 100);
  await assert.rejects(rpc.create('kitfilter.KitFilter', { mediaPipeline, type: -1 }), { code: 40107 });
  await assert.rejects(rpc.create('kitfilter.KitFilter', { mediaPipeline }), { code: 40001 });
});

test('pictures of a source pass a hub and a filter on their way to a sink', async () => {
  const [source, filter, sink, hub] = [
    await rpc.create('kitsource.KitSource', { mediaPipeline }),
    await rpc.create('kitfilter.KitFilter', { mediaPipeline, type: 1 }),
    await rpc.create('kitsink.KitSink', { mediaPipeline }),
    await rpc.create('kithub.KitHub', { mediaPipeline }),
  ];
  const [into, out] = [await rpc.create('HubPort', { hub }), await rpc.create('HubPort', { hub })];
  for (const [from, to] of [[source, into], [out, filter], [filter, sink]]) await rpc.invoke(from, 'connect', { sink: to });
  // Black, but for a bar, is white after the filter.
  const brightness = () => rpc.invoke(sink, 'getBrightness');
  await until(async () => (await brightness()) > 220, 'the negative of black arrives', 20_000);
  await rpc.invoke(source, 'disconnect', { sink: into });
  await rpc.invoke(source, 'connect', { sink });
  await until(async () => (await brightness()) < 30, 'black arrives', 20_000);
});

test('a project is never written over, and what cannot be is said', async () => {
  await assert.rejects(kit.kmd('new', 'filter', 'kitfilter.Other'), /is there already/);
  await assert.rejects(kit.kmd('new', 'filter', 'Other'), /acme\.Blur/);
  await assert.rejects(kit.kmd('new', 'converter', 'other.Other', '--property', 'a:int=1'), /no properties/);
  await assert.rejects(kit.kmd('new', 'filter', 'other.Other', '--property', 'a:integer'), /none of String, boolean/);
});

test('the first lines that an author meets are few', () => {
  for (const [kind, name, options] of PROJECTS.filter(([kind]) => kind.endsWith('filter') || kind === 'hub')) {
    const source = readFileSync(join(kit.home, name.split('.')[0], 'src/lib.rs'), 'utf8').split('#[cfg(test)]')[0];
    const own = source.split('\n').filter((line) => line.trim() && !line.trim().startsWith('//'));
    // Each property that has bounds is a line of them.
    assert.ok(own.length < 30 + options.length / 2, `${kind} has ${own.length} lines`);
  }
});
