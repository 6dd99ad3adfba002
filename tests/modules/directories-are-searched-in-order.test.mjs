// A16: modules come from the directories that are given, searched with what is below
// them; of two files with the same module the first one serves, and it is listed once.

import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { MANAGER } from '../lib/model.mjs';
import { mappedFiles } from '../lib/process-usage.mjs';
import { artefacts, startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';

let root;
before(() => {
  root = mkdtempSync(join(tmpdir(), 'rivero-directories-'));
  for (const directory of ['first/below', 'second']) mkdirSync(join(root, directory), { recursive: true });
  for (const place of ['first/below/passthrough.so', 'second/passthrough.so', 'second/again.so']) copyFileSync(join(artefacts.modules, 'passthrough.so'), join(root, place));
});
after(() => rmSync(root, { recursive: true, force: true }));

async function withModules(path, check) {
  const server = await startRivero({ modules: [], args: ['--modules-path', path] });
  const rpc = await connectRpc(server.url);
  try {
    await check(rpc, server);
  } finally {
    await rpc.close();
    await server.stop();
  }
}

const factories = async (rpc) => (await rpc.invoke(MANAGER, 'getInfo')).modules.flatMap((module) => module.factories);

async function passes(rpc) {
  const element = await rpc.create('PassThrough', { mediaPipeline: await rpc.create('MediaPipeline') });
  assert.match(element, /_kurento\.PassThrough$/);
}

test('A16 a module below a given directory is listed and creates', () =>
  withModules(join(root, 'first'), async (rpc) => {
    assert.ok((await factories(rpc)).includes('PassThrough'));
    await passes(rpc);
  }));

test('A16 the same module in several places is listed once, and serves', () =>
  withModules(`${join(root, 'first')}:${join(root, 'second')}`, async (rpc, server) => {
    assert.equal((await factories(rpc)).filter((name) => name === 'PassThrough').length, 1);
    await passes(rpc);
    // What is mapped is a copy, never the operator's file.
    assert.deepEqual(mappedFiles(server.pid, (file) => file.startsWith(root)), []);
  }));

test('A16 a directory that does not exist is told of, and the others serve', () =>
  withModules(`${join(root, 'missing')}:${join(root, 'second')}`, async (rpc, server) => {
    await passes(rpc);
    assert.match(server.log, /missing/);
  }));
