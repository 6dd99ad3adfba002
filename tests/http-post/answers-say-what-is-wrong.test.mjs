// Who asks for something else than to upload media gets a clear answer, and nobody else notices.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';

import { connectClient, invoke } from '../lib/client.mjs';
import { fixtureDirectory, makeMedia } from '../lib/fixtures.mjs';
import { COLOURS } from '../lib/media.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { beginPost, formWith, post, takerOf, uploadEndpointOf, uploadsAt } from '../lib/uploads.mjs';
import { nextEvent } from '../lib/wait.mjs';

const LIMIT = 300_000;
const directory = fixtureDirectory();
let server, client, pipeline, endpoint, film, long;
before(async () => {
  server = await startRivero({ moduleConfig: uploadsAt(`maxUploadSize=${LIMIT}\n`) });
  client = await connectClient(server.url);
  pipeline = await client.create('MediaPipeline');
  endpoint = await uploadEndpointOf(pipeline);
  film = readFileSync(await makeMedia(directory, 'a.webm', { colours: [COLOURS.red], seconds: 1, toneHz: 1000 }));
  long = readFileSync(await makeMedia(directory, 'b.webm', { colours: [COLOURS.red], seconds: 5, toneHz: 1000 }));
  assert.ok(long.length < LIMIT);
});
after(async () => {
  client?.close();
  await server?.stop();
});

/** It still plays. */
async function plays(into = endpoint) {
  const end = nextEvent(into, 'EndOfStream');
  assert.equal((await post(into.url, film)).status, 200);
  await end;
}

/** Uploads what fails with this status and one Error event of that type. */
async function fails(send, status, type) {
  const error = nextEvent(endpoint, 'Error');
  const known = endpoint.errors.length;
  const answer = await send(endpoint.url);
  assert.equal(answer.status, status, answer.text);
  const { type: told, description } = await error;
  assert.equal(told, type);
  assert.ok(answer.text.includes(description), `${answer.text} / ${description}`);
  await plays();
  assert.equal(endpoint.errors.length, known + 1);
}

test('the URL is the address that is announced, and cannot be guessed', async () => {
  const url = new URL(endpoint.url);
  assert.match(url.pathname, /^\/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(url.hostname, '127.0.0.1');
  const other = await uploadEndpointOf(pipeline);
  assert.notEqual(other.url, endpoint.url);
  assert.equal(new URL(other.url).port, url.port);
  await other.release();
  assert.equal((await post(other.url, film)).status, 404, 'after the release');
  await plays();
});

test('another path is not found', async () => {
  for (const path of ['/', '/00000000-0000-4000-8000-000000000000', `${new URL(endpoint.url).pathname}/`]) {
    assert.equal((await post(new URL(path, endpoint.url), film)).status, 404, path);
  }
});

test('other methods are refused', async () => {
  for (const method of ['GET', 'HEAD', 'PUT', 'DELETE']) {
    const response = await fetch(endpoint.url, { method, ...(method === 'PUT' && { body: film }) });
    assert.equal(response.status, 405, method);
    assert.equal(response.headers.get('allow'), 'POST, OPTIONS');
  }
});

test('OPTIONS permits pages of any origin', async () => {
  const response = await fetch(endpoint.url, {
    method: 'OPTIONS',
    headers: { Origin: 'https://a.example', 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'x-mine' },
  });
  assert.equal(response.status, 204);
  assert.equal(response.headers.get('access-control-allow-origin'), 'https://a.example');
  assert.match(response.headers.get('access-control-allow-methods'), /POST/);
  assert.equal(response.headers.get('access-control-allow-headers'), 'x-mine');
});

test('what is surely no media is not acceptable', async () => {
  for (const type of ['text/plain', 'application/json', 'multipart/mixed; boundary=a']) {
    assert.equal((await post(endpoint.url, film, { 'Content-Type': type })).status, 406, type);
  }
  assert.deepEqual(endpoint.errors, []);
});

test('a body that says it is too large is refused before it comes', async () => {
  await fails((url) => post(url, Buffer.alloc(LIMIT + 1)), 413, 'STREAM_ERROR_FAILED');
});

test('a body that turns out to be too large ends there', async () => {
  async function* pieces() {
    yield film;
    for (let index = 0; index < 40; index++) yield Buffer.alloc(10_000);
  }
  await fails((url) => post(url, pieces()), 413, 'STREAM_ERROR_FAILED');
  await fails((url) => post(url, formWith(Buffer.concat([film, Buffer.alloc(LIMIT)]))), 413, 'STREAM_ERROR_FAILED');
});

test('what is no media is told to client and application', async () => {
  const text = 'To whom it may concern. '.repeat(2000);
  await fails((url) => post(url, Buffer.from(text)), 415, 'INVALID_MEDIA');
  await fails((url) => post(url, formWith(Buffer.from(text))), 415, 'INVALID_MEDIA');
  await fails((url) => post(url, Buffer.alloc(0)), 415, 'INVALID_MEDIA');
  await fails((url) => post(url, Buffer.concat([film.subarray(0, 200), Buffer.from(text)])), 415, 'INVALID_MEDIA');
});

test('a playlist leads nowhere', async () => {
  const list = '#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nhttp://127.0.0.1:1/a.ts\n#EXT-X-ENDLIST\n';
  await fails((url) => post(url, Buffer.from(list)), 415, 'INVALID_MEDIA');
});

test('a form without a file, and one that is none', async () => {
  const empty = new FormData();
  empty.append('title', 'A film');
  await fails((url) => post(url, empty), 400, 'STREAM_ERROR_FAILED');
  const type = { 'Content-Type': 'multipart/form-data; boundary=xyz' };
  await fails((url) => post(url, film, type), 400, 'STREAM_ERROR_FAILED');
});

test('an upload that breaks off is told, and what came is played', async () => {
  const other = await uploadEndpointOf(pipeline);
  const sink = await takerOf(pipeline);
  await invoke(other, 'connect', sink);
  const flows = nextEvent(other, 'MediaFlowOutStateChanged', ({ state }) => state === 'FLOWING');
  const error = nextEvent(other, 'Error');
  const upload = beginPost(other.url);
  await upload.write(long.subarray(0, long.length - 100));
  await flows;
  upload.abort();
  assert.match((await error).description, /broke off after \d+ bytes/);
  await plays(other);
  assert.equal(other.errors.length, 1);
  await Promise.all([other.release(), sink.release()]);
});

test('two at a time are one too many', async () => {
  const other = await uploadEndpointOf(pipeline);
  const started = nextEvent(other, 'MediaSessionStarted');
  await invoke(other, 'getUrl'); // after the subscription
  const upload = beginPost(other.url);
  await upload.write(film.subarray(0, 1000));
  await started;
  assert.equal((await post(other.url, film)).status, 409);
  await upload.write(film.subarray(1000));
  assert.equal(await upload.end(), 200);
  await plays(other);
  assert.deepEqual(other.errors, []);
  await other.release();
});

test('the session is known by its cookie, and ends without requests', async () => {
  const other = await uploadEndpointOf(pipeline, { disconnectionTimeout: 1 });
  const told = [];
  for (const name of ['MediaSessionStarted', 'MediaSessionTerminated', 'EndOfStream']) other.on(name, () => told.push(name));
  const terminated = nextEvent(other, 'MediaSessionTerminated');
  await invoke(other, 'getUrl'); // after the subscriptions
  const answer = await post(other.url, film);
  const [cookie] = answer.headers.get('set-cookie').split(';');
  assert.match(cookie, /^HttpEPCookie=./);
  assert.equal((await post(other.url, film, { Cookie: 'HttpEPCookie=another' })).status, 400);
  assert.equal((await post(other.url, film, { Cookie: cookie })).status, 200);
  await terminated;
  assert.deepEqual(told, ['MediaSessionStarted', 'EndOfStream', 'EndOfStream', 'MediaSessionTerminated']);
  await plays(other);
  assert.equal(told.filter((name) => name === 'MediaSessionStarted').length, 2);
  await other.release();
});

test('a release ends the upload', async () => {
  const other = await uploadEndpointOf(pipeline);
  const started = nextEvent(other, 'MediaSessionStarted');
  await invoke(other, 'getUrl'); // after the subscription
  const upload = beginPost(other.url);
  await upload.write(film.subarray(0, 5000));
  await started;
  await other.release();
  assert.equal(await upload.answered, 410);
  assert.deepEqual(other.errors, []);
  upload.abort();
  await plays();
});

test('a port that is taken is named', async () => {
  const taken = createServer();
  await new Promise((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const { port } = taken.address();
  const second = await startRivero({
    modules: ['http-post'],
    moduleConfig: { 'kurento/HttpEndpoint.conf.ini': `serverAddress=127.0.0.1\nserverPort=${port}\n` },
  });
  const its = await connectClient(second.url);
  const itsPipeline = await its.create('MediaPipeline');
  await assert.rejects(itsPipeline.create('HttpPostEndpoint'), (error) => {
    assert.equal(error.code, 40300);
    assert.match(error.message, new RegExp(`port ${port}`));
    return true;
  });
  await new Promise((resolve) => taken.close(resolve));
  const free = await uploadEndpointOf(itsPipeline);
  assert.equal(new URL(free.url).port, String(port));
  its.close();
  await second.stop();
});
