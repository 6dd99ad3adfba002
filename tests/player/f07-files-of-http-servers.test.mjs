import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { fixtureDirectory, makeMedia, playerOf, playInto, viewerOf } from '../lib/fixtures.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, hearsTone, isConnected, seesColour } from '../lib/media.mjs';
import { sendParts, sendWhole, serve } from '../lib/media-server.mjs';
import { nextEvent, until } from '../lib/wait.mjs';

const directory = fixtureDirectory();
let page, calls, pipeline, viewer, mp4, long, webm, jpeg, away, store;
live({}, async ({ client, browser }) => {
  page = await browser.openProbe();
  calls = await Calls.on(page);
  pipeline = await client.create('MediaPipeline');
  viewer = await viewerOf(pipeline, calls, 'viewer');
  await isConnected(page, 'viewer');
  // The index of this one is at its end.
  mp4 = await makeMedia(directory, 'a.mp4', { colours: [COLOURS.green, COLOURS.blue], seconds: 4, toneHz: 600 });
  // More than 10 MB of samples before the index.
  long = await makeMedia(directory, 'long.mov', { colours: [COLOURS.red], seconds: 70, rate: 1, toneHz: 1000 });
  webm = await makeMedia(directory, 'a.webm', { colours: [COLOURS.red], seconds: 4, toneHz: 1000 });
  const red = 'color=c=0xc82828:s=320x240:r=1:d=1';
  jpeg = execFileSync('ffmpeg', ['-v', 'error', '-nostdin', '-f', 'lavfi', '-i', red, '-frames:v', '1', '-f', 'mjpeg', '-']);
  away = await serve((request, response) => sendParts(request, response, mp4));
  store = await serve(answer);
});
after(() => [away, store].forEach((server) => server?.close()));

function moved(response, location, status = 302) {
  response.writeHead(status, { location }).end();
}

function answer(request, response) {
  const { pathname } = new URL(request.url, 'http://x');
  switch (pathname) {
    case '/parts':
      return sendParts(request, response, mp4);
    case '/chunked':
      return sendWhole(request, response, webm);
    case '/whole':
      return sendWhole(request, response, webm, { length: true });
    case '/long':
      return sendParts(request, response, long);
    case '/long/whole':
      return sendWhole(request, response, long, { length: true });
    case '/long/chunked':
      return sendWhole(request, response, long);
    case '/breaking':
      return sendParts(request, response, mp4, 40_000);
    case '/moved':
      return moved(response, 'further/still?a=b c'.replace(' ', '%20'), 301);
    case '/further/still':
      return moved(response, `${away.origin}/there`, 307);
    case '/circle':
      return moved(response, '/circle');
    case '/metadata':
      return moved(response, 'http://169.254.169.254/latest');
    case '/number':
      return moved(response, 'http://2852039166/latest', 308);
    case '/file':
      return moved(response, 'file:///etc/hostname');
    case '/empty':
      return response.writeHead(200).end();
    case '/secret': {
      const allowed = request.headers.authorization === `Basic ${Buffer.from('me:p@ss').toString('base64')}`;
      return allowed ? sendParts(request, response, mp4) : response.writeHead(401).end();
    }
    default:
      return odd(request, response, pathname.split('/'));
  }
}

/** Servers that players have to get along with: `/odd/what/…`. */
function odd(request, response, [, first, what, detail]) {
  const file = readFileSync(webm);
  if (first !== 'odd') return response.writeHead(404).end();
  switch (what) {
    case 'refuses':
      if (!request.headers.range) return sendWhole(request, response, webm, { length: true });
      return detail === 'closes' ? request.socket.destroy() : response.writeHead(Number(detail)).end();
    case 'packs':
      return response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(file));
    case 'promises':
      response.writeHead(200, { 'content-length': statSync(webm).size + 1000 });
      return response.write(file, () => request.socket.end());
    case 'radio':
      return request.socket.end(Buffer.concat([Buffer.from('ICY 200 OK\r\nicy-name : x\r\nno colon\r\n\r\n'), file]));
    case 'pictures': {
      const [end, boundary] = detail === 'lf' ? ['\n', '----x'] : ['\r\n', '--x'];
      response.writeHead(200, { 'content-type': 'multipart/x-mixed-replace;boundary="x"' });
      const timer = setInterval(() => {
        response.write(`${boundary}${end}Content-Type: image/jpeg${end}${end}`);
        response.write(jpeg);
      }, 100);
      return request.on('close', () => clearInterval(timer));
    }
    default:
      return response.writeHead(404).end();
  }
}

for (const [name, path, colour, toneHz, isSeekable] of [
  ['a server that knows ranges', '/parts', 'green', 600, true],
  ['a server that sends in chunks, without a length', '/chunked', 'red', 1000, false],
  ['a server that knows no ranges', '/whole', 'red', 1000, false],
  ['a server whose connections break', '/breaking', 'green', 600, true],
  ['another server that it was moved to, by way of a third URL', '/moved', 'green', 600, true],
]) {
  test(`a file is played from ${name}`, async () => {
    const player = await playerOf(pipeline, `${store.origin}${path}`);
    const end = nextEvent(player, 'EndOfStream');
    await playInto(player, viewer);
    await Promise.all([hearsTone(page, 'viewer', toneHz), seesColour(page, 'viewer', COLOURS[colour])]);
    assert.equal((await invoke(player, 'getVideoInfo')).isSeekable, isSeekable);
    await end;
    assert.deepEqual(player.errors, []);
    await player.release();
  });
}

test('servers that refuse ranges, pack, promise too much, or are radios or cameras are played', async () => {
  const refusals = ['400', '403', '406', '501', 'closes'].map((status) => `refuses/${status}`);
  const servers = [...refusals, 'packs', 'promises', 'radio', 'pictures/lf', 'pictures/crlf'];
  await Promise.all(
    servers.map(async (name) => {
      const own = await viewerOf(pipeline, calls, name);
      await isConnected(page, name);
      const player = await playerOf(pipeline, `${store.origin}/odd/${name}`);
      await playInto(player, own);
      await seesColour(page, name, COLOURS.red);
      assert.equal((await invoke(player, 'getVideoInfo')).isSeekable, false, name);
      assert.deepEqual(player.errors, [], name);
      await player.release();
    }),
  );
});

test('an index behind 13 MB is found where the server knows ranges, and else the error says what it lacks', async () => {
  assert.ok(statSync(long).size > 13e6);
  const player = await playerOf(pipeline, `${store.origin}/long`);
  await playInto(player, viewer);
  await Promise.all([hearsTone(page, 'viewer', 1000), seesColour(page, 'viewer', COLOURS.red)]);
  await player.release();
  for (const path of ['/long/whole', '/long/chunked']) {
    const refused = await playerOf(pipeline, `${store.origin}${path}`);
    const error = nextEvent(refused, 'Error');
    await invoke(refused, 'play');
    const { type, description } = await error;
    assert.equal(type, 'INVALID_MEDIA');
    assert.match(description, /parts of it \(ranges\)/);
    await refused.release();
  }
});

test('it can be sought in, and paused', async () => {
  const player = await playerOf(pipeline, `${store.origin}/parts`);
  await playInto(player, viewer);
  await seesColour(page, 'viewer', COLOURS.green);
  const { duration } = await invoke(player, 'getVideoInfo');
  assert.ok(Math.abs(duration - 8000) < 200, `${duration} ms`);
  for (const [position, colour] of [[5000, 'blue'], [500, 'green'], [6000, 'blue']]) {
    await invoke(player, 'setPosition', position);
    await seesColour(page, 'viewer', COLOURS[colour]);
  }
  await invoke(player, 'pause');
  const place = await invoke(player, 'getPosition');
  const end = nextEvent(player, 'EndOfStream');
  await invoke(player, 'play');
  await until(async () => (await invoke(player, 'getPosition')) > place, 'it goes on');
  await end;
  assert.deepEqual(player.errors, []);
  await player.release();
});

test('user and password of the URI are the server’s to check', async () => {
  const player = await playerOf(pipeline, `${store.origin.replace('://', '://me:p%40ss@')}/secret`);
  await playInto(player, viewer);
  await seesColour(page, 'viewer', COLOURS.green);
  await player.release();
});

for (const path of ['/none', '/secret', '/circle', '/metadata', '/number', '/file']) {
  test(`${path} is an invalid URI`, async () => {
    const player = await playerOf(pipeline, `${store.origin}${path}`);
    const error = nextEvent(player, 'Error');
    await invoke(player, 'play');
    const { type, description } = await error;
    assert.equal(type, 'INVALID_URI', description);
    await until(async () => (await invoke(player, 'getState')) === 'STOP', 'it stops');
    await player.release();
  });
}

test('nothing is invalid media', async () => {
  const player = await playerOf(pipeline, `${store.origin}/empty`);
  const error = nextEvent(player, 'Error');
  await invoke(player, 'play');
  assert.equal((await error).type, 'INVALID_MEDIA');
  await player.release();
});

test('stopped and released while a server does not answer, it ends at once', async () => {
  const silent = await serve(() => {});
  const player = await playerOf(pipeline, `${silent.origin}/a.mp4`);
  await invoke(player, 'play');
  await until(() => silent.requests.length > 0, 'it asks');
  const began = performance.now();
  await invoke(player, 'stop');
  await until(async () => (await invoke(player, 'getState')) === 'STOP', 'it stops');
  await invoke(player, 'play');
  await player.release();
  assert.ok(performance.now() - began < 4000);
  silent.close();
});
