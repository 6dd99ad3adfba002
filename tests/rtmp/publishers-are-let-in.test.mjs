// RtmpIngest: FFmpeg and a publisher that says what OBS says are seen in a browser, and nobody else gets in.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { fixtureDirectory, makeMedia, viewerOf } from '../lib/fixtures.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, hearsTone, isConnected, seesColour } from '../lib/media.mjs';
import { coloursInTurn, decodesWhole, packets, probe, recordingDirectory, soundsAt } from '../lib/recording.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { RtmpPublisher, isKeyframe, tagsOf } from '../lib/rtmp-publisher.mjs';
import { until, within } from '../lib/wait.mjs';

const TONE_HZ = 800;
const VIDEO = 9;
/** As OBS has it: B-pictures, and two seconds from one keyframe to the next. */
const OBS = ['-c:v', 'libx264', '-preset', 'veryfast', '-bf', '2', '-g', '30', '-pix_fmt', 'yuv420p', '-c:a', 'aac'];
const PLAIN = ['-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '0', '-g', '15', '-pix_fmt', 'yuv420p', '-c:a', 'aac'];

const directory = fixtureDirectory();
const recordings = recordingDirectory();
const children = [];
let page, rpc, mediaPipeline, viewer;
const rivero = live(
  { modules: ['rtmp', 'webrtc', 'codecs', 'recorder'], moduleConfig: { 'rtmp/RtmpIngest.conf.ini': 'serverAddress=127.0.0.1\nserverPort=0\n' } },
  async ({ server, client, browser }) => {
    page = await browser.openProbe();
    const pipeline = await client.create('MediaPipeline');
    viewer = await viewerOf(pipeline, await Calls.on(page), 'viewer');
    await isConnected(page, 'viewer');
    mediaPipeline = pipeline.id;
    rpc = await connectRpc(server.url);
  },
);
after(async () => {
  children.forEach((child) => child.kill());
  await rpc?.close();
});

/** An ingest that feeds the viewer, and where it is. */
async function ingest(parameters = {}) {
  const endpoint = await rpc.create('RtmpIngest', { mediaPipeline, ...parameters });
  for (const type of ['Connected', 'Disconnected']) await rpc.value('subscribe', { object: endpoint, type });
  await rpc.invoke(endpoint, 'connect', { sink: viewer.id });
  const uri = await rpc.invoke(endpoint, 'getUri');
  const { host, port, path } = /^rtmp:\/\/(?<host>[^:/]+):(?<port>\d+)\/(?<path>.+)$/.exec(uri).groups;
  return { endpoint, uri, server: { host, port: Number(port) }, key: path.split('/').at(-1) };
}

async function letIn(server, app, name) {
  const publisher = await RtmpPublisher.connect(server);
  return { publisher, code: await publisher.publish(app, name) };
}

/** The data of the latest event of a type, once there is one more than there are now. */
function nextEvent(endpoint, type) {
  const own = () => rpc.events.filter((event) => event.object === endpoint && event.type === type);
  const before = own().length;
  return until(() => own().length > before && own().at(-1).data, type);
}

async function statistics(endpoint) {
  const stats = await rpc.invoke(endpoint, 'getStats');
  return Object.values(stats).find((entry) => entry.bytesReceived !== undefined);
}

/** ms from now until the viewer's picture has a colour, looked at as often as it goes. */
async function timeUntil(colour) {
  const begin = performance.now();
  await within(
    page.evaluate(
      (wanted) =>
        new Promise((resolve) => {
          const look = () => (probe.colourAt('viewer')?.every((value, channel) => Math.abs(value - wanted[channel]) <= 45) ? resolve() : setTimeout(look, 10));
          look();
        }),
      colour,
    ),
    `the picture is ${colour}`,
  );
  return performance.now() - begin;
}

test('FFmpeg is seen and heard, with a key that was made for it', async () => {
  const { endpoint, uri, key } = await ingest();
  assert.match(key, /^[0-9a-f]{32}$/);
  const connected = nextEvent(endpoint, 'Connected');
  const hex = Buffer.from(COLOURS.green).toString('hex');
  const inputs = ['-f', 'lavfi', '-i', `color=0x${hex}:s=320x240:r=15`, '-f', 'lavfi', '-i', `sine=${TONE_HZ}:r=48000`];
  const child = spawn('ffmpeg', ['-v', 'error', '-re', ...inputs, ...OBS, '-f', 'flv', uri], { stdio: ['ignore', 'ignore', 'inherit'] });
  children.push(child);
  await connected;
  await seesColour(page, 'viewer', COLOURS.green);
  await hearsTone(page, 'viewer', TONE_HZ);
  const { connected: is, bytesReceived, roundTripTime, framesDropped } = await until(async () => {
    const entry = await statistics(endpoint);
    return entry.roundTripTime > 0 && entry.bytesReceived > 10_000 && entry;
  }, 'the round trip is measured, and bytes are counted');
  assert.ok(is && bytesReceived > 10_000 && roundTripTime < 1 && framesDropped === 0, `${bytesReceived} bytes, ${roundTripTime} s, ${framesDropped} dropped`);
  const disconnected = nextEvent(endpoint, 'Disconnected');
  child.kill('SIGTERM');
  assert.ok((await disconnected).reason);
  assert.equal(await rpc.invoke(endpoint, 'getConnected'), false);
  await rpc.value('release', { object: endpoint });
});

for (const [what, codecs, most] of [
  ['pictures in their order', PLAIN, 500],
  ['B-pictures, which are encoded anew', OBS, 500],
]) {
  test(`a publisher like OBS is seen at once: ${what}`, async () => {
    const colours = [COLOURS.red, COLOURS.blue];
    const file = await makeMedia(directory, `${codecs[3]}.flv`, { colours, seconds: 3, toneHz: TONE_HZ, codecs });
    const tags = tagsOf(file);
    const { server, endpoint } = await ingest({ streamKey: codecs[3] });
    const { publisher, code } = await letIn(server, 'live', codecs[3]);
    assert.equal(code, 'Start');
    let first, blue;
    const told = (tag) => {
      if (isKeyframe(tag)) first ??= performance.now();
      if (tag.type === VIDEO && tag.time >= 3000) blue ??= performance.now();
    };
    publisher.play(tags, { told });
    await timeUntil(COLOURS.red);
    const begin = performance.now() - first;
    assert.ok(begin < 1000, `a picture ${begin} ms after the first keyframe`);
    await timeUntil(COLOURS.blue);
    const delay = performance.now() - blue;
    assert.ok(delay < most, `another picture ${delay} ms after it was sent`);
    console.log(`# ${what}: the first after ${Math.round(begin)} ms, a change after ${Math.round(delay)} ms`);
    await hearsTone(page, 'viewer', TONE_HZ);
    publisher.close();
    await rpc.value('release', { object: endpoint });
  });
}

// Field report 36.
test('a wrong key is refused, a living publisher keeps its place, and a silent one yields', async () => {
  const media = { colours: [COLOURS.red], seconds: 3, toneHz: TONE_HZ, codecs: PLAIN };
  const [red, blue] = await Promise.all([
    makeMedia(directory, 'red.flv', media).then(tagsOf),
    makeMedia(directory, 'blue.flv', { ...media, colours: [COLOURS.blue] }).then(tagsOf),
  ]);
  const { server, endpoint } = await ingest({ application: 'studio/one', streamKey: 'secret' });
  for (const [app, name] of [['studio/one', 'wrong'], ['studio', 'secret'], ['live', ''], ['studio/one/secret', 'more']]) {
    const { publisher, code } = await letIn(server, app, name);
    assert.equal(code, 'BadName', `${app} ${name}`);
    await until(() => publisher.isClosed, 'the server closes the connection');
  }
  // Field report 35: all of it in the field for the server.
  const first = await letIn(server, 'studio/one/secret', '');
  assert.equal(first.code, 'Start');
  first.publisher.play(red);
  await seesColour(page, 'viewer', COLOURS.red);
  const second = await letIn(server, 'studio/one', 'secret');
  assert.equal(second.code, 'BadName');
  await until(() => second.publisher.isClosed, 'the server closes the connection');
  // The network goes, and nobody says so.
  const disconnected = nextEvent(endpoint, 'Disconnected');
  first.publisher.silence();
  const began = performance.now();
  const third = await letIn(server, 'studio/one', 'secret?token=a/b');
  const waited = performance.now() - began;
  assert.equal(third.code, 'Start');
  assert.ok(waited > 3500 && waited < 7000, `let in after ${waited} ms`);
  assert.match((await disconnected).reason, /silent/);
  await until(() => first.publisher.isClosed, 'the silent one is closed');
  // Whoever was watching goes on, though time begins elsewhere.
  let isBehindTheEnd = false;
  third.publisher.play(blue, { firstTime: 0xffff_fc00, told: ({ time }) => (isBehindTheEnd = time > 2500) });
  await seesColour(page, 'viewer', COLOURS.blue);
  await hearsTone(page, 'viewer', TONE_HZ);
  assert.equal((await statistics(endpoint)).reconnections, 1);
  // Behind the end of 32 bits, too.
  await until(() => isBehindTheEnd, 'stamps begin anew');
  await hearsTone(page, 'viewer', TONE_HZ);
  third.publisher.close();
  const other = await letIn(server, 'studio/one', 'secret');
  assert.equal(other.code, 'Start', 'at once, where the connection was closed');
  await rpc.value('release', { object: endpoint });
  await until(() => other.publisher.isClosed, 'the publisher of a released ingest is closed');
});

test('a recorder and a viewer go on when a publisher comes back, with another size and from another beginning', async () => {
  const media = { seconds: 3, toneHz: TONE_HZ, codecs: PLAIN };
  const [red, blue] = await Promise.all([
    makeMedia(directory, 'first.flv', { ...media, colours: [COLOURS.red] }).then(tagsOf),
    makeMedia(directory, 'second.flv', { ...media, colours: [COLOURS.blue], size: '480x360' }).then(tagsOf),
  ]);
  const { server, endpoint } = await ingest({ streamKey: 'returns' });
  const file = join(recordings, 'returns.mp4');
  const recorder = await rpc.create('RecorderEndpoint', { mediaPipeline, uri: `file://${file}`, mediaProfile: 'MP4' });
  await rpc.value('subscribe', { object: recorder, type: 'Error' });
  await rpc.invoke(endpoint, 'connect', { sink: recorder });
  await rpc.invoke(recorder, 'record');
  const recorded = async () => Object.values(await rpc.invoke(recorder, 'getStats')).find((entry) => entry.recordingState)?.recordedMillis ?? 0;
  const begun = await letIn(server, 'live', 'returns');
  begun.publisher.play(red, { firstTime: 70_000 });
  await seesColour(page, 'viewer', COLOURS.red);
  await until(async () => (await recorded()) > 2000, 'it is recorded');
  begun.publisher.close();
  await until(async () => !(await rpc.invoke(endpoint, 'getConnected')), 'the publisher has gone');
  const before = await recorded();
  const back = await letIn(server, 'live', 'returns');
  assert.equal(back.code, 'Start');
  back.publisher.play(blue);
  await seesColour(page, 'viewer', COLOURS.blue);
  await hearsTone(page, 'viewer', TONE_HZ);
  await until(async () => (await recorded()) > before + 2000, 'the recording goes on');
  await rpc.invoke(recorder, 'stopAndWait');
  back.publisher.close();
  assert.deepEqual(rpc.events.filter((event) => event.object === recorder), []);
  await decodesWhole(file);
  assert.deepEqual(await coloursInTurn(file), ['red', 'blue']);
  const [pictures, duration] = [await packets(file, 'v'), (await probe(file)).duration];
  const last = Math.max(...pictures.map(({ time }) => time));
  assert.ok(last > 3.5 && duration < 60, `pictures until ${last} s of ${duration} s`);
  for (const from of [0.7, last - 1.2]) await soundsAt(file, TONE_HZ, from, from + 0.6);
  for (const object of [recorder, endpoint]) await rpc.value('release', { object });
});

test('a second ingest of one key is refused, and a connection that says nothing is closed', async () => {
  const { server, endpoint } = await ingest({ streamKey: 'same' });
  await assert.rejects(rpc.create('RtmpIngest', { mediaPipeline, streamKey: '/same/' }), ({ message }) => /another RtmpIngest/.test(message));
  await assert.rejects(rpc.create('RtmpIngest', { mediaPipeline, streamKey: 'a?b' }), ({ message }) => /question mark/.test(message));
  const socket = connect(server.port, server.host);
  await once(socket, 'connect');
  const began = performance.now();
  await within(once(socket.resume(), 'close'), 'the connection is closed');
  const waited = performance.now() - began;
  assert.ok(waited > 4500 && waited < 8000, `closed after ${waited} ms`);
  const many = Array.from({ length: 101 }, () => connect(server.port, server.host).on('error', () => {}));
  await until(() => many.some((socket) => socket.resume().closed || socket.destroyed), 'one of 101 is closed', 4000);
  assert.ok(many.filter((socket) => !socket.destroyed && !socket.closed).length >= 99, 'the others stay');
  many.forEach((socket) => socket.destroy());
  await rpc.value('release', { object: endpoint });
  assert.ok(rivero.server.running && !rivero.server.log.includes('secret'), 'no key is in the log');
});
