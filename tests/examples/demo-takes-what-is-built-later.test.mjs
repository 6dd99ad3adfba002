// `make demo` begins with a part of the modules; the server starts again with the others when
// they are built and nobody has a pipeline.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { artefacts } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { until, within } from '../lib/wait.mjs';

const demo = fileURLToPath(new URL('../../examples/demo.sh', import.meta.url));

let release;
before(() => {
  release = mkdtempSync(join(tmpdir(), 'rivero-demo-'));
  mkdirSync(join(release, 'modules'));
  copyFileSync(artefacts.server, join(release, 'rivero'));
  copyFileSync(join(artefacts.modules, 'webrtc.so'), join(release, 'modules', 'webrtc.so'));
});
after(() => rmSync(release, { recursive: true, force: true }));

test('modules that are built later join when nobody has a pipeline, and Ctrl-C ends everything', async () => {
  const late = join(artefacts.modules, 'passthrough.so');
  const child = spawn('bash', [demo, release, 'cp', late, join(release, 'modules')], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('exit', (code) => resolve(code)));
  let output = '';
  child.stdout.on('data', (text) => (output += text));
  try {
    await until(() => output.includes('Open http://localhost:8080'), 'the demo is open');
    assert.equal((await fetch('http://localhost:8080/gallery/')).status, 200);
    await until(() => output.includes('passthrough.so'), 'the later module is there');
    const rpc = await connectRpc('ws://127.0.0.1:8888/kurento');
    const mediaPipeline = await rpc.create('MediaPipeline');
    await rpc.create('PassThrough', { mediaPipeline });
    await rpc.close();
  } finally {
    child.kill('SIGINT');
  }
  assert.equal(await within(ended, 'the demo ends'), 130);
  await assert.rejects(fetch('http://localhost:8080/'));
});
