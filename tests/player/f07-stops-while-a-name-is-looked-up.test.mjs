// Where the server of names does not answer, a player of a stream still heeds stop and release.

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { connectClient, invoke } from '../lib/client.mjs';
import { fixtureDirectory, playerOf } from '../lib/fixtures.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { nextEvent, until } from '../lib/wait.mjs';

/** A lookup takes so long. */
const PATIENCE_S = 30;

const directory = fixtureDirectory();
const names = createSocket('udp4');
let server, client, pipeline;
let asked = 0;
before(async () => {
  names.on('message', () => asked++).bind(53, '127.0.0.1');
  await once(names, 'listening');
  const resolver = join(directory, 'resolv.conf');
  writeFileSync(resolver, `nameserver 127.0.0.1\noptions timeout:${PATIENCE_S} attempts:1\n`);
  const script = `mount --bind ${resolver} /etc/resolv.conf && exec "$@"`;
  server = await startRivero({ wrap: (command) => ['unshare', '--mount', 'sh', '-c', script, 'sh', ...command] });
  client = await connectClient(server.url);
  pipeline = await client.create('MediaPipeline');
});
after(async () => {
  client?.close();
  await server?.stop();
  names.close();
});

test('stopped while its name is looked up it is free at once, and may begin again', async () => {
  const player = await playerOf(pipeline, 'rtsp://camera.test:554/a');
  await invoke(player, 'play');
  await until(() => asked > 0, 'the name is asked for');
  const began = performance.now();
  await invoke(player, 'stop');
  // Answered by what looks names up, if that is what drives the player.
  await assert.rejects(invoke(player, 'setPosition', 0), { code: 40700 });
  await invoke(player, 'play');
  await player.release();
  const lasted = performance.now() - began;
  assert.ok(lasted < 8000, `it lasted ${lasted.toFixed(0)} ms`);
  assert.deepEqual(player.errors, []);
});

test('a name that is in the file of hosts is looked up without it', async () => {
  const player = await playerOf(pipeline, 'rtsp://localhost:1/a');
  const error = nextEvent(player, 'Error');
  await invoke(player, 'play');
  assert.equal((await error).type, 'INVALID_URI');
  await player.release();
});
