// Things in the modules directory that are no file that could be read: each is refused
// with one line that names it and says why, and the modules beside them serve.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { artefacts, startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';

const passthrough = join(artefacts.modules, 'passthrough.so');
const listeners = [];

/** A socket in the file system, open for as long as the test runs. */
function socketAt(path) {
  const listener = createServer();
  listeners.push(listener);
  return new Promise((resolve) => listener.listen(path, resolve));
}

const kinds = {
  'pipe.so': [(path) => execFileSync('mkfifo', [path]), /it is no regular file/],
  'socket.so': [socketAt, /it is no regular file/],
  'device.so': [(path) => symlinkSync('/dev/zero', path), /it is no regular file/],
  'circle.so': [(path) => symlinkSync(path, path), /it cannot be read: Too many levels/],
  'dangling.so': [(path) => symlinkSync('/nowhere/at/all.so', path), /it cannot be read: No such file/],
  'unreadable.so': [unreadable, /it cannot be read: Permission denied/],
  'two\nlines.so': [(path) => writeFileSync(path, ''), /no shared library/],
  'locked/inside.so': [lockedDirectory, /it cannot be read: Permission denied/],
};

function unreadable(path) {
  copyFileSync(passthrough, path);
  chmodSync(path, 0o000);
}

function lockedDirectory(path) {
  mkdirSync(join(path, '..'));
  copyFileSync(passthrough, path);
  chmodSync(join(path, '..'), 0o000);
}

let server;
let rpc;
before(async () => {
  server = await startRivero({
    modules: ['passthrough'],
    unprivileged: true,
    arrange: async (modules) => {
      for (const [name, [place]] of Object.entries(kinds)) await place(join(modules, name));
      mkdirSync(join(modules, 'directory.so'));
      copyFileSync(join(artefacts.examples, 'counter.so'), join(modules, 'directory.so', 'counter.so'));
      symlinkSync(modules, join(modules, 'again'));
      symlinkSync(join(modules, 'passthrough.so'), join(modules, 'same.so'));
    },
  });
  rpc = await connectRpc(server.url);
});
after(async () => {
  await rpc?.close();
  for (const listener of listeners) listener.close();
  chmodSync(join(server.modulesPath, 'locked'), 0o755);
  await server?.stop();
});

for (const [name, [, reason]] of Object.entries(kinds)) {
  const shown = name.replace('\n', '\u{fffd}').replace('/inside.so', '');
  test(`${shown} is refused in one line`, () => {
    const lines = server.log.split('\n').filter((line) => line.includes(`/${shown}`));
    assert.equal(lines.length, 1, `lines about ${shown}:\n${lines.join('\n')}`);
    assert.match(lines[0], /WARN.*module refused: /);
    assert.match(lines[0], reason);
  });
}

test('a directory is searched, whatever its name', async () => {
  const pipeline = await rpc.create('MediaPipeline');
  assert.ok(await rpc.create('Counter', { mediaPipeline: pipeline }));
});

test('links in circles and second names of a file do nothing', async () => {
  assert.ok(!/same\.so|again/.test(server.log), server.log);
  const { modules } = await rpc.invoke('manager_ServerManager', 'getInfo');
  assert.deepEqual(modules.flatMap(({ factories }) => factories).filter((name) => name === 'PassThrough'), ['PassThrough']);
});

test('the server may not read everything, so that the above means something', () => {
  const effective = readFileSync(`/proc/${server.pid}/status`, 'utf8').match(/^CapEff:\s+([0-9a-f]+)/m)[1];
  const mayReadAll = 0b110n; // CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
  assert.equal(BigInt(`0x${effective}`) & mayReadAll, 0n);
});
