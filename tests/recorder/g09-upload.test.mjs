import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS } from '../lib/media.mjs';
import { TONE_HZ, publish } from '../lib/publisher.mjs';
import { assertColour, colourAt, decodesWhole, hasRecorded, probe, recorderOf, recordingDirectory, soundsAt, stopped } from '../lib/recording.mjs';
import { nextEvent } from '../lib/wait.mjs';

const rivero = live();
const directory = recordingDirectory();
const uploads = new Map();
let store, origin;

before(async () => {
  store = createServer((request, response) => {
    if (request.url.startsWith('/refused')) {
      response.writeHead(403).end();
      return;
    }
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      uploads.set(request.url, { method: request.method, headers: request.headers, body: Buffer.concat(chunks) });
      response.writeHead(201).end();
    });
  });
  await new Promise((resolve) => store.listen(0, '127.0.0.1', resolve));
  origin = `127.0.0.1:${store.address().port}`;
});
after(() => {
  store.closeAllConnections();
  store.close();
});

for (const [profile, video] of [['WEBM', 'VP8'], ['MP4', 'H264']]) {
  test(`a ${profile} is uploaded while it is recorded`, async () => {
    const page = await rivero.browser.openProbe();
    const pipeline = await rivero.client.create('MediaPipeline');
    const endpoint = await publish(page, pipeline, 'camera', { codecs: { video, audio: 'opus' } });
    const path = `/store/a.${profile.toLowerCase()}?part=1`;
    const recorder = await recorderOf(pipeline, endpoint, `http://me:se%3Acret@${origin}${path}`, { mediaProfile: profile });
    await invoke(recorder, 'record');
    await hasRecorded(recorder, 3000);
    const recorded = (await stopped(recorder)) / 1000;

    const { method, headers, body } = uploads.get(path);
    assert.deepEqual([method, headers['transfer-encoding']], ['POST', 'chunked']);
    assert.equal(headers['content-type'], `video/${profile.toLowerCase()}`);
    assert.equal(headers.authorization, `Basic ${Buffer.from('me:se:cret').toString('base64')}`);
    const file = join(directory, `upload.${profile.toLowerCase()}`);
    writeFileSync(file, body);
    assert.equal((await probe(file)).streams.length, 2);
    assert.ok((await decodesWhole(file)) > 20);
    assertColour(await colourAt(file, 1), COLOURS.red, 'the picture');
    await soundsAt(file, TONE_HZ, 0.5, recorded - 0.5);
    assert.deepEqual(recorder.errors, []);
    await pipeline.release();
  });
}

test('a server that is down is an Error event at once', async () => {
  const pipeline = await rivero.client.create('MediaPipeline');
  const recorder = await recorderOf(pipeline, null, 'http://127.0.0.1:9/a.webm');
  const error = nextEvent(recorder, 'Error', () => true, 5000);
  await invoke(recorder, 'record');
  assert.equal((await error).type, 'RESOURCE_ERROR_OPEN');
  await pipeline.release();
});

test('a server that refuses the upload is an Error event', async () => {
  const page = await rivero.browser.openProbe();
  const pipeline = await rivero.client.create('MediaPipeline');
  const endpoint = await publish(page, pipeline, 'camera');
  const recorder = await recorderOf(pipeline, endpoint, `http://${origin}/refused`);
  const error = nextEvent(recorder, 'Error');
  await invoke(recorder, 'record');
  const { type, description } = await error;
  assert.equal(type, 'RESOURCE_ERROR_WRITE');
  assert.match(description, /403/);
  await pipeline.release();
});
