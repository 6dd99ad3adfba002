// `kmd check` above level 5 and `kmd fuzz` run modules: a sound one passes everything, and what misbehaves is found, told, and found again.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { artefacts } from '../lib/rivero.mjs';

const run = promisify(execFile);
const kmd = (...args) => run(artefacts.kmd, args, { env: { ...process.env, RIVERO_SERVER: artefacts.server } });
/** What a command says that fails. */
async function refusal(...args) {
  const failed = await kmd(...args).then(({ stdout }) => assert.fail(`it passes: ${stdout}`), (error) => error);
  assert.equal(failed.code, 1, failed.message);
  return failed.stderr;
}

const module = (name) => join(artefacts.modules, `${name}.so`);
const fixture = (name) => join(artefacts.fixtures, `${name}.so`);
const counter = join(artefacts.examples, 'counter.so');

test('a sound module passes all levels', async () => {
  const { stdout } = await kmd('check', '--strictness', '10', counter);
  assert.match(stdout, /passes 27 checks at strictness 10/);
});

test('sequences by chance find nothing in it, and are as many as fit', async () => {
  const { stdout } = await kmd('fuzz', '--seed', '3', '--seconds', '1', module('passthrough'));
  assert.match(stdout, /nothing found in \d+ sequences of seed 3/);
});

test('a module that panics is found at the level that asks for it, and not below', async () => {
  assert.match(await refusal('check', '--strictness', '7', fixture('panics')), /: 22: it MUST stand all values .*Panics: .*panic/);
  await kmd('check', '--strictness', '5', fixture('panics'), fixture('faults'));
});

test('one that ends the process is found', async () => {
  const said = await refusal('fuzz', '--seed', '3', '--seconds', '120', '--class', 'Faults', fixture('faults'));
  assert.match(said, /Faults: seed 3, case \d+: .*it ends the process \(SIGSEGV\)/);
  assert.match(said, /create fixturefaults\.Faults \{.*"fault":"segfault".*"where":"timer"\}\n {4}let \d+ ms pass\n/);
});

test('what fails is told with the least that it takes, and repeated by its number', async () => {
  const said = await refusal('fuzz', '--seed', '1', '--seconds', '120', '--class', 'Panics', fixture('panics'));
  const [, number, reason] = said.match(/Panics: seed 1, case (\d+): (.*)/);
  assert.match(reason, /panic/);
  const steps = said.split('\n').filter((line) => line.startsWith('    '));
  assert.match(steps[0], /create fixturepanics\.Panics \{/);
  assert.ok(steps.length <= 3, said);
  const again = await refusal('fuzz', '--seed', '1', '--case', number, '--class', 'Panics', fixture('panics'));
  assert.equal(again, said);
});

test('what is no module, and what it has not, are told', async () => {
  assert.match(await refusal('fuzz', '--seed', '1', artefacts.server), /no module: `kmd check` says why/);
  assert.match(await refusal('fuzz', '--seed', '1', '--class', 'Other', counter), /there is no such class/);
});
