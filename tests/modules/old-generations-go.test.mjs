// A library of no use any more is unmapped once nothing of it is left: no object, no timer, no thread. What keeps it
// is named, and what it leaves to threads that live on ends no process.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';

import { build, watchModules } from '../lib/builds.mjs';
import { mappedFiles } from '../lib/process-usage.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { until } from '../lib/wait.mjs';

let server;
let modules;
let next = 1;
before(async () => {
  server = await startRivero({ modules: ['passthrough'] });
  modules = await watchModules(server);
  writeFileSync(join(server.modulesPath, 'upgrades.so'), build(next));
  await modules.serves(next);
});
after(async () => {
  await modules?.close();
  assert.deepEqual(await server?.stop(), { code: 0, signal: null });
});
afterEach(() => assert.ok(server.running, server.log));

/** Mapped libraries of the fixture. */
const mapped = () => mappedFiles(server.pid, (path) => path.includes('upgrades.so'));

/** Has an object of the present build do something, and replaces the build. */
async function leave(body) {
  const object = await modules.object();
  await body(object);
  await modules.release(object.pipeline);
  next += 1;
  writeFileSync(join(server.modulesPath, 'upgrades.so'), build(next));
  await modules.serves(next);
}

const leaving = (what, millis) => ({ id }) => modules.rpc.invoke(id, 'leave', { what, millis });

async function onlyTheNewOneIsMapped() {
  await until(() => mapped().length === 1, 'the old one is unmapped', 30_000);
  assert.equal(await modules.generations('pinned'), 0);
  await modules.become('waiting', 0);
}

test('with its last object', async () => {
  await leave(() => {});
  await onlyTheNewOneIsMapped();
});

test('with its last thread, which is named until then', async () => {
  await leave(leaving('thread', 8_000));
  await until(() => modules.lines('a thread is in it', 'thread="left-over"').length === 1, 'the thread is named');
  assert.equal(mapped().length, 2);
  await onlyTheNewOneIsMapped();
});

test('with its last timer', async () => {
  await leave(leaving('timer', 8_000));
  assert.equal(mapped().length, 2);
  assert.equal(await modules.generations('in_use'), 2);
  await onlyTheNewOneIsMapped();
});

test("beside what the standard library keeps for a thread of the server's, also at that thread's end", async () => {
  await leave(leaving('currentThread', 0));
  await onlyTheNewOneIsMapped();
});

test('with the thread that has still to run a destructor of it', async () => {
  await leave(leaving('threadLocal', 0));
  // The server's threads for calls end by themselves when there is nothing to do.
  await onlyTheNewOneIsMapped();
});

test('and stays, counted and named, where media that it made may be about', async () => {
  await leave(async ({ pipeline, id }) => {
    const sink = await modules.rpc.create('Upgrades', { mediaPipeline: pipeline });
    await modules.rpc.invoke(id, 'connect', { sink });
    await modules.rpc.invoke(id, 'send', { count: 3 });
    await until(async () => (await modules.rpc.invoke(sink, 'getReceived')) === 3, 'media arrives');
  });
  await modules.become('pinned', 1);
  assert.equal(modules.lines('stays mapped', 'media that it made').length, 1);
  assert.equal(mapped().length, 2);
});
