// J10: images that change, and those that cannot be drawn.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { connectClient, invoke } from '../lib/client.mjs';
import { cover, faceOverlayOf, makeImage } from '../lib/faces.mjs';
import { fixtureDirectory } from '../lib/fixtures.mjs';
import { serve } from '../lib/media-server.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { nextEvent, until } from '../lib/wait.mjs';

const directory = fixtureDirectory();
let server, client, pipeline;
before(async () => {
  server = await startRivero();
  client = await connectClient(server.url);
  pipeline = await client.create('MediaPipeline');
});
after(async () => {
  client?.close();
  await server?.stop();
});

function file(name, content) {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

/** A PNG whose head promises more pixels than any memory has. */
async function hugeImage() {
  const path = await makeImage(directory, 'promises.png');
  const bytes = readFileSync(path);
  bytes.writeUInt32BE(0x7fffffff, 16);
  bytes.writeUInt32BE(0x7fffffff, 20);
  return file('promises.png', bytes);
}

test('an image that cannot be read is an Error event, and the filter goes on', async () => {
  const large = file('large.png', '');
  truncateSync(large, 1 << 30);
  const whole = await makeImage(directory);
  const bad = [
    [join(directory, 'missing.png'), 'INVALID_URI'],
    [directory, 'INVALID_URI'],
    [large, 'INVALID_URI'],
    ['http://127.0.0.1:9/image.png', 'INVALID_URI'],
    [file('empty.png', ''), 'INVALID_MEDIA'],
    [file('text.png', 'This is no image.'), 'INVALID_MEDIA'],
    [file('noise.png', Buffer.alloc(65536, 0xa5)), 'INVALID_MEDIA'],
    [await hugeImage(), 'INVALID_MEDIA'],
  ];
  for (const [uri, type] of bad) {
    const filter = await faceOverlayOf(pipeline);
    const failed = nextEvent(filter, 'Error');
    await cover(filter, uri);
    assert.equal((await failed).type, type, uri);
    await cover(filter, whole);
    await invoke(filter, 'unsetOverlayedImage');
    assert.equal(filter.errors.length, 1, uri);
    await filter.release();
  }
  assert.ok(server.running);
});

test('what the policy refuses, and sizes that mean nothing, are refused in the call', async () => {
  const filter = await faceOverlayOf(pipeline);
  for (const uri of ['/etc/hostname', 'file:///proc/self/environ', 'http://169.254.169.254/a.png', 'rtsp://127.0.0.1/a', '']) {
    await assert.rejects(cover(filter, uri), (error) => error.code === 40107, uri);
  }
  const whole = await makeImage(directory);
  await assert.rejects(invoke(filter, 'setOverlayedImage', whole, 0, 0, 0, 1), (error) => error.code === 40107);
  await assert.rejects(invoke(filter, 'setOverlayedImage', whole, 0, 0, 1, -1), (error) => error.code === 40107);
  assert.deepEqual(filter.errors, []);
  await filter.release();
});

test('a filter loads one image at a time, and none when it is released', async () => {
  const loading = () => readdirSync(`/proc/${server.pid}/task`).filter((task) => readFileSync(`/proc/${server.pid}/task/${task}/comm`, 'utf8') === 'image\n').length;
  const deaf = await serve(() => {});
  const filters = await Promise.all(Array.from({ length: 5 }, () => faceOverlayOf(pipeline)));
  await Promise.all(filters.flatMap((filter) => Array.from({ length: 20 }, () => cover(filter, `${deaf.origin}/image.png`))));
  await until(() => deaf.requests.length >= 5, 'the server is asked');
  assert.equal(loading(), 5);
  await Promise.all(filters.map((filter) => filter.release()));
  await until(() => loading() === 0, 'nothing is loaded any more');
  assert.deepEqual(filters.flatMap(({ errors }) => errors), []);
  deaf.close();
});

test('without a cascade the module is listed, and creating a filter says what to do', async () => {
  const poor = await startRivero({ moduleConfig: { 'kurento/FaceOverlayFilter.conf.ini': 'cascade=/nowhere/cascade.xml\n' } });
  const other = await connectClient(poor.url);
  try {
    const { modules } = await invoke(await other.getServerManager(), 'getInfo');
    assert.ok(modules.some(({ factories }) => factories.includes('FaceOverlayFilter')));
    const pipelineThere = await other.create('MediaPipeline');
    await assert.rejects(pipelineThere.create('FaceOverlayFilter'), (error) => error.code === 40003 && error.message.includes('/nowhere/cascade.xml'));
    await pipelineThere.create('PassThrough');
  } finally {
    other.close();
    await poor.stop();
  }
});
