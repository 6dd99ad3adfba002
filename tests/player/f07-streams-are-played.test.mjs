import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { fixtureDirectory, makeMedia, playerOf, playInto, viewerOf } from '../lib/fixtures.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, hearsTone, isConnected, seesColour } from '../lib/media.mjs';
import { nextEvent, within } from '../lib/wait.mjs';

const directory = fixtureDirectory();
const ends = [];
let page, pipeline, viewer, file;
live({}, async ({ client, browser }) => {
  page = await browser.openProbe();
  pipeline = await client.create('MediaPipeline');
  viewer = await viewerOf(pipeline, await Calls.on(page), 'viewer');
  await isConnected(page, 'viewer');
  file = await makeMedia(directory, 'a.mp4', { colours: [COLOURS.green], seconds: 6, toneHz: 600 });
});
after(() => ends.forEach((end) => end()));

/** Serves `file` at /media, with ranges, and a way there at /moved; resolves to the origin. */
async function serveFile() {
  const server = createServer((request, response) => {
    if (request.url === '/moved') return response.writeHead(302, { location: '/media' }).end();
    if (request.url === '/away') return response.writeHead(302, { location: 'http://169.254.169.254/latest' }).end();
    if (request.url !== '/media') return response.writeHead(404).end();
    const { size } = statSync(file);
    const [, from, to] = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? '') ?? [];
    const start = Number(from ?? 0);
    const end = to ? Number(to) : size - 1;
    const range = from ? { 'content-range': `bytes ${start}-${end}/${size}` } : {};
    response.writeHead(from ? 206 : 200, { 'content-type': 'video/mp4', 'accept-ranges': 'bytes', 'content-length': end - start + 1, ...range });
    createReadStream(file, { start, end }).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => (server.close(), server.closeAllConnections()));
  return `http://127.0.0.1:${server.address().port}`;
}

/** Serves a pipeline by RTSP; resolves to `127.0.0.1:port`. */
async function serveRtsp(launch, ...credentials) {
  const script = fileURLToPath(new URL('rtsp-server.py', import.meta.url));
  const child = spawn('/usr/bin/python3', [script, launch, ...credentials], { stdio: ['pipe', 'pipe', 'inherit'] });
  ends.push(() => child.kill());
  const [port] = await within(once(child.stdout, 'data'), 'the RTSP server listens');
  return `127.0.0.1:${Number(String(port))}`;
}

const rtspMedia = (pattern, toneHz) =>
  `( videotestsrc is-live=true pattern=${pattern} ! video/x-raw,width=320,height=240,framerate=15/1 ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! rtph264pay name=pay0 pt=96 ` +
  `audiotestsrc is-live=true freq=${toneHz} ! alawenc ! rtppcmapay name=pay1 pt=8 )`;

test('a file comes by HTTP; where it was moved to is not gone to', async () => {
  const origin = await serveFile();
  const player = await playerOf(pipeline, `${origin}/media`);
  const end = nextEvent(player, 'EndOfStream');
  await playInto(player, viewer);
  await Promise.all([hearsTone(page, 'viewer', 600), seesColour(page, 'viewer', COLOURS.green)]);
  assert.equal((await invoke(player, 'getVideoInfo')).isSeekable, true);
  await end;
  assert.deepEqual(player.errors, []);
  await player.release();
  for (const path of ['/none', '/moved', '/away']) {
    const lost = await playerOf(pipeline, `${origin}${path}`);
    const error = nextEvent(lost, 'Error');
    await invoke(lost, 'play');
    assert.equal((await error).type, 'INVALID_URI', path);
    await lost.release();
  }
});

for (const [name, scheme, settings, pattern, colour, toneHz] of [
  ['over UDP', 'rtsp', {}, 'blue', [0, 0, 255], 1400],
  ['over TCP, as it is', 'rtspt', { useEncodedMedia: true }, 'red', [255, 0, 0], 1000],
]) {
  test(`RTSP ${name}`, async () => {
    const server = await serveRtsp(rtspMedia(pattern, toneHz), 'me:p@ss');
    const player = await playerOf(pipeline, `${scheme}://me:p%40ss@${server}/media`, { networkCache: 200, ...settings });
    await playInto(player, viewer);
    await Promise.all([hearsTone(page, 'viewer', toneHz), seesColour(page, 'viewer', colour)]);
    const { isSeekable } = await invoke(player, 'getVideoInfo');
    assert.equal(isSeekable, false);
    await assert.rejects(invoke(player, 'setPosition', 1000), { code: 40700 });
    await invoke(player, 'stop');
    assert.deepEqual(player.errors, []);
    await player.release();
  });
}
