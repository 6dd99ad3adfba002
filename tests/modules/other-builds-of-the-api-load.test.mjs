// A module that somebody built with the sources of ABI 2.0, and one of a newer minor version, serve in this server: each is compiled
// with a plugin-api of its own.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { artefacts, startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { until } from '../lib/wait.mjs';

const SOURCES = fileURLToPath(new URL('../abi-2.0/', import.meta.url));
/** Kept, so that only the first run compiles what the module needs. */
const target = join(dirname(artefacts.server), '..', 'abi-2.0');
const run = promisify(execFile);

let directory;
before(() => (directory = mkdtempSync(join(tmpdir(), 'rivero-abi-'))));
after(() => rmSync(directory, { recursive: true, force: true }));

/** The library that is built of the sources in `from`. */
async function built(from) {
  const manifest = join(from, 'Cargo.toml');
  const where = ['--release', '--offline', '--locked', '--manifest-path', manifest, '--target-dir', target];
  await run('cargo', ['build', ...where, '-p', 'rivero-fixture-abi'], { maxBuffer: 1 << 26 });
  return readFileSync(join(target, 'release', 'librivero_fixture_abi.so'));
}

/** The sources as a later minor version would have them: a function more at the end of two tables, each with a default body. */
function newer() {
  const copy = join(directory, 'newer');
  mkdirSync(copy);
  cpSync(SOURCES, copy, { recursive: true });
  const change = (file, changes) => {
    const path = join(copy, 'plugin-api', 'src', 'abi', file);
    let text = readFileSync(path, 'utf8');
    for (const [from, to] of changes) {
      assert.ok(text.includes(from), `${file} has ${from}`);
      text = text.replace(from, to);
    }
    writeFileSync(path, text);
  };
  change('mod.rs', [['ABI_MINOR: u16 = 0', 'ABI_MINOR: u16 = 1']]);
  change('traits.rs', [
    ['fn release(&self, released: Responder);', 'fn release(&self, released: Responder);\n    fn rest(&self) -> u8 {\n        7\n    }'],
    ['fn allocate(&self, length: usize) -> BytesMut;', 'fn allocate(&self, length: usize) -> BytesMut;\n    fn weather(&self) -> u8 {\n        1\n    }'],
  ]);
  return copy;
}

async function serves(library) {
  const server = await startRivero({ modules: ['panics', 'passthrough'], extraFiles: { 'abi.so': library } });
  const rpc = await connectRpc(server.url);
  try {
    const mediaPipeline = await rpc.create('MediaPipeline');
    const [source, sink] = [await rpc.create('fixturepanics.Panics', { mediaPipeline }), await rpc.create('fixturepanics.Panics', { mediaPipeline })];
    const probe = await rpc.create('fixtureabi.AbiProbe', { mediaPipeline });
    await rpc.invoke(source, 'connect', { sink: probe });
    await rpc.invoke(probe, 'connect', { sink });
    await rpc.invoke(source, 'send', { count: 5 });
    await until(async () => (await rpc.invoke(sink, 'getReceived')) === 5, 'media passes');
    assert.equal(await rpc.invoke(sink, 'getNoted'), source);
    assert.equal(await rpc.invoke(probe, 'answerLater', { text: 'late' }), 'late');
    await assert.rejects(rpc.invoke(probe, 'fail'), { code: 40003 });
    const hub = await rpc.create('fixtureabi.AbiHub', { mediaPipeline });
    await assert.rejects(rpc.create('HubPort', { hub }), { code: 49002 });
    await rpc.value('release', { object: mediaPipeline });
    const { modules } = await rpc.invoke('manager_ServerManager', 'getInfo');
    assert.equal(modules.find(({ name }) => name === 'fixtureabi').version, '1.0.0');
  } finally {
    await rpc.close();
    await server.stop();
  }
}

test('a module of ABI 2.0 serves', async () => serves(await built(SOURCES)));

test('a module of a newer minor version serves as far as this server knows', async () => serves(await built(newer())));
