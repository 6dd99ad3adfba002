// A module runs as the server's user, so nobody else may be able to write it, or to put one into its directory.

import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { build, watchModules } from '../lib/builds.mjs';
import { startRivero } from '../lib/rivero.mjs';

async function withServer(options, body) {
  const server = await startRivero({ modules: ['passthrough'], ...options });
  const modules = await watchModules(server);
  try {
    await body(modules, server);
  } finally {
    await modules.close();
    await server.stop();
  }
}

test('a file or a directory that every user may write is refused in a line', async () => {
  for (const writable of ['upgrades.so', '.']) {
    const arrange = (path) => {
      writeFileSync(join(path, 'upgrades.so'), build(1), { mode: 0o755 });
      chmodSync(join(path, writable), 0o777);
    };
    await withServer({ arrange }, async (modules, server) => {
      assert.equal(await modules.module(), undefined);
      const lines = modules.lines('refused', '/upgrades.so');
      assert.equal(lines.length, 1, lines.join('\n'));
      assert.match(lines[0], /every user may write .*--allow-writable-modules/);
      chmodSync(join(server.modulesPath, writable), 0o755);
      await modules.serves(1);
    });
  }
});

test('what runs goes on when its file becomes writable, and a new one is refused', async () => {
  await withServer({}, async (modules, server) => {
    const file = join(server.modulesPath, 'upgrades.so');
    writeFileSync(file, build(1), { mode: 0o755 });
    await modules.serves(1);
    chmodSync(file, 0o666);
    const { reason } = await modules.event('ModuleFailed');
    assert.match(reason, /every user may write/);
    assert.equal(await modules.newBuild(), 1);
  });
});

for (const [what, options] of [
  ['the option', { args: ['--allow-writable-modules'] }],
  ['the configuration', { config: { modules: { allowWritable: true } } }],
]) {
  test(`${what} permits it, for development`, async () => {
    const arrange = (path) => {
      writeFileSync(join(path, 'upgrades.so'), build(2));
      chmodSync(join(path, 'upgrades.so'), 0o777);
    };
    await withServer({ ...options, arrange }, async (modules) => assert.equal(await modules.newBuild(), 2));
  });
}
