// J08: what is pushed into an HttpPostEndpoint is seen and heard, and ends.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { fixtureDirectory, makeMedia, viewerOf } from '../lib/fixtures.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, hearsTone, isConnected, seesColour } from '../lib/media.mjs';
import { formWith, post, uploadEndpointOf, uploadsAt } from '../lib/uploads.mjs';
import { nextEvent, within } from '../lib/wait.mjs';

// Neighbours differ in colour and tone, so that each has to come through by itself.
// FFmpeg writes the index of mp4, mov and 3gp behind the media.
const CONTAINERS = ['webm', 'mp4', 'mkv', 'mov', 'avi', 'ogv', '3gp', 'ts'];
const LOOKS = [
  ['red', 600],
  ['green', 1000],
  ['blue', 1400],
];

const directory = fixtureDirectory();
let page, pipeline, viewer;
const rivero = live({ moduleConfig: uploadsAt() }, async ({ client, browser }) => {
  page = await browser.openProbe();
  pipeline = await client.create('MediaPipeline');
  viewer = await viewerOf(pipeline, await Calls.on(page), 'viewer');
  await isConnected(page, 'viewer');
});

/** The bytes of a file of a look. */
async function media(name, [colour, toneHz], options = {}) {
  return readFileSync(await makeMedia(directory, name, { colours: colour ? [COLOURS[colour]] : [], seconds: 4, toneHz, ...options }));
}

/** Uploads with `send(url)` and waits until it was seen, heard and over. */
async function reaches(send, [colour, toneHz], settings = {}) {
  const endpoint = await uploadEndpointOf(pipeline, settings);
  const end = nextEvent(endpoint, 'EndOfStream');
  await invoke(endpoint, 'connect', viewer);
  const sent = send(endpoint.url);
  await Promise.all([toneHz && hearsTone(page, 'viewer', toneHz), colour && seesColour(page, 'viewer', COLOURS[colour])]);
  await end;
  assert.equal((await within(sent, 'the answer')).status, 200);
  assert.deepEqual(endpoint.errors, []);
  await endpoint.release();
  assert.ok(rivero.server.running);
}

for (const [index, ending] of CONTAINERS.entries()) {
  const look = LOOKS[index % LOOKS.length];
  test(`${ending} as it is`, async () => {
    const bytes = await media(`a.${ending}`, look);
    await reaches((url) => post(url, bytes, { 'Content-Type': 'application/octet-stream' }), look);
  });
}

for (const [index, ending] of ['mp3', 'wav', 'flac', 'ogg', 'm4a'].entries()) {
  const look = [null, LOOKS[index % LOOKS.length][1]];
  test(`only sound: ${ending}`, async () => {
    const bytes = await media(`b.${ending}`, look);
    await reaches((url) => post(url, bytes, { 'Content-Type': 'audio/x-anything' }), look);
  });
}

test('only pictures', async () => {
  const bytes = await media('c.webm', ['green', null]);
  await reaches((url) => post(url, bytes), ['green', null]);
});

test('a file in a form', async () => {
  const bytes = await media('d.webm', LOOKS[2]);
  await reaches((url) => post(url, formWith(bytes)), LOOKS[2]);
});

test('a form with an mp4 whose index is at its end', async () => {
  const bytes = await media('d.mp4', LOOKS[0]);
  await reaches((url) => post(url, formWith(bytes, 'a.mp4')), LOOKS[0]);
});

test('chunks of any size', async () => {
  const bytes = await media('e.mkv', LOOKS[1]);
  async function* pieces() {
    for (let at = 0, size = 1; at < bytes.length; at += size, size = (size * 7) % 20_011) yield bytes.subarray(at, at + size);
  }
  await reaches((url) => post(url, pieces()), LOOKS[1]);
});

test('a page of another origin uploads with fetch and with a form', async () => {
  const uploader = await rivero.browser.openProbe();
  for (const [asForm, look] of [[false, LOOKS[0]], [true, LOOKS[1]]]) {
    const bytes = (await media(`f${asForm}.webm`, look)).toString('base64');
    const upload = async ([url, base64, form]) => {
      const blob = new Blob([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], { type: 'video/webm' });
      const body = form ? new FormData() : blob;
      if (form) body.append('file', blob, 'film.webm');
      const response = await fetch(url, { method: 'POST', body });
      return { status: response.status, text: await response.text() };
    };
    await reaches((url) => uploader.evaluate(upload, [url, bytes, asForm]), look);
  }
  assert.deepEqual(uploader.troubles, []);
  await uploader.close();
});
