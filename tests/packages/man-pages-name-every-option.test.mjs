// The pages of the programs say each option and each command that `--help` says, and no other; `man` finds nothing to warn of.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

import { read, repository } from '../lib/documents.mjs';
import { artefacts } from '../lib/rivero.mjs';

/** What a program prints with `--help`. */
function help(program, ...words) {
  const { status, stdout, stderr } = spawnSync(program, [...words, '--help'], { encoding: 'utf8', timeout: 30_000 });
  assert.equal(status, 0, stderr);
  return stdout;
}

/** Options that begin a line of a help: `-o, --output <FILE>` are two. */
function optionsOf(text) {
  const lines = text.split('\n').filter((line) => /^\s+-/.test(line));
  return new Set(lines.flatMap((line) => line.match(/^\s+(-\w(?=[, ]))?,? ?(--[\w-]+)?/).slice(1).filter(Boolean)));
}

const environmentOf = (text) => new Set([...text.matchAll(/\[env: (\w+)=/g)].map(([, name]) => name));

/** The options that a page explains: `.It Fl o , Fl Fl output Ar FILE`. */
function optionsOfPage(page) {
  const items = page.split('\n').filter((line) => line.startsWith('.It Fl'));
  return new Set(items.flatMap((line) => [...line.matchAll(/Fl (Fl )?([\w-]+)/g)].map(([, long, name]) => (long ? `--${name}` : `-${name}`))));
}

const sorted = (set) => [...set].sort();
const union = (sets) => new Set(sets.flatMap((set) => [...set]));

/** The commands that a help of `kmd` lists. */
function commandsOf(text) {
  const list = /^Commands:\n([\s\S]*?)\n\n/m.exec(text)?.[1] ?? '';
  return [...list.matchAll(/^ {2}(\w+)/gm)].map(([, name]) => name);
}

function isExplained(page, text) {
  for (const name of environmentOf(text)) assert.ok(page.includes(`.Ev ${name}`), `${name} is missing`);
}

test('rivero(8)', () => {
  const page = read('packaging/man/rivero.8');
  const text = help(artefacts.server);
  assert.ok(optionsOf(text).size > 20, text);
  assert.deepEqual(sorted(optionsOfPage(page)), sorted(optionsOf(text)));
  isExplained(page, text);
  for (const [, values] of text.matchAll(/possible values: ([\w, -]+)\]/g)) for (const value of values.split(', ')) assert.ok(page.includes(`.Cm ${value}`), value);
});

test('kmd(1)', () => {
  const page = read('packaging/man/kmd.1');
  const commands = commandsOf(help(artefacts.kmd)).filter((name) => name !== 'help');
  const targets = commandsOf(help(artefacts.kmd, 'gen')).filter((name) => name !== 'help');
  assert.ok(commands.length > 5 && targets.length > 4, `${commands} ${targets}`);
  const helps = [help(artefacts.kmd), ...commands.map((name) => help(artefacts.kmd, name)), ...targets.map((name) => help(artefacts.kmd, 'gen', name))];
  assert.deepEqual(sorted(optionsOfPage(page)), sorted(union(helps.map(optionsOf))));
  helps.forEach((text) => isExplained(page, text));
  assert.deepEqual(sorted([...page.matchAll(/^\.Ss ([a-z]+)$/gm)].map(([, name]) => name)), sorted(commands), 'a section for each command');
  for (const name of targets) assert.match(page, new RegExp(`^\\.Cm (gen )?(.*\\| )?${name}\\b|\\.Cm gen Cm .*\\b${name}\\b`, 'm'), name);
  // Of the commands whose options are no others': each is in the section of its command.
  for (const name of commands.filter((command) => command !== 'gen')) {
    const section = page.split(/^\.S[sh] /m).find((part) => part.startsWith(`${name}\n`));
    const own = sorted(optionsOf(help(artefacts.kmd, name))).filter((option) => !['-h', '--help'].includes(option));
    assert.deepEqual(sorted(optionsOfPage(section)), own, name);
  }
});

test('rivero-gallery(1)', () => {
  const page = read('packaging/man/rivero-gallery.1');
  assert.deepEqual(sorted(optionsOfPage(page)), sorted(optionsOf(help(process.execPath, join(repository, 'examples/serve.mjs')))));
});

for (const name of ['rivero.8', 'kmd.1', 'rivero-gallery.1']) {
  test(`${name} is a page without a warning`, () => {
    const { status, stderr, stdout } = spawnSync('man', ['--warnings', '-E', 'UTF-8', '-l', '-Tutf8', '-Z', join(repository, 'packaging/man', name)], {
      encoding: 'utf8', env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8', MANWIDTH: '80' }, timeout: 30_000,
    });
    assert.deepEqual([status, stderr], [0, '']);
    assert.ok(stdout.length > 500);
  });
}
