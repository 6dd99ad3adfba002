// Several libraries contribute to the module `elements`: clients see one module with all
// factories, and a library that is removed takes only its own with it.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { manifestOf, withManifest } from '../lib/elf.mjs';
import { artefacts, builtModules, startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { until } from '../lib/wait.mjs';

const MODULE = 'elements';
const KMD = join(artefacts.server, '..', 'kmd');
const counterFile = join(artefacts.examples, 'counter.so');

const scratch = mkdtempSync(join(tmpdir(), 'rivero-several-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** Runs `body(rpc, server)` with a server of its own. */
async function withServer(options, body) {
  const server = await startRivero(options);
  try {
    const rpc = await connectRpc(server.url);
    await body(rpc, server);
    await rpc.close();
  } finally {
    await server.stop();
  }
}

async function factories(rpc, module = MODULE) {
  const { modules } = await rpc.invoke('manager_ServerManager', 'getInfo');
  const found = modules.filter(({ name }) => name === module);
  assert.equal(found.length, 1, `${module} is listed once`);
  return found[0].factories;
}

/** Libraries of `elements`, and what each of them makes. */
const LIBRARIES = { webrtc: ['WebRtcEndpoint'], composite: ['Composite'] };

test('two libraries appear as one module with the factories of both', async () => {
  await withServer({ modules: Object.keys(LIBRARIES) }, async (rpc) => {
    assert.deepEqual(await factories(rpc), ['Composite', 'WebRtcEndpoint']);
    const pipeline = await rpc.create('MediaPipeline');
    for (const type of Object.values(LIBRARIES).flat()) assert.ok(await rpc.create(type, { mediaPipeline: pipeline }), type);
  });
});

for (const [left, removed] of [['webrtc', 'composite'], ['composite', 'webrtc']]) {
  test(`without ${removed}.so only its factories are missing`, async () => {
    await withServer({ modules: [left] }, async (rpc) => {
      assert.deepEqual(await factories(rpc), LIBRARIES[left]);
      const pipeline = await rpc.create('MediaPipeline');
      for (const type of LIBRARIES[left]) assert.ok(await rpc.create(type, { mediaPipeline: pipeline }), type);
      for (const type of LIBRARIES[removed]) {
        const { error } = await rpc.request('create', { type, constructorParams: { mediaPipeline: pipeline } });
        assert.equal(error.code, 40108);
      }
    });
  });
}

/** The file with a module's own descriptor; standard ones are known to `kmd` by their names. */
function descriptorOf(name) {
  const libraries = [counterFile, ...builtModules().map((file) => join(artefacts.modules, `${file}.so`))];
  const descriptors = libraries.map((library) => manifestOf(readFileSync(library)).descriptor);
  const descriptor = descriptors.find((own) => own?.name === name);
  if (!descriptor) return undefined;
  const file = join(scratch, `${name}.kmd.json`);
  writeFileSync(file, JSON.stringify(descriptor));
  return file;
}

test('getKmd is what `kmd show` prints, for every module', async () => {
  await withServer({ modules: [...builtModules(), 'counter'] }, async (rpc) => {
    const { modules } = await rpc.invoke('manager_ServerManager', 'getInfo');
    assert.ok(modules.length >= 4);
    for (const { name } of modules) {
      const shown = execFileSync(KMD, ['show', descriptorOf(name) ?? name], { encoding: 'utf8', maxBuffer: 1 << 26 });
      const served = await rpc.invoke('manager_ServerManager', 'getKmd', { moduleName: name });
      assert.deepEqual(JSON.parse(served), JSON.parse(shown), name);
      assert.equal(JSON.stringify(JSON.parse(served)), served, 'without blanks, members in the same order');
      assert.equal(JSON.stringify(JSON.parse(shown)), served, `${name}: the same to the byte but for blanks`);
    }
  });
});

test('A16 of two files with the same class, the one found first serves', async () => {
  const extraFiles = { 'a-counter.so': readFileSync(counterFile), 'b-counter.so': readFileSync(counterFile) };
  await withServer({ modules: [], extraFiles }, async (rpc, server) => {
    const pipeline = await rpc.create('MediaPipeline');
    assert.ok(await rpc.create('Counter', { mediaPipeline: pipeline }));
    // The log is written by a thread of its own.
    await until(() => /module loaded file=\S*a-counter\.so/.test(server.log), 'the module is loaded from the file found first');
    assert.ok(!/refused/.test(server.log), server.log);
    assert.match(server.log, /served by the file found first.*a-counter\.so.*b-counter\.so/);
  });
});

test('A16 of two files with different definitions of a class, the second is refused naming both', async () => {
  const library = readFileSync(counterFile);
  const manifest = manifestOf(library);
  manifest.descriptor.remoteClasses[0].properties[0].type = 'int';
  const extraFiles = { 'a-counter.so': library, 'b-counter.so': withManifest(library, manifest) };
  await withServer({ modules: [], extraFiles }, async (rpc, server) => {
    const lines = server.log.split('\n').filter((line) => line.includes('refused'));
    assert.equal(lines.length, 1);
    assert.match(lines[0], /a-counter\.so/);
    assert.match(lines[0], /file=\S*b-counter\.so/);
    assert.match(lines[0], /Counter/);
    assert.deepEqual(await factories(rpc, 'counter'), ['Counter']);
  });
});

// Where modules are looked for: option before environment before the installed place.

function directory(name, ...modules) {
  const path = join(scratch, name);
  for (const module of modules) {
    mkdirSync(join(path, module, '..'), { recursive: true });
    copyFileSync(join(artefacts.examples, 'counter.so'), join(path, module));
  }
  return path;
}

const servedFrom = (server) => until(() => server.log.match(/module loaded file=(\S+)/)?.[1], 'the library is loaded');

async function createsCounter(rpc) {
  const pipeline = await rpc.create('MediaPipeline');
  return rpc.create('Counter', { mediaPipeline: pipeline });
}

test('A16 directories are searched in their order, with their subdirectories', async () => {
  const first = directory('first', 'deep/er/counter.so');
  const second = directory('second', 'counter.so');
  await withServer({ modules: [], args: ['--modules-path', `${first}:${second}`] }, async (rpc, server) => {
    await createsCounter(rpc);
    assert.equal(await servedFrom(server), join(first, 'deep/er/counter.so'));
  });
});

test('the environment names directories where the option does not', async () => {
  const here = directory('environment', 'counter.so');
  const there = directory('option', 'counter.so');
  const env = { KURENTO_MODULES_PATH: here };
  await withServer({ modules: [], modulesOption: false, env }, async (rpc, server) => {
    await createsCounter(rpc);
    assert.equal(await servedFrom(server), join(here, 'counter.so'));
  });
  await withServer({ modules: [], args: ['--modules-path', there], env }, async (rpc, server) => {
    await createsCounter(rpc);
    assert.equal(await servedFrom(server), join(there, 'counter.so'));
  });
});

test('a directory that is missing is told of, and the others are searched', async () => {
  const there = directory('there', 'counter.so');
  await withServer({ modules: [], args: ['--modules-path', `/nowhere/modules:${there}`] }, async (rpc, server) => {
    assert.ok(await createsCounter(rpc));
    assert.match(server.log, /refused: it cannot be read: No such file or directory \(os error 2\) file=\/nowhere\/modules/);
  });
});

test('modules installed beside the program serve without any setting, after those of settings', async () => {
  // <prefix>/bin/rivero looks into <prefix>/lib/kurento.
  const prefix = join(scratch, 'prefix');
  mkdirSync(join(prefix, 'bin'), { recursive: true });
  copyFileSync(artefacts.server, join(prefix, 'bin/rivero'));
  const installed = directory('prefix/lib/kurento', 'counter.so');
  const preferred = directory('preferred', 'counter.so');
  const program = join(prefix, 'bin/rivero');
  await withServer({ modules: [], modulesOption: false, program }, async (rpc, server) => {
    await createsCounter(rpc);
    assert.equal(await servedFrom(server), join(installed, 'counter.so'));
  });
  await withServer({ modules: [], modulesOption: false, program, args: ['--modules-path', preferred] }, async (rpc, server) => {
    await createsCounter(rpc);
    assert.equal(await servedFrom(server), join(preferred, 'counter.so'));
  });
});

test('/usr/lib/kurento is the last place', async () => {
  // A view of the file system that only this server has, with the directory in its place.
  const view = join(scratch, 'view');
  mkdirSync(view);
  const script = `set -e
    mount -t tmpfs none "$0"
    mkdir -p "$0/upper/kurento" "$0/work"
    cp "$1" "$0/upper/kurento/counter.so"
    mount -t overlay overlay -o "lowerdir=/usr/lib,upperdir=$0/upper,workdir=$0/work" /usr/lib
    shift
    exec "$@"`;
  const wrap = (command) => ['unshare', '--mount', 'sh', '-c', script, view, counterFile, ...command];
  await withServer({ modules: [], modulesOption: false, wrap }, async (rpc, server) => {
    await createsCounter(rpc);
    assert.equal(await servedFrom(server), '/usr/lib/kurento/counter.so');
  });
});
