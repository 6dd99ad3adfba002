// A file that is being written is not loaded before it is whole: one load, after the last write. One that stays
// incomplete costs a line of the log, and is tried again when it changes.

import assert from 'node:assert/strict';
import { appendFileSync, closeSync, openSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as pass } from 'node:timers/promises';

import { build, watchModules } from '../lib/builds.mjs';
import { startRivero } from '../lib/rivero.mjs';

let server;
let modules;
const file = (name) => join(server.modulesPath, name);
before(async () => {
  server = await startRivero({ modules: ['passthrough'] });
  modules = await watchModules(server);
});
after(async () => {
  await modules?.close();
  await server?.stop();
});

const about = (name) => modules.events.filter(([, data]) => data.file.endsWith(name)).map(([type]) => type);

test('one that is written in pieces over three seconds is taken once, when it is whole', async () => {
  const content = build(1);
  const piece = Math.ceil(content.length / 30);
  const handle = openSync(file('upgrades.so'), 'w');
  for (let at = 0; at < content.length; at += piece) {
    writeSync(handle, content, at, Math.min(piece, content.length - at));
    // The pace of the writer is what is tested.
    await pass(100);
  }
  closeSync(handle);
  await modules.serves(1);
  assert.deepEqual(about('/upgrades.so'), ['ModuleAdded']);
  assert.deepEqual(modules.lines('refused'), []);
});

test('half a file is refused in one line, and taken when the rest is there', async () => {
  const content = build(2);
  const half = content.length >> 1;
  writeFileSync(file('upgrades.so'), content.subarray(0, half));
  await modules.event('ModuleFailed');
  assert.equal(await modules.newBuild(), 1, 'what runs goes on');
  appendFileSync(file('upgrades.so'), content.subarray(half));
  await modules.serves(2);
  assert.equal(modules.lines('refused', 'upgrades.so').length, 1);
});

test('one of the right size whose end is zeros is refused, and taken when it is written', async () => {
  const content = build(3);
  const half = content.length >> 1;
  const seen = modules.events.length;
  writeFileSync(file('upgrades.so'), content.subarray(0, half));
  truncateSync(file('upgrades.so'), content.length);
  await modules.event('ModuleFailed', seen);
  assert.equal(await modules.newBuild(), 2);
  const handle = openSync(file('upgrades.so'), 'r+');
  writeSync(handle, content, half, content.length - half, half);
  closeSync(handle);
  await modules.serves(3);
  assert.equal(modules.lines('refused', 'upgrades.so').length, 2);
});

test('one that is replaced while another is loaded leaves the server with the last one', async () => {
  // Creations all the while: the first of each new generation is what loads it.
  let on = true;
  const creating = (async () => {
    while (on) {
      const build = await modules.newBuild();
      assert.ok(build >= 3 && build < 20, `${build}`);
    }
  })();
  for (let number = 4; number < 20; number += 1) {
    writeFileSync(file('upgrades.so'), build(number));
    await pass(250);
  }
  await modules.serves(19);
  on = false;
  await creating;
  assert.ok(server.running);
});
