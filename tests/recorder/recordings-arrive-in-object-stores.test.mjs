// Recordings to s3 URIs arrive, whatever happens to the network, the store, its credentials and the server.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { BUCKET, KEYS, startObjectStore } from '../lib/object-store.mjs';
import { startProxy } from '../lib/proxy.mjs';
import { decodesWhole, movieOf, recordingDirectory } from '../lib/recording.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { until } from '../lib/wait.mjs';

const run = promisify(execFile);
/** Bytes of a part of an upload. */
const PART = 8 << 20;
/** What a server writes about an upload besides the media. */
const LITTLE = 200_000;
const directory = recordingDirectory();
const film = join(directory, 'film.mp4');
let store, path;

before(async () => {
  // Noise, which nothing makes small: a part of an upload in less than two seconds.
  const noise = ['-f', 'lavfi', '-i', 'color=gray:s=640x480:r=20:d=8,noise=alls=100:allf=t+u'];
  const codec = ['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-qp', '8', '-g', '10', '-pix_fmt', 'yuv420p'];
  const made = run('ffmpeg', ['-v', 'error', '-nostdin', ...noise, ...codec, film]);
  [store] = await Promise.all([startObjectStore(), made]);
  path = await startProxy(store.port);
});
after(async () => {
  await path?.close();
  await store?.kill();
});

/** The data directory of a server, which outlasts it. */
const data = (name) => join(directory, name);

/** The recordings that wait in the spool of a server. */
function spooled(name) {
  const spool = join(data(name), 'upload-spool');
  return existsSync(spool) ? readdirSync(spool, { recursive: true }).filter((file) => file.endsWith('.media')) : [];
}

/** A server that reaches the store through `path`, with a connection to it. */
async function startServer(context, name, { secret = KEYS.secret, settings = '', uris = '' } = {}) {
  const recorder = `s3Endpoint=http://127.0.0.1:${path.port}\ns3AccessKeyId=${KEYS.id}\ns3SecretAccessKey=${secret}\n${settings}`;
  const moduleConfig = { 'kurento/RecorderEndpoint.conf.ini': recorder, 'kurento/UriEndpoint.conf.ini': uris };
  const server = await startRivero({ modules: ['recorder', 'player', 'codecs'], args: ['--data-path', data(name)], moduleConfig });
  context.after(() => server.stop());
  return { server, rpc: await connectRpc(server.url) };
}

async function kill(server) {
  process.kill(server.pid, 'SIGKILL');
  await server.exit;
}

/** Records the film to an object; resolves when so many bytes of it are written. */
async function record(rpc, key, { mediaProfile = 'MP4_VIDEO_ONLY', bytes = 1, bucket = BUCKET } = {}) {
  const mediaPipeline = await rpc.create('MediaPipeline');
  const player = await rpc.create('PlayerEndpoint', { mediaPipeline, uri: `file://${film}`, useEncodedMedia: true });
  const recorder = await rpc.create('RecorderEndpoint', { mediaPipeline, uri: `s3://${bucket}/${key}`, mediaProfile });
  for (const type of ['Uploading', 'Uploaded', 'UploadFailed', 'Error']) await rpc.value('subscribe', { object: recorder, type });
  await rpc.invoke(player, 'connect', { sink: recorder });
  await rpc.invoke(recorder, 'record');
  await rpc.invoke(player, 'play');
  const written = async () => Object.values(await rpc.invoke(recorder, 'getStats')).some((entry) => entry.bytesWritten > bytes);
  await until(written, `${bytes} bytes of ${key} are written`);
  return recorder;
}

const eventsOf = (rpc, recorder, type) => rpc.events.filter((event) => event.object === recorder && (!type || event.type === type)).map((event) => event.data);
/** The first event of a type, or the one that `matches`. */
const raised = (rpc, recorder, type, matches = () => true) => until(() => eventsOf(rpc, recorder, type).find(matches), `${type} is raised`);

/** Waits for an object, and checks that it is a recording that plays; resolves to its file. */
async function arrives(key, type = 'video/mp4') {
  const file = join(directory, key.replaceAll('/', '-'));
  const object = await until(async () => {
    const found = await store.fetch(key, file);
    return found.bytes !== null && found;
  }, `${key} is in the store`);
  assert.equal(object.type, type);
  assert.ok((await decodesWhole(file)) > 5, `${key} plays`);
  return { file, bytes: object.bytes };
}

test('a recording is in the store when Uploaded says so, with its index', async (context) => {
  const { server, rpc } = await startServer(context, 'first');
  const recorder = await record(rpc, 'a%20day/film.mp4', { bytes: PART });
  await rpc.invoke(recorder, 'stopAndWait');
  const { uri, bytes } = await raised(rpc, recorder, 'Uploaded');
  assert.equal(uri, 's3://calls/a%20day/film.mp4');
  assert.ok(bytes > PART, 'it has several parts');
  const found = await arrives('a day/film.mp4');
  assert.equal(found.bytes, bytes);
  assert.equal((await movieOf(found.file)).isFragmented, false, 'it is an ordinary MP4');
  const types = rpc.events.filter((event) => event.object === recorder).map(({ type }) => type);
  assert.deepEqual(types, ['Uploading', 'Uploaded']);
  await until(() => spooled('first').length === 0, 'the spool is empty');
  assert.equal(await store.uploads(), 0);
  await until(() => !existsSync(join(data('first'), 'resume', 'RecorderEndpoint')), 'nothing is left to go on with');
  assert.ok(!server.log.includes(KEYS.secret));
});

test('files of split recordings arrive one after the other', async (context) => {
  const { server, rpc } = await startServer(context, 'split', { settings: 'splitDuration=1\n' });
  const recorder = await record(rpc, 'parts/film.mkv', { mediaProfile: 'KURENTO_SPLIT_RECORDER' });
  await raised(rpc, recorder, 'Uploaded', ({ uri }) => uri === 's3://calls/parts/film-00001.mkv');
  await arrives('parts/film-00000.mkv', 'video/x-matroska');
  await arrives('parts/film-00001.mkv', 'video/x-matroska');
  // What is under way when the server is told to end arrives before it does, where the store lets it.
  await server.stop();
  assert.deepEqual(spooled('split'), []);
});

test('a server that is killed while parts are sent goes on with the others', async (context) => {
  const first = await startServer(context, 'parts');
  const recorder = await record(first.rpc, 'parts.mp4', { bytes: PART });
  path.failAfter(PART + LITTLE);
  await first.rpc.invoke(recorder, 'stopAndWait');
  const { reason, attempt, retryDelay, uri } = await raised(first.rpc, recorder, 'UploadFailed');
  assert.deepEqual([uri, attempt], ['s3://calls/parts.mp4', 1]);
  assert.ok(retryDelay > 0 && reason.length > 0);
  await kill(first.server);
  assert.equal(spooled('parts').length, 1);

  path.leadTo(store.port);
  const before = path.bytes;
  // Nobody asks it to record anything.
  const { server } = await startServer(context, 'parts');
  const { bytes } = await arrives('parts.mp4');
  assert.ok(path.bytes - before < bytes - PART + LITTLE, 'the part that the store has is not sent again');
  await until(() => spooled('parts').length === 0, 'the spool is empty');
  assert.equal(await store.uploads(), 0);
});

test('a store that is killed while parts are sent gets all of them when it comes back', async (context) => {
  const { server, rpc } = await startServer(context, 'store');
  const recorder = await record(rpc, 'store.mp4', { bytes: PART });
  path.failAfter(PART + LITTLE);
  await rpc.invoke(recorder, 'stopAndWait');
  await raised(rpc, recorder, 'UploadFailed');
  const { port } = store;
  await store.kill();
  path.leadTo(port);
  await raised(rpc, recorder, 'UploadFailed', ({ attempt }) => attempt > 1);
  store = await startObjectStore(port);
  await raised(rpc, recorder, 'Uploaded');
  await arrives('store.mp4');
  assert.equal(await store.uploads(), 0);
});

test('what is refused, and what is being recorded when the server is killed, arrives with the right credentials', async (context) => {
  const first = await startServer(context, 'credentials', { secret: 'mistaken' });
  const refused = await record(first.rpc, 'refused.webm', { mediaProfile: 'MKV_VIDEO_ONLY' });
  await first.rpc.invoke(refused, 'stopAndWait');
  const { reason } = await raised(first.rpc, refused, 'UploadFailed');
  assert.match(reason, /403.*SignatureDoesNotMatch/);
  await record(first.rpc, 'killed.mp4', { bytes: PART / 4 });
  await kill(first.server);
  assert.equal(spooled('credentials').length, 2);
  assert.ok(!first.server.log.includes('mistaken'));

  const { server } = await startServer(context, 'credentials');
  await Promise.all([arrives('refused.webm', 'video/x-matroska'), arrives('killed.mp4')]);
  await until(() => spooled('credentials').length === 0, 'the spool is empty');
});

test('buckets that are not there, a full spool and URIs that mean nothing are told of', async (context) => {
  const { server, rpc } = await startServer(context, 'refusals', { settings: 'spoolSize=16\n' });
  const nowhere = await record(rpc, 'a.mp4', { bucket: 'nowhere' });
  await rpc.invoke(nowhere, 'stopAndWait');
  const { reason } = await raised(rpc, nowhere, 'UploadFailed');
  assert.match(reason, /404.*NoSuchBucket/);
  assert.equal(spooled('refusals').length, 1);

  // What fits is complete, and arrives.
  const large = await record(rpc, 'large.mp4');
  const { type, description } = await raised(rpc, large, 'Error');
  assert.equal(type, 'RESOURCE_ERROR_NO_SPACE_LEFT');
  assert.match(description, /spoolSize/);
  await raised(rpc, large, 'Uploaded');
  await arrives('large.mp4');

  const mediaPipeline = await rpc.create('MediaPipeline');
  for (const uri of ['s3://calls', 's3://id:hidden@calls/a', 's3://calls/a?b']) {
    const error = await rpc.create('RecorderEndpoint', { mediaPipeline, uri }).catch((error) => error);
    assert.equal(error.code, 40107, uri);
    assert.ok(!JSON.stringify(error).includes('hidden'));
  }
});

test("the policy of URIs holds for buckets and for the store's host", async (context) => {
  const create = async (rpc) => rpc.create('RecorderEndpoint', { mediaPipeline: await rpc.create('MediaPipeline'), uri: 's3://calls/a' });
  for (const [uris, named] of [['allowedHosts=calls\n', /"127\.0\.0\.1".*allowedHosts/], ['allowedHosts=127.0.0.1\n', /"calls".*allowedHosts/]]) {
    const { server, rpc } = await startServer(context, 'policy', { uris });
    const error = await create(rpc).catch((error) => error);
    assert.equal(error.code, 40107);
    assert.match(error.message, named);
    await server.stop();
  }
});
