// A module brings libraries of its own, in its directory, and finds them by `$ORIGIN`. Where it cannot, a line names
// library and rule; and what was missing when it was tried is looked for again.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { build, fixtureManifest, watchModules } from '../lib/builds.mjs';
import { claims } from '../lib/c-library.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { until } from '../lib/wait.mjs';

const NEIGHBOUR = 'libfixtureupgrades.so.1';
const scratch = mkdtempSync(join(tmpdir(), 'rivero-beside-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** Puts a module into `directory` whose code is all in a library that it needs. */
function shell(directory, { runpath = '$ORIGIN', name = 'shell.so' } = {}) {
  mkdirSync(directory, { recursive: true });
  const [source, needed] = [join(scratch, 'shell.c'), join(scratch, NEIGHBOUR)];
  writeFileSync(source, claims(fixtureManifest()));
  writeFileSync(needed, build(0));
  const path = `-Wl,--enable-new-dtags,-rpath,${runpath}`;
  execFileSync('cc', ['-shared', '-fPIC', '-o', join(directory, name), source, '-Wl,--no-as-needed', needed, path]);
}

/** Runs `body(modules, server)` with what `arrange(modulesPath)` puts beside PassThrough. */
async function withModules(arrange, body) {
  const server = await startRivero({ modules: ['passthrough'], arrange });
  const modules = await watchModules(server);
  try {
    await body(modules, server);
  } finally {
    await modules.close();
    await server.stop();
  }
}

test('a library beside a module is found, also below its directory', async () => {
  for (const [runpath, place] of [['$ORIGIN', '.'], ['$ORIGIN/deps', 'deps']]) {
    const arrange = (path) => {
      shell(path, { runpath });
      mkdirSync(join(path, place), { recursive: true });
      writeFileSync(join(path, place, NEIGHBOUR), build(7));
    };
    await withModules(arrange, async (modules) => {
      assert.equal(await modules.newBuild(), 7);
      assert.deepEqual(modules.lines('refused'), []);
    });
  }
});

test('a module is tried again when what it needs is there, without being touched', async () => {
  await withModules((path) => shell(path), async (modules, server) => {
    const [line, ...others] = modules.lines('refused', 'shell.so');
    assert.match(line, /libfixtureupgrades\.so\.1/);
    assert.deepEqual(others, []);
    writeFileSync(join(server.modulesPath, NEIGHBOUR), build(8));
    await until(async () => (await modules.module())?.state === 'live', 'it serves', 60_000);
    assert.equal(await modules.newBuild(), 8);
    assert.equal(modules.lines('refused', 'shell.so').length, 1);
  });
});

test('a library beside it that is known by another name is named with the rule', async () => {
  const arrange = (path) => {
    shell(path);
    const other = build(9);
    const at = other.indexOf(`${NEIGHBOUR}\0`);
    other.write('libfixtureXXgrades.so.1', at, 'latin1');
    writeFileSync(join(path, NEIGHBOUR), other);
  };
  await withModules(arrange, async (modules) => {
    const [line, ...others] = modules.lines('refused', 'shell.so');
    assert.match(line, /needs libfixtureupgrades\.so\.1.*SONAME/);
    assert.deepEqual(others, []);
  });
});

test('two modules that have each a library of the same name are warned of, both named', async () => {
  const arrange = (path) => {
    for (const [number, directory] of [[1, 'a'], [2, 'b']]) {
      shell(join(path, directory));
      writeFileSync(join(path, directory, NEIGHBOUR), build(number));
    }
  };
  await withModules(arrange, async (modules) => {
    const lines = modules.lines('WARN', NEIGHBOUR);
    assert.equal(lines.length, 1, lines.join('\n'));
    assert.match(lines[0], /a\/shell\.so and \S*b\/shell\.so/);
  });
});
