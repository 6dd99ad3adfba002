// What ends the process and what does not; where it listens.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

import { artefacts, startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { until, within } from '../lib/wait.mjs';

for (const [signal, end] of [
  ['SIGTERM', { code: 0, signal: null }],
  ['SIGINT', { code: 0, signal: null }],
]) {
  test(`${signal} ends it with exit code ${end.code}, objects or not`, async () => {
    const server = await startRivero();
    const rpc = await connectRpc(server.url);
    const mediaPipeline = await rpc.create('MediaPipeline');
    for (const type of ['PassThrough', 'WebRtcEndpoint']) await rpc.create(type, { mediaPipeline });
    process.kill(server.pid, signal);
    assert.deepEqual(await within(server.exit, 'the process ends'), end);
    await server.stop();
  });
}

test('SIGPIPE is ignored, and SIGHUP reads the configuration again', async () => {
  const server = await startRivero();
  process.kill(server.pid, 'SIGPIPE');
  process.kill(server.pid, 'SIGHUP');
  await until(() => server.log.includes('the configuration was read again: 0 key(s) changed'), 'the log says so');
  const rpc = await connectRpc(server.url);
  assert.equal((await rpc.request('ping')).result.value, 'pong');
  await rpc.close();
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});

test('an address in use, a malformed option and an unreadable configuration end it with 1', async (context) => {
  const server = await startRivero();
  context.after(() => server.stop());
  const run = (...args) => {
    const { status, signal, stderr } = spawnSync(artefacts.server, args, { encoding: 'utf8', timeout: 20_000 });
    assert.deepEqual([status, signal], [1, null], stderr);
    return stderr;
  };
  assert.match(run('--conf-file', server.configFile, '--modules-path', server.modulesPath), /in use/);
  run('--conf-file', server.configFile, '--number-log-files', 'many');
  assert.match(run('--conf-file', '/nonexistent/kurento.conf.json'), /\/nonexistent\/kurento\.conf\.json/);
  const rpc = await connectRpc(server.url);
  assert.equal((await rpc.request('ping')).result.value, 'pong');
  await rpc.close();
});

test('without an address it listens on IPv4 and IPv6 at the same port', async (context) => {
  const server = await startRivero({ config: { websocket: { address: undefined } } });
  context.after(() => server.stop());
  for (const host of ['127.0.0.1', '[::1]']) {
    const rpc = await connectRpc(`ws://${host}:${server.port}/kurento`);
    assert.equal((await rpc.request('ping')).result.value, 'pong', host);
    await rpc.close();
  }
});

test('it may listen again at once where it has just ended', async () => {
  const first = await startRivero();
  const rpc = await connectRpc(first.url);
  await rpc.create('MediaPipeline');
  const { port } = first;
  await first.stop();
  const second = await startRivero({ port });
  const again = await connectRpc(`ws://127.0.0.1:${port}/kurento`);
  assert.equal((await again.request('ping')).result.value, 'pong');
  await again.close();
  await second.stop();
});
