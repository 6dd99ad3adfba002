import assert from 'node:assert/strict';
import { existsSync, mkdirSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { connectClient, invoke } from '../lib/client.mjs';
import { recorderOf, recordingDirectory } from '../lib/recording.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { nextEvent, until } from '../lib/wait.mjs';

const directory = recordingDirectory();
const root = join(directory, 'root');
let server, client, pipeline, strict, strictClient, strictPipeline;

before(async () => {
  mkdirSync(root);
  server = await startRivero({
    moduleConfig: { 'kurento/UriEndpoint.conf.ini': `defaultPath=file://${directory}/default\n` },
  });
  client = await connectClient(server.url);
  pipeline = await client.create('MediaPipeline');
  strict = await startRivero({
    moduleConfig: { 'kurento/UriEndpoint.conf.ini': `uriPolicy=strict\nwritableRoots=${root}\n` },
  });
  strictClient = await connectClient(strict.url);
  strictPipeline = await strictClient.create('MediaPipeline');
});
after(async () => {
  client?.close();
  strictClient?.close();
  await server?.stop();
  await strict?.stop();
});

async function creates(uri, file, on = pipeline) {
  const recorder = await recorderOf(on, null, uri);
  assert.equal(await invoke(recorder, 'getUri'), uri);
  await invoke(recorder, 'record');
  await until(() => existsSync(file), `${file} is there`);
  await invoke(recorder, 'stopAndWait');
  assert.deepEqual(recorder.errors, []);
}

test('directories that do not exist are made', async () => {
  await creates(`file://${directory}/new/deep/a.webm`, join(directory, 'new/deep/a.webm'));
  assert.ok(statSync(join(directory, 'new/deep')).isDirectory());
});

test('slashes may be repeated and escaped', async () => {
  await creates(`file:///${directory}//many///slashes////a.webm`, join(directory, 'many/slashes/a.webm'));
  await creates(`file://${directory}%2Fescaped%2Fa%20b.webm`, join(directory, 'escaped/a b.webm'));
});

test('a relative URI is below the default path', async () => {
  await creates('some/a.webm', join(directory, 'default/some/a.webm'));
});

test("the system's and the server's own places are refused", async () => {
  for (const uri of ['file:///etc/a.webm', 'file:///tmp/../proc/a.webm', `file://${server.modulesPath}/a.so`, 'gs://bucket/a.webm', 'http://169.254.169.254/a']) {
    await assert.rejects(recorderOf(pipeline, null, uri), { code: 40107 }, uri);
  }
});

test('strict mode keeps to its roots', async () => {
  symlinkSync(directory, join(root, 'out'));
  await creates(`file://${root}/sub/a.webm`, join(root, 'sub/a.webm'), strictPipeline);
  for (const uri of [`file://${root}/../a.webm`, `file://${root}/out/a.webm`, `file://${directory}/a.webm`, 'http://127.0.0.1:1/a']) {
    await assert.rejects(recorderOf(strictPipeline, null, uri), { code: 40107 }, uri);
  }
  assert.ok(!existsSync(join(directory, 'a.webm')));
});

test('a link that is put there later leads nowhere', async () => {
  const recorder = await recorderOf(strictPipeline, null, `file://${root}/later/a.webm`);
  symlinkSync(directory, join(root, 'later'));
  const error = nextEvent(recorder, 'Error');
  await invoke(recorder, 'record');
  assert.equal((await error).type, 'RESOURCE_ERROR_OPEN');
  assert.ok(!existsSync(join(directory, 'a.webm')));
});
