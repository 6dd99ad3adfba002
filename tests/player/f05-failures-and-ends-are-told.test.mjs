import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { connectClient, invoke } from '../lib/client.mjs';
import { fixtureDirectory, makeMedia, playerOf } from '../lib/fixtures.mjs';
import { COLOURS } from '../lib/media.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { nextEvent, until } from '../lib/wait.mjs';

const directory = fixtureDirectory();
let server, client, pipeline, file;
before(async () => {
  server = await startRivero({ moduleConfig: { 'kurento/UriEndpoint.conf.ini': `defaultPath=file://${directory}\n` } });
  client = await connectClient(server.url);
  pipeline = await client.create('MediaPipeline');
  file = await makeMedia(directory, 'short.webm', { colours: [COLOURS.red], seconds: 2, toneHz: 1000 });
});
after(async () => {
  client?.close();
  await server?.stop();
});

async function fails(uri, type) {
  const player = await playerOf(pipeline, uri);
  const error = nextEvent(player, 'Error');
  await invoke(player, 'play');
  assert.equal((await error).type, type, uri);
  await until(async () => (await invoke(player, 'getState')) === 'STOP', 'it stops');
  await player.release();
}

test('what cannot be opened is an invalid URI', async () => {
  await fails(`file://${directory}/missing.webm`, 'INVALID_URI');
  await fails('no-such-file', 'INVALID_URI');
  await fails('foo://bar/baz', 'INVALID_URI');
  await fails('rtsp://127.0.0.1:1/none', 'INVALID_URI');
  await fails('http://127.0.0.1:1/none', 'INVALID_URI');
});

test('what is no media is invalid media', async () => {
  writeFileSync(join(directory, 'text.webm'), 'To whom it may concern. '.repeat(2000));
  await fails(`file://${directory}/text.webm`, 'INVALID_MEDIA');
  writeFileSync(join(directory, 'empty.webm'), '');
  await fails(`file://${directory}/empty.webm`, 'INVALID_MEDIA');
});

test('a GIF that is cut off fails behind its pictures, one that is empty or too large at once', async () => {
  const whole = readFileSync(await makeMedia(directory, 'whole.gif', { colours: [COLOURS.red, COLOURS.blue], seconds: 0.2, codecs: [] }));
  const last = whole.lastIndexOf(Buffer.from([0x21, 0xf9, 0x04])); // the control extension of its last picture
  const large = Buffer.from(whole);
  large.fill(0xff, 6, 10); // its width and height
  const hostile = {
    'cut.gif': [whole.subarray(0, last + 4), 'STREAM_ERROR_DECODE'],
    'head.gif': [whole.subarray(0, 13), 'INVALID_MEDIA'],
    'large.gif': [large, 'INVALID_MEDIA'],
  };
  for (const [name, [bytes, type]] of Object.entries(hostile)) {
    writeFileSync(join(directory, name), bytes);
    await fails(`file://${directory}/${name}`, type);
  }
});

test('places of the system are refused', async () => {
  for (const uri of ['file:///etc/passwd', 'file:///proc/self/environ', 'http://169.254.169.254/latest']) {
    await assert.rejects(playerOf(pipeline, uri), { code: 40107 }, uri);
  }
});

test('before play nothing is known, and there is nowhere to seek', async () => {
  const player = await playerOf(pipeline, `file://${file}`);
  assert.equal(await invoke(player, 'getUri'), `file://${file}`);
  assert.equal(await invoke(player, 'getPosition'), 0);
  const { isSeekable, seekableInit, seekableEnd, duration } = await invoke(player, 'getVideoInfo');
  assert.deepEqual({ isSeekable, seekableInit, seekableEnd, duration }, { isSeekable: false, seekableInit: 0, seekableEnd: 0, duration: 0 });
  assert.match(await invoke(player, 'getElementGstreamerDot'), /^digraph pipeline \{/);
  await assert.rejects(invoke(player, 'setPosition', 100), { code: 40700 });
  await player.release();
});

test('it stops, then tells its end, and plays again', async () => {
  const player = await playerOf(pipeline, 'short.webm');
  const told = [];
  player.on('UriEndpointStateChanged', ({ state }) => told.push(state));
  player.on('EndOfStream', () => told.push('end'));
  for (let round = 0; round < 2; round++) {
    const end = nextEvent(player, 'EndOfStream');
    await invoke(player, 'play');
    await end;
  }
  assert.deepEqual(told, ['START', 'STOP', 'end', 'START', 'STOP', 'end']);
  assert.deepEqual(player.errors, []);
});

test('stopped before its end it tells none, and begins anew', async () => {
  const player = await playerOf(pipeline, 'short.webm');
  let ends = 0;
  player.on('EndOfStream', () => ends++);
  await invoke(player, 'play');
  await until(async () => (await invoke(player, 'getPosition')) > 300, 'it plays');
  await invoke(player, 'stop');
  await until(async () => (await invoke(player, 'getState')) === 'STOP', 'it stops');
  const other = await playerOf(pipeline, 'short.webm');
  const end = nextEvent(other, 'EndOfStream');
  await invoke(other, 'play');
  await end; // as long as the first one would have taken
  assert.equal(ends, 0);
  await invoke(player, 'play');
  assert.ok((await invoke(player, 'getPosition')) < 1500, 'from the beginning');
  await player.release();
});

test('players that come and go leave nothing', async () => {
  const cycle = async () => {
    const players = await Promise.all(Array.from({ length: 5 }, () => playerOf(pipeline, 'short.webm')));
    for (const player of players) await invoke(player, 'play');
    await until(async () => (await invoke(players.at(-1), 'getPosition')) > 100, 'the last one plays');
    for (const player of players) await player.release();
  };
  await cycle();
  await cycle();
  const before = server.usage();
  for (let round = 0; round < 8; round++) await cycle();
  await until(() => {
    const now = server.usage();
    assert.ok(now.threads <= before.threads + 4, `${now.threads} threads, ${before.threads} before`);
    assert.ok(now.descriptors <= before.descriptors + 4, `${now.descriptors} descriptors, ${before.descriptors} before`);
    assert.ok(now.rssKib <= before.rssKib + 40_000, `${now.rssKib} KiB, ${before.rssKib} before`);
    return true;
  }, 'everything is given back');
});
