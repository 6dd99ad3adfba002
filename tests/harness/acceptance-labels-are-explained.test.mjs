// tests/ACCEPTANCE.md explains every label in names of tests, and says which tests cover which
// scenario of Kurento's suites, or what those still wait for.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const NOT_OURS = new Set(['node_modules', 'target', '.venv', '.git', '.output', 'vendor']);
const THIS = 'tests/harness/acceptance-labels-are-explained.test.mjs';

function* files(directory) {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (NOT_OURS.has(entry.name)) continue;
    if (entry.isDirectory()) yield* files(path);
    else if (entry.isFile()) yield relative(root, path);
  }
}

/** The labels of a test file: of its name and its text, of Rust those of head lines and names of tests. */
function labelsOf(file) {
  if (file.endsWith('.test.mjs')) {
    const inName = [...basename(file).matchAll(/(?<=^|-)[a-k]\d\d(?=-)/g)].map(([label]) => label.toUpperCase());
    return [...inName, ...(readFileSync(join(root, file), 'utf8').match(/\b[A-K]\d\d\b/g) ?? [])];
  }
  const lines = readFileSync(join(root, file), 'utf8').split('\n');
  const heads = lines.filter((line) => line.startsWith('//!')).flatMap((line) => line.match(/\b[A-K]\d\d\b/g) ?? []);
  const names = lines.map((line) => line.match(/\bfn ([a-k]\d\d)_/)?.[1].toUpperCase()).filter(Boolean);
  return [...heads, ...names];
}

/** Labels and the files that carry them. */
function used() {
  const found = new Map();
  for (const file of files(root)) {
    if (file === THIS || !/(\.test\.mjs|\.rs)$/.test(file)) continue;
    for (const label of labelsOf(file)) found.set(label, (found.get(label) ?? new Set()).add(file));
  }
  return found;
}

const listed = [...readFileSync(join(root, 'tests/ACCEPTANCE.md'), 'utf8').matchAll(/^\| ([A-Z]\d\d) \| (.*) \| (.*) \| (.*) \|$/gm)].map(
  ([, label, scenario, tests, waitsFor]) => ({ label, scenario, tests: [...tests.matchAll(/`([^`]+)`/g)].map(([, file]) => file), waitsFor }),
);

test('the list says for each label which tests carry it', () => {
  const found = used();
  assert.ok(listed.length > 100 && found.size > 70, `${listed.length} scenarios, ${found.size} labels`);
  assert.equal(new Set(listed.map(({ label }) => label)).size, listed.length, 'each once');
  const missing = [...found.keys()].filter((label) => !listed.some((line) => line.label === label));
  assert.deepEqual(missing, [], 'labels that the list does not explain');
  for (const { label, tests } of listed) {
    assert.deepEqual(tests, [...(found.get(label) ?? [])].sort(), `the tests of ${label}`);
  }
});

test('each scenario is described, and covered or waits for something', () => {
  for (const { label, scenario, tests, waitsFor } of listed) {
    assert.ok(scenario.length > 10, label);
    assert.ok(tests.length > 0 || waitsFor, `${label} has neither tests nor what it waits for`);
  }
});
