// VideoSampler: pictures of a film reach a gRPC service at their times and in their colours, whatever becomes of the service.

import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { promisify } from 'node:util';

import { fixtureDirectory } from '../lib/fixtures.mjs';
import { startReceiver } from '../lib/image-receiver.mjs';
import { drawFilm, looking, pictureAt } from '../lib/vision.mjs';
import { until } from '../lib/wait.mjs';

const run = promisify(execFile);
const directory = fixtureDirectory();
const certificate = join(directory, 'certificate.pem');
const key = join(directory, 'key.pem');
execFileSync('openssl', [
  'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=images.rivero.test',
  '-addext', 'subjectAltName=IP:127.0.0.1', '-addext', 'basicConstraints=critical,CA:FALSE', '-out', certificate, '-keyout', key,
], { stdio: 'ignore' });

const parts = looking({
  moduleConfig: { 'kurento/UriEndpoint.conf.ini': 'allowedHosts=127.0.0.1' },
  env: { SSL_CERT_FILE: certificate },
});

const COLOURS = [[200, 30, 30], [30, 160, 40], [40, 50, 210]];
const SECONDS = 1.5;
const PERIOD = 200;
const SAMPLER = 'videosampler.VideoSampler';
const hex = (colour) => `0x${colour.map((value) => value.toString(16).padStart(2, '0')).join('')}`;
const isAbout = (seen, wanted) => seen.every((value, channel) => Math.abs(value - wanted[channel]) <= 12);

let receiver;
/** Two films: three colours one after the other, and one that lasts. */
let film, still;
before(async () => {
  receiver = await startReceiver();
  const parts = COLOURS.map((colour, index) => `color=c=${hex(colour)}:s=320x240:r=30:d=${SECONDS}[c${index}]`).join(';');
  film = await drawFilm(directory, 'colours', `${parts};[c0][c1][c2]concat=n=3,setsar=1`, { seconds: 3 * SECONDS });
  still = await drawFilm(directory, 'still', `color=c=${hex(COLOURS[0])}:s=64x48:r=20:d=120,setsar=1`, { seconds: 120 });
});

/** A pipeline in which a film waits to be played: `{pipeline, player, sampler(parameters), of(object, type)}`. */
async function arrange(file) {
  const { rpc } = parts;
  const pipeline = await rpc.create('MediaPipeline');
  const player = await rpc.create('PlayerEndpoint', { mediaPipeline: pipeline, uri: `file://${file}` });
  await rpc.value('subscribe', { object: player, type: 'EndOfStream' });
  const sampler = async (parameters, source = player) => {
    const made = await rpc.create(SAMPLER, { mediaPipeline: pipeline, framePeriod: PERIOD, imageDeliveryMethod: 'GRPC', endpointUrl: `127.0.0.1:${receiver.port}`, ...parameters });
    for (const type of ['SampleImageDelivered', 'Error']) await rpc.value('subscribe', { object: made, type });
    await rpc.invoke(source, 'connect', { sink: made });
    return made;
  };
  const of = (object, type) => rpc.events.filter((event) => event.object === object && event.type === type).map(({ data }) => data);
  const stats = async (object) => (await rpc.invoke(object, 'getStats'))[`${object}/sampling`];
  return { pipeline, player, sampler, of, stats };
}

/** Width, height and the colour in the middle of a PPM. */
function readPpm(data) {
  const [, width, height] = /^P6\n(\d+) (\d+)\n255\n/.exec(data.toString('latin1', 0, 40));
  const pixels = data.subarray(data.length - width * height * 3);
  const middle = ((height >> 1) * width + (width >> 1)) * 3;
  return { width: Number(width), height: Number(height), colour: [...pixels.subarray(middle, middle + 3)] };
}

/** The same of any file that FFmpeg reads. */
async function readImage(data, name) {
  const [file, copy] = [join(directory, name), join(directory, `${name}.ppm`)];
  writeFileSync(file, data);
  await run('ffmpeg', ['-v', 'error', '-nostdin', '-y', '-i', file, '-pix_fmt', 'rgb24', copy]);
  return readPpm(readFileSync(copy));
}

test('J10 pictures arrive at the asked rate and size, with the colours of their times, while all goes on', async () => {
  const { rpc } = parts;
  const { pipeline, player, sampler, of, stats } = await arrange(film);
  const exact = await sampler({ metadata: 'exact', imageEncoding: 'PPM', width: 160, height: 90 });
  const files = { PNG: 'a.png', JPEG: 'a.jpg', BMP: 'a.bmp', PBM: 'a.pbm' };
  for (const imageEncoding of Object.keys(files)) await sampler({ metadata: imageEncoding, imageEncoding, framePeriod: 60_000, height: 120 });
  const none = await sampler({ metadata: 'none', imageDeliveryMethod: 'NONE' }, exact);
  const recorded = join(directory, 'passed.webm');
  const recorder = await rpc.create('RecorderEndpoint', { mediaPipeline: pipeline, uri: `file://${recorded}`, mediaProfile: 'WEBM_VIDEO_ONLY' });
  await rpc.invoke(none, 'connect', { sink: recorder });
  await rpc.invoke(recorder, 'record');
  await rpc.invoke(player, 'play');
  await until(() => of(player, 'EndOfStream').length > 0, 'the film ends');
  await rpc.invoke(recorder, 'stopAndWait');
  const settled = async () => {
    const { picturesDelivered, picturesFailed, picturesDropped } = await stats(exact);
    return [picturesDelivered, picturesFailed, picturesDropped];
  };
  await until(async () => of(exact, 'SampleImageDelivered').length === (await settled()).reduce((sum, count) => sum + count), 'each picture has been told');
  const [delivered, failed, dropped] = await settled();
  assert.equal(failed, 0);
  // The film's frames decide which are due: what a busy machine left out is counted.
  const due = delivered + dropped;
  assert.ok(Math.abs(due - (3 * SECONDS * 1000) / PERIOD) <= 2, `${due} were due`);
  const images = receiver.of('exact');
  assert.equal(images.length, delivered);
  assert.ok(delivered > 0, `${delivered} of ${due} were delivered`);
  assert.equal(of(exact, 'SampleImageDelivered').filter((event) => event.delivered).length, delivered);
  const [first] = images;
  for (const image of images) {
    assert.deepEqual([image.codec, image.pipelineid, image.samplerid, image.tags], ['PPM', pipeline, exact, {}]);
    const { width, height, colour } = readPpm(image.data);
    assert.deepEqual([width, height], [160, 90]);
    // Seconds since the first one, in time and by its number: a frame's duration apart at most.
    const seconds = (image.unix_nanoseconds - first.unix_nanoseconds) / 1e9;
    const byNumber = ((image.sequence - first.sequence) * PERIOD) / 1000;
    assert.ok(Math.abs(seconds - byNumber) < 0.1, `number ${image.sequence} after ${seconds} s`);
    assert.ok(Math.abs(Date.parse(`${image.timestamp} UTC`) - image.unix_nanoseconds / 1e6) <= 1001, image.timestamp);
    const film = seconds + ((first.sequence - 1) * PERIOD) / 1000;
    if (Math.abs(film - Math.round(film / SECONDS) * SECONDS) < 0.15) continue;
    assert.ok(isAbout(colour, COLOURS[Math.floor(film / SECONDS)]), `${colour} at ${film} s`);
  }
  // A busy machine may need several turns to show all of the film.
  const seen = (index) => receiver.of('exact').some(({ data }) => isAbout(readPpm(data).colour, COLOURS[index]));
  for (let turn = 2; turn < 10 && !COLOURS.every((_, index) => seen(index)); turn += 1) {
    await rpc.invoke(player, 'play');
    await until(() => of(player, 'EndOfStream').length === turn, 'the film ends again');
  }
  assert.deepEqual(COLOURS.map((_, index) => seen(index)), [true, true, true]);
  for (const [encoding, name] of Object.entries(files)) {
    const image = await until(() => receiver.of(encoding)[0], `a picture in ${encoding} arrives`);
    assert.equal(image.codec, encoding);
    const { width, height, colour } = await readImage(image.data, name);
    assert.deepEqual([width, height], [320, 120], `${encoding}: the width is the film's`);
    if (encoding === 'PBM') assert.ok(colour.every((value) => [0, 255].includes(value)), `${colour}`);
    else assert.ok(isAbout(colour, COLOURS[0]), `${encoding}: ${colour}`);
  }
  assert.deepEqual([receiver.of('none'), of(none, 'SampleImageDelivered')], [[], []]);
  assert.ok(isAbout((await pictureAt(recorded, 1)).at(0.5, 0.5), COLOURS[0]), 'pictures pass as they are');
  await rpc.value('release', { object: pipeline });
});

test('a service that is killed is told once, and gets pictures again when it is back', async () => {
  const { rpc } = parts;
  const { pipeline, player, sampler, of, stats } = await arrange(still);
  const killed = await startReceiver();
  const made = await sampler({ imageEncoding: 'PPM', framePeriod: 100, endpointUrl: `dns:127.0.0.1:${killed.port}` });
  await rpc.invoke(player, 'play');
  await until(() => killed.images.length > 2, 'pictures arrive');
  assert.equal((await stats(made)).connected, true);
  killed.kill();
  await until(() => of(made, 'Error').length > 0, 'the failure is told');
  await until(async () => (await stats(made)).picturesDropped > 2, 'it is left alone for a while');
  const again = await startReceiver({ port: killed.port });
  await until(() => again.images.length > 2, 'pictures arrive again');
  assert.equal(of(made, 'Error').length, 1);
  const [{ type, description }] = of(made, 'Error');
  assert.equal(type, 'RESOURCE_ERROR_WRITE');
  assert.match(description, new RegExp(`http://127\\.0\\.0\\.1:${killed.port}`));
  assert.ok(of(made, 'SampleImageDelivered').some(({ delivered }) => !delivered));
  assert.match((await stats(made)).lastFailure, /127\.0\.0\.1/);
  await rpc.value('release', { object: pipeline });
});

test('a slow service gets the latest picture next, one that says no is told once, and pictures are counted', async () => {
  const { rpc } = parts;
  const { pipeline, player, sampler, of, stats } = await arrange(still);
  const slow = await startReceiver();
  const held = [];
  slow.answer = (image, reply) => held.push(reply);
  const made = await sampler({ imageEncoding: 'PPM', framePeriod: 50, endpointUrl: `http://127.0.0.1:${slow.port}/` });
  await rpc.invoke(player, 'play');
  await until(async () => (await stats(made)).picturesDropped >= 5, 'pictures are left out');
  assert.equal(slow.images.length, 1, 'one at a time');
  slow.answer = (image, reply) => reply({ code: 8, details: 'no room for more' });
  held.forEach((reply) => reply());
  await until(async () => (await stats(made)).picturesFailed >= 3, 'pictures are refused');
  assert.ok(slow.images[1].sequence >= 5, `the next one is number ${slow.images[1].sequence}`);
  slow.answer = (image, reply) => reply();
  await until(async () => (await stats(made)).picturesDelivered >= 3, 'pictures are taken again');
  assert.equal(of(made, 'Error').length, 1);
  assert.match(of(made, 'Error')[0].description, /ResourceExhausted: no room for more/);
  await rpc.value('release', { object: pipeline });
});

test('https is TLS, whose certificate has to be trusted', async () => {
  const { rpc } = parts;
  const { pipeline, player, sampler, of } = await arrange(still);
  const tls = { key: readFileSync(key), certificate: readFileSync(certificate) };
  const secure = await startReceiver({ tls });
  await sampler({ imageEncoding: 'PNG', endpointUrl: `https://127.0.0.1:${secure.port}` });
  const plain = await sampler({ endpointUrl: `127.0.0.1:${secure.port}` });
  await rpc.invoke(player, 'play');
  await until(() => secure.images.length > 1, 'pictures arrive');
  await until(() => of(plain, 'Error').length > 0, 'who speaks without TLS is told');
  assert.ok(secure.images.every(({ codec, data }) => codec === 'PNG' && data.toString('latin1', 1, 4) === 'PNG'));
  await rpc.value('release', { object: pipeline });
});

test('parameters that make no sense are refused, and so is what the policy does not allow', async () => {
  const { rpc } = parts;
  const mediaPipeline = await rpc.create('MediaPipeline');
  const good = { mediaPipeline, framePeriod: 100, imageDeliveryMethod: 'GRPC', endpointUrl: '127.0.0.1:50051' };
  const bad = {
    framePeriod: [0, -1], width: [-1, 4097], height: [-1, 4097], metadata: ['x'.repeat(65_537)],
    endpointUrl: ['', 'images', '127.0.0.1', '127.0.0.1:0', 'file:///etc/passwd', 'unix:/run/a', 'http://127.0.0.1:1/path', 'http://me:secret@127.0.0.1:1', '10.0.0.1:50051', 'http://images.example.org:50051', '169.254.169.254:80'],
  };
  for (const [name, values] of Object.entries(bad)) {
    for (const value of values) {
      await assert.rejects(rpc.create(SAMPLER, { ...good, [name]: value }), ({ code, message }) => code === 40107 && !message.includes('secret'), `${name} ${value}`);
    }
  }
  for (const parameters of [{ imageEncoding: 'GIF' }, { imageDeliveryMethod: 'FTP' }]) {
    await assert.rejects(rpc.create(SAMPLER, { ...good, ...parameters }), ({ code }) => code === 40001 || code === 40107);
  }
  await rpc.create(SAMPLER, good);
  await rpc.create(SAMPLER, { mediaPipeline, framePeriod: 100 });
  await rpc.value('release', { object: mediaPipeline });
});
