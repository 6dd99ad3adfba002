// SIGTERM while much is recorded: every file is complete, whatever else hangs, and every client is told.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { fixtureDirectory, makeMedia } from '../lib/fixtures.mjs';
import { recordingDirectory } from '../lib/recording.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { hangingStore } from '../lib/uploads.mjs';
import { until, within } from '../lib/wait.mjs';

const RUNNING = 50;
const JUST_BEGUN = 10;
const UPLOADS = 5;
const AT_MOST_MS = 20_000;
const GOING_AWAY = 1001;
const GOING_DOWN = 40009;
/** Cues, the index of Matroska. */
const INDEX = Buffer.from([0x1c, 0x53, 0xbb, 0x6b]);

const directory = recordingDirectory();
const media = fixtureDirectory();
const source = makeMedia(media, 'a.mkv', { toneHz: 1000, seconds: 60 });

/** A server with sound that flows from a player, and two clients. */
async function playing() {
  const server = await startRivero({ modules: ['player', 'recorder', 'codecs'] });
  const [rpc, other] = [await connectRpc(server.url), await connectRpc(server.url)];
  const mediaPipeline = await rpc.create('MediaPipeline');
  const player = await rpc.create('PlayerEndpoint', { mediaPipeline, uri: `file://${await source}`, useEncodedMedia: true });
  await rpc.invoke(player, 'play');
  /** Begins to record the player; resolves when the client has been told that it is so. */
  const record = async (client, uri) => {
    const recorder = await client.create('RecorderEndpoint', { mediaPipeline, uri, mediaProfile: 'WEBM_AUDIO_ONLY' });
    await client.invoke(player, 'connect', { sink: recorder });
    await client.invoke(recorder, 'record');
    return recorder;
  };
  const hasRecorded = (recorder, milliseconds) =>
    until(async () => Object.values(await rpc.invoke(recorder, 'getStats'))[0]?.recordedMillis >= milliseconds, 'it is recorded');
  return { server, rpc, other, record, hasRecorded };
}

/** Goes on recording, one file after the other, until that fails; resolves to the files and the error. */
async function goOn(record, file) {
  for (const files = []; ; files.push(file(files.length))) {
    try {
      await record(file(files.length));
    } catch (error) {
      return { files, error };
    }
  }
}

test('every file plays and has its index, and every client gets a close frame', async (context) => {
  const { server, rpc, other, record, hasRecorded } = await playing();
  const store = await hangingStore(context);
  const idle = await connectRpc(server.url);
  const named = (name, count) => Array.from({ length: count }, (_, index) => join(directory, `${name}-${index}.webm`));
  const [running, begun] = [named('running', RUNNING), named('begun', JUST_BEGUN)];

  const uploads = await Promise.all(Array.from({ length: UPLOADS }, (_, index) => record(rpc, `${store}/${index}`)));
  const recorders = await Promise.all(running.map((file) => record(rpc, `file://${file}`)));
  await Promise.all([...uploads, ...recorders].map((recorder) => hasRecorded(recorder, 300)));
  const going = goOn(
    (file) => record(other, `file://${file}`),
    (number) => join(directory, `going-${number}.webm`),
  );
  await Promise.all(begun.map((file) => record(rpc, `file://${file}`)));

  const killed = performance.now();
  process.kill(server.pid, 'SIGTERM');
  const { files, error } = await going;
  assert.equal(error.code, GOING_DOWN, error.message);
  assert.deepEqual(await within(server.exit, 'the process ends', AT_MOST_MS), { code: 0, signal: null });
  assert.ok(performance.now() - killed < AT_MOST_MS);
  for (const client of [rpc, other, idle]) assert.equal((await client.closed).code, GOING_AWAY);
  await server.stop();

  assert.ok(files.length > 0, 'the other client has recorded');
  const all = [...running, ...begun, ...files];
  for (const file of all) assert.ok(readFileSync(file).includes(INDEX), `${file} has an index`);
  await decode(all);
});

test('a second SIGTERM ends the process at once', async (context) => {
  const { server, rpc, record, hasRecorded } = await playing();
  await hasRecorded(await record(rpc, `${await hangingStore(context)}/`), 100);
  process.kill(server.pid, 'SIGTERM');
  await until(async () => (await rpc.request('create', { type: 'MediaPipeline' })).error?.code === GOING_DOWN, 'it is ending');
  process.kill(server.pid, 'SIGTERM');
  assert.deepEqual(await within(server.exit, 'the process ends', 2_000), { code: 1, signal: null });
  await server.stop();
});

/** Decodes all files by one process; fails when one of them has no sound, or there is something to complain of. */
async function decode(files) {
  const inputs = files.flatMap((file) => ['-i', file]);
  const maps = files.flatMap((_, index) => ['-map', `${index}:a`]);
  const { stderr } = await promisify(execFile)('ffmpeg', ['-v', 'error', '-nostdin', ...inputs, ...maps, '-f', 'null', '-']);
  assert.equal(stderr, '');
}
