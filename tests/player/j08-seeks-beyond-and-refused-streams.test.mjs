import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { connectClient, invoke } from '../lib/client.mjs';
import { fixtureDirectory, makeMedia, playerOf } from '../lib/fixtures.mjs';
import { COLOURS } from '../lib/media.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { nextEvent, until, within } from '../lib/wait.mjs';

const directory = fixtureDirectory();
let server, client, pipeline, file, rtsp, origin;
before(async () => {
  server = await startRivero();
  client = await connectClient(server.url);
  pipeline = await client.create('MediaPipeline');
  file = await makeMedia(directory, 'a.mp4', { colours: [COLOURS.red], seconds: 30, toneHz: 1000 });
  const script = fileURLToPath(new URL('rtsp-server.py', import.meta.url));
  const launch = '( videotestsrc is-live=true ! x264enc tune=zerolatency ! rtph264pay name=pay0 pt=96 )';
  rtsp = spawn('/usr/bin/python3', [script, launch, 'me:right'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [port] = await within(once(rtsp.stdout, 'data'), 'the RTSP server listens');
  origin = `127.0.0.1:${Number(String(port))}`;
});
after(async () => {
  rtsp?.kill();
  client?.close();
  await server?.stop();
});

async function playing() {
  const player = await playerOf(pipeline, `file://${file}`);
  await invoke(player, 'play');
  await until(async () => (await invoke(player, 'getPosition')) > 300, 'it plays');
  return player;
}

test('a seek before the beginning goes to the beginning', async () => {
  const player = await playing();
  await invoke(player, 'setPosition', 10_000);
  await invoke(player, 'setPosition', -5000);
  assert.ok((await invoke(player, 'getPosition')) < 3000);
  assert.equal(await invoke(player, 'getState'), 'START');
  assert.deepEqual(player.errors, []);
  await player.release();
});

test('a seek beyond the end is the end', async () => {
  const player = await playing();
  const end = nextEvent(player, 'EndOfStream');
  await invoke(player, 'setPosition', 1_000_000_000);
  await end;
  assert.equal(await invoke(player, 'getState'), 'STOP');
  assert.deepEqual(player.errors, []);
  await player.release();
});

for (const [what, uri] of [
  ['a wrong password', () => `rtsp://me:wrong@${origin}/media`],
  ['no password', () => `rtsp://${origin}/media`],
  ['a stream that is not there', () => `rtsp://me:right@${origin}/none`],
]) {
  test(`RTSP with ${what} is an invalid URI`, async () => {
    const player = await playerOf(pipeline, uri());
    const error = nextEvent(player, 'Error');
    await invoke(player, 'play');
    assert.equal((await error).type, 'INVALID_URI');
    await until(async () => (await invoke(player, 'getState')) === 'STOP', 'it stops');
    await player.release();
  });
}
