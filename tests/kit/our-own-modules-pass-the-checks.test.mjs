// All modules of this repository are what docs/module-spec.md says, up to level 5, and files that are none are told why.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';

import { aborting, forMachine, withAbi, withoutManifest } from '../lib/elf.mjs';
import { artefacts, builtModules } from '../lib/rivero.mjs';

const run = promisify(execFile);
const home = mkdtempSync(join(tmpdir(), 'rivero-check-'));
after(() => rmSync(home, { recursive: true, force: true }));

const kmd = (...args) => run(artefacts.kmd, args, { env: { ...process.env, RIVERO_SERVER: artefacts.server } });
const modules = builtModules().map((name) => join(artefacts.modules, `${name}.so`));
const example = join(artefacts.examples, 'counter.so');

/** What the command says of a file with this content. */
async function refusal(name, content, ...options) {
  const file = join(home, name);
  writeFileSync(file, content);
  const failed = await kmd('check', ...options, file).then(() => undefined, (error) => error);
  assert.equal(failed?.code, 1, `${name} passes`);
  return failed.stderr;
}

test('all pass level 5', async () => {
  const { stdout } = await kmd('check', '--strictness', '5', ...modules, example);
  assert.equal(stdout.match(/: passes \d+ checks at strictness 5/g).length, modules.length + 1);
});

test('what is no module is told by the number of what it breaks', async () => {
  assert.match(await refusal('text.so', 'just text'), /: 1: it MUST be a shared library/);
  assert.match(await refusal('program.so', readFileSync(artefacts.server)), /: 2: it MUST have one section/);
  const library = readFileSync(example);
  assert.match(await refusal('cut.so', library.subarray(0, library.length / 2)), /: 1: /);
  assert.match(await refusal('foreign.so', forMachine(library, 8)), /: 1: .*it is for/);
  assert.match(await refusal('mute.so', withoutManifest(library)), /: 2: /);
  assert.match(await refusal('older.so', withAbi(library, 1, 0)), /: 3: .*it speaks 1\.0/);
  assert.match(await refusal('aborts.so', aborting(library)), /: 4: it MUST unwind/);
  // What the server finds, too, is not asked of it where it is not wanted.
  assert.match(await refusal('other.so', withAbi(library, 1, 0), '--strictness', '1'), /^[^\n]*: 3: [^\n]*\n$/);
});

test('a module is inspected without being run', async () => {
  copyFileSync(example, join(home, 'a.so'));
  const { stdout } = await kmd('inspect', join(home, 'a.so'));
  for (const line of [/^module +counter 1\.0\.0$/m, /^ABI +2\.0, panics unwind$/m, /^class +counter\.Counter extends MediaElement$/m, /packets: int64, read only/]) assert.match(stdout, line);
  const { stdout: json } = await kmd('inspect', '--json', join(home, 'a.so'));
  assert.equal(JSON.parse(json).descriptor.remoteClasses[0].name, 'Counter');
});
