// However a new build takes the place of an old one, new objects run it: the name, the inode, the size and the
// time of a file may all be what they were.

import assert from 'node:assert/strict';
import { cpSync, mkdirSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { build, watchModules } from '../lib/builds.mjs';
import { startRivero } from '../lib/rivero.mjs';

let server;
let modules;
let next = 1;
const path = (...parts) => join(server.modulesPath, ...parts);
before(async () => {
  server = await startRivero({ modules: ['passthrough'] });
  modules = await watchModules(server);
});
after(async () => {
  await modules?.close();
  await server?.stop();
});

/** Puts build after build into place by `put(number, bytes)`; each is to serve. */
function replaced(how, put, rounds = 2) {
  test(how, async () => {
    for (let round = 0; round < rounds; round += 1, next += 1) {
      put(next, build(next));
      await modules.serves(next);
    }
    assert.ok(server.running);
  });
}

replaced('written over in place', (_, bytes) => writeFileSync(path('upgrades.so'), bytes));

replaced('renamed over', (_, bytes) => {
  writeFileSync(path('upgrades.so.new'), bytes);
  renameSync(path('upgrades.so.new'), path('upgrades.so'));
});

replaced('with the same size and time', (_, bytes) => {
  const { atime, mtime } = statSync(path('upgrades.so'));
  writeFileSync(path('upgrades.so'), bytes);
  utimesSync(path('upgrades.so'), atime, mtime);
});

replaced('removed and made anew', (_, bytes) => {
  rmSync(path('upgrades.so'));
  writeFileSync(path('upgrades.so'), bytes);
});

replaced('behind a link that is turned', (number, bytes) => {
  mkdirSync(join(server.modulesPath, '..', 'builds'), { recursive: true });
  const target = join(server.modulesPath, '..', 'builds', `${number}.so`);
  writeFileSync(target, bytes);
  symlinkSync(target, path('.link'));
  renameSync(path('.link'), path('upgrades.so'));
});

replaced('behind a directory that is turned, as mounted volumes do', (number, bytes) => {
  const directory = `..${number}`;
  mkdirSync(path(directory));
  writeFileSync(path(directory, 'upgrades.so'), bytes);
  symlinkSync(directory, path('..data_tmp'));
  renameSync(path('..data_tmp'), path('..data'));
  rmSync(path('upgrades.so'), { force: true });
  symlinkSync('..data/upgrades.so', path('upgrades.so'));
});

replaced('with the whole directory', (number, bytes) => {
  const fresh = `${server.modulesPath}.${number}`;
  mkdirSync(fresh);
  cpSync(path('passthrough.so'), join(fresh, 'passthrough.so'));
  writeFileSync(join(fresh, 'upgrades.so'), bytes);
  renameSync(server.modulesPath, `${server.modulesPath}.before.${number}`);
  renameSync(fresh, server.modulesPath);
});

replaced('under another name', (number, bytes) => {
  writeFileSync(path(`upgrades-${number}.so`), bytes);
  rmSync(path('upgrades.so'), { force: true });
  rmSync(path(`upgrades-${number - 1}.so`), { force: true });
});
