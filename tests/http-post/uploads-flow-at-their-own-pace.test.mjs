// Media flows in real time: who sends faster waits, who sends slower is waited for.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';

import { connectClient, invoke } from '../lib/client.mjs';
import { fixtureDirectory, makeMedia } from '../lib/fixtures.mjs';
import { COLOURS } from '../lib/media.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { beginPost, post, takerOf, uploadEndpointOf, uploadsAt } from '../lib/uploads.mjs';
import { nextEvent, within } from '../lib/wait.mjs';

const SECONDS = 4;
const directory = fixtureDirectory();
let server, client, pipeline, film;
before(async () => {
  server = await startRivero({ moduleConfig: uploadsAt() });
  client = await connectClient(server.url);
  pipeline = await client.create('MediaPipeline');
  film = readFileSync(await makeMedia(directory, 'a.webm', { colours: [COLOURS.red], seconds: SECONDS, toneHz: 1000 }));
});
after(async () => {
  client?.close();
  await server?.stop();
});

test('an upload that comes at once lasts as long as its media', async () => {
  const endpoint = await uploadEndpointOf(pipeline);
  const begin = performance.now();
  const { status } = await post(endpoint.url, film);
  const seconds = (performance.now() - begin) / 1000;
  assert.equal(status, 200);
  assert.ok(seconds > SECONDS - 0.3 && seconds < SECONDS + 6, `${seconds} s`);
  await endpoint.release();
});

test('a large upload waits for its media', async () => {
  const path = `${directory}/large.avi`;
  const noise = ['-f', 'lavfi', '-i', 'testsrc2=s=640x480:r=25:d=10,noise=alls=60:allf=t'];
  execFileSync('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...noise, '-c:v', 'mjpeg', '-q:v', '2', path]);
  const large = readFileSync(path);
  const endpoint = await uploadEndpointOf(pipeline, { useEncodedMedia: true });
  const sink = await takerOf(pipeline);
  await invoke(endpoint, 'connect', sink);
  const flows = nextEvent(endpoint, 'MediaFlowOutStateChanged', ({ state }) => state === 'FLOWING');
  const upload = beginPost(endpoint.url);
  let sent = 0;
  const sending = (async () => {
    for (; sent < large.length; sent += 65_536) await upload.write(large.subarray(sent, sent + 65_536));
  })();
  await flows;
  assert.ok(sent < large.length / 2, `${sent} of ${large.length} bytes are taken while the first picture is shown`);
  await endpoint.release();
  assert.equal(await within(upload.answered, 'the answer'), 410);
  upload.abort();
  await sending.catch(() => {});
});

test('whoever uploads to the last endpoint is told of its release, however much is still to come', async () => {
  for (let round = 0; round < 5; round += 1) {
    const endpoint = await uploadEndpointOf(pipeline);
    const started = nextEvent(endpoint, 'MediaSessionStarted');
    const { hostname, port, pathname } = new URL(await invoke(endpoint, 'getUrl')); // the subscription is there
    const socket = connect(port, hostname);
    let answer = '';
    socket.setEncoding('utf8').pause();
    socket.on('data', (text) => (answer += text));
    const closed = new Promise((resolve, reject) => socket.once('close', resolve).once('error', reject));
    const length = 64 << 20;
    socket.write(`POST ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\nContent-Length: ${length}\r\n\r\n`);
    socket.write(film.subarray(0, film.length / 2));
    await started;
    // Nobody reads before everything is sent.
    const sent = new Promise((resolve) => socket.write(Buffer.alloc(length - Math.floor(film.length / 2)), resolve));
    await endpoint.release();
    await within(Promise.race([sent, closed]), 'everything is sent');
    socket.resume();
    await within(closed, 'the connection ends');
    assert.match(answer, /^HTTP\/1.1 410 /);
  }
});

test('a pause of the client is a pause of the media', async () => {
  const endpoint = await uploadEndpointOf(pipeline);
  const sink = await takerOf(pipeline);
  await invoke(endpoint, 'connect', sink);
  const flow = [];
  endpoint.on('MediaFlowOutStateChanged', ({ state, mediaType }) => mediaType === 'VIDEO' && flow.push(state));
  const states = (state) => nextEvent(endpoint, 'MediaFlowOutStateChanged', (event) => event.state === state && event.mediaType === 'VIDEO');
  const [flows, stands] = [states('FLOWING'), states('NOT_FLOWING')];
  const upload = beginPost(endpoint.url);
  await upload.write(film.subarray(0, film.length / 2));
  await flows;
  await stands; // two seconds without a picture
  const again = states('FLOWING');
  await upload.write(film.subarray(film.length / 2));
  assert.equal(await upload.end(), 200);
  await again;
  assert.deepEqual(endpoint.errors, []);
  assert.deepEqual(flow.slice(0, 3), ['FLOWING', 'NOT_FLOWING', 'FLOWING']);
  await endpoint.release();
});
