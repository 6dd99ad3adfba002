// A module that is dropped in serves, one that is replaced serves new objects while old ones live on with the old
// code, one that is removed makes no new ones; clients are told, and the server runs on through all of it.

import assert from 'node:assert/strict';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { build, SOON_MS, watchModules } from '../lib/builds.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { until } from '../lib/wait.mjs';

let server;
let modules;
let file;
let seen = 0;
before(async () => {
  server = await startRivero({ modules: ['passthrough'] });
  modules = await watchModules(server);
  file = join(server.modulesPath, 'upgrades.so');
});
after(async () => {
  await modules?.close();
  await server?.stop();
});

/** Has `change` done, and gives what is told of it. */
async function told(type, change) {
  seen = modules.events.length;
  change();
  return modules.event(type, seen);
}

/** As an operator should do it: the name appears when the file is whole. */
function put(number) {
  writeFileSync(join(server.modulesPath, '.upgrades.so.new'), build(number));
  renameSync(join(server.modulesPath, '.upgrades.so.new'), file);
}

let old;

test('one that is dropped in is listed, told of, and serves', async () => {
  assert.equal(await modules.module(), undefined);
  const data = await told('ModuleAdded', () => put(1));
  assert.deepEqual([data.module, data.version, data.file, data.generation], ['fixtureupgrades', '1.0.0', file, 1]);
  assert.deepEqual([data.factories, data.source, data.type], [['Upgrades'], 'manager_ServerManager', 'ModuleAdded']);
  const { factories, file: listed, generation, state, version } = await modules.module();
  assert.deepEqual([factories, listed, generation, state, version], [['Upgrades'], file, 1, 'live', '1.0.0']);
  old = await modules.object();
  assert.equal(await modules.buildOf(old.id), 1);
});

test('its descriptor is there, and that of the server has no such events', async () => {
  const ask = (moduleName) => modules.rpc.invoke('manager_ServerManager', 'getKmd', { moduleName });
  assert.match(await ask('fixtureupgrades'), /"Upgrades"/);
  assert.ok(!(await ask('core')).includes('ModuleAdded'));
  const pipeline = await modules.rpc.create('MediaPipeline');
  const { error } = await modules.rpc.request('subscribe', { type: 'ModuleAdded', object: pipeline });
  assert.equal(error.code, 40106);
});

test('one that is replaced serves new objects, and old ones keep their code', async () => {
  const { generation } = await told('ModuleUpgraded', () => put(2));
  assert.equal(generation, 2);
  const next = await modules.object();
  assert.equal(await modules.buildOf(next.id), 2);
  assert.equal(await modules.buildOf(old.id), 1);
  assert.equal((await modules.module()).generation, 2);
  assert.equal(await modules.generations('in_use'), 2);
  await modules.release(old.pipeline);
  await modules.become('in_use', 1);
  await until(() => modules.lines('module unloaded', 'generation=1').length === 1, 'the first one is unloaded', SOON_MS);
  assert.equal(await modules.buildOf(next.id), 2);
  old = next;
});

test('one that is removed makes no objects, and those that there are live on', async () => {
  const { module, generation } = await told('ModuleRemoved', () => rmSync(file));
  assert.deepEqual([module, generation], ['fixtureupgrades', 2]);
  await modules.serveNone();
  assert.equal(await modules.buildOf(old.id), 2);
  const { factories, state } = await modules.module();
  assert.deepEqual([factories, state], [[], 'retiring']);
  await modules.release(old.pipeline);
  await modules.become('in_use', 0);
  assert.equal(await modules.module(), undefined);
});

test('one that comes back serves again', async () => {
  await told('ModuleAdded', () => put(3));
  assert.equal(await modules.newBuild(), 3);
});

test('a bad file in its place is told of, and what runs goes on', async () => {
  const { file: named, reason } = await told('ModuleFailed', () => writeFileSync(file, 'no library'));
  assert.equal(named, file);
  assert.match(reason, /no shared library/);
  assert.equal(await modules.newBuild(), 3);
  assert.equal(modules.lines('module refused', 'upgrades.so').length, 1);
  await told('ModuleUpgraded', () => put(4));
  assert.equal(await modules.newBuild(), 4);
});

test('modules beside it are not touched by any of that', async () => {
  assert.ok(server.running);
  assert.deepEqual(modules.lines('passthrough.so').filter((line) => /added|upgraded|removed/.test(line)), []);
  assert.ok(await modules.object('PassThrough'));
});

for (const [what, options] of [
  ['the option', { args: ['--no-hot-plug'] }],
  ['the configuration', { config: { modules: { hotPlug: false } } }],
]) {
  test(`${what} turns it off`, async () => {
    const fixed = await startRivero({ modules: ['passthrough'], ...options });
    try {
      const guest = await watchModules(fixed);
      writeFileSync(join(fixed.modulesPath, 'upgrades.so'), build(1));
      // As long as others take to notice, the server that does not look is asked.
      const other = modules.events.length;
      put(5);
      await modules.event('ModuleUpgraded', other);
      assert.equal(await guest.module(), undefined);
      await guest.close();
    } finally {
      await fixed.stop();
    }
  });
}
