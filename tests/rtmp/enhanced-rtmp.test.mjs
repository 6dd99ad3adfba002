// Enhanced RTMP with FFmpeg 9 on both sides: HEVC, AV1, VP9 and Opus come in, are seen in a browser, and go out as they are.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { enhancedFfmpeg } from '../lib/enhanced-ffmpeg.mjs';
import { fixtureDirectory, viewerOf } from '../lib/fixtures.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, hearsTone, isConnected, seesColour } from '../lib/media.mjs';
import { conversions } from '../lib/metrics.mjs';
import { packets, probe } from '../lib/recording.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { freePort } from '../lib/rtmp-server.mjs';
import { until, within } from '../lib/wait.mjs';

const TONE_HZ = 800;
const INGEST = { 'rtmp/RtmpIngest.conf.ini': 'serverAddress=127.0.0.1\nserverPort=0\n' };
const OPUS = ['-c:a', 'libopus'];
const CODECS = {
  HEVC: ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=error:bframes=0', '-c:a', 'aac'],
  AV1: ['-c:v', 'libsvtav1', '-preset', '12', '-svtav1-params', 'lookahead=0:pred-struct=1', ...OPUS],
  VP9: ['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', '-lag-in-frames', '0', ...OPUS],
};

const directory = fixtureDirectory();
const children = [];
let ffmpeg, page, rpc, mediaPipeline, viewer;
const rivero = live({ modules: ['rtmp', 'webrtc', 'codecs'], moduleConfig: INGEST }, async ({ server, client, browser }) => {
  ffmpeg = enhancedFfmpeg();
  page = await browser.openProbe();
  const pipeline = await client.create('MediaPipeline');
  viewer = await viewerOf(pipeline, await Calls.on(page), 'viewer');
  await isConnected(page, 'viewer');
  mediaPipeline = pipeline.id;
  rpc = await connectRpc(server.url);
});
after(async () => {
  children.forEach((child) => child.kill('SIGKILL'));
  await rpc?.close();
});

function run(args) {
  const child = spawn(ffmpeg, ['-v', 'error', '-nostdin', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  children.push(child);
  child.said = '';
  child.stderr.on('data', (text) => (child.said += text));
  child.ended = new Promise((resolve) => child.once('exit', resolve));
  return child;
}

/** FFmpeg publishes a colour and a tone. */
function feed(uri, colour, codecs) {
  const hex = Buffer.from(colour).toString('hex');
  const inputs = ['-f', 'lavfi', '-i', `color=0x${hex}:s=320x240:r=15`, '-f', 'lavfi', '-i', `sine=${TONE_HZ}:r=48000`];
  return run(['-re', ...inputs, '-ac', '2', '-g', '15', '-pix_fmt', 'yuv420p', ...codecs, '-f', 'flv', uri]);
}

for (const [name, colour] of [['HEVC', COLOURS.red], ['AV1', COLOURS.green], ['VP9', COLOURS.blue]]) {
  test(`${name} is seen in a browser`, async () => {
    const ingest = await rpc.create('RtmpIngest', { mediaPipeline });
    await rpc.invoke(ingest, 'connect', { sink: viewer.id });
    const sender = feed(await rpc.invoke(ingest, 'getUri'), colour, CODECS[name]);
    await seesColour(page, 'viewer', colour).catch((error) => assert.fail(`${error.message} ${sender.said}`));
    await hearsTone(page, 'viewer', TONE_HZ);
    const decoded = Object.keys(await conversions(rivero.server)).filter((conversion) => conversion.endsWith('→ I420 Raw'));
    if (name === 'VP9') assert.deepEqual(decoded, [], 'VP9 is passed on as it is');
    sender.kill();
    await rpc.value('release', { object: ingest });
  });
}

test('a server that says that it takes VP9 and Opus gets them as they are', async () => {
  const [source, target] = [await rpc.create('RtmpIngest', { mediaPipeline }), await rpc.create('RtmpIngest', { mediaPipeline })];
  const publisher = await rpc.create('RtmpPublisher', { mediaPipeline, uri: await rpc.invoke(target, 'getUri') });
  await rpc.invoke(source, 'connect', { sink: publisher });
  await rpc.invoke(target, 'connect', { sink: viewer.id });
  const sender = feed(await rpc.invoke(source, 'getUri'), COLOURS.red, CODECS.VP9);
  await seesColour(page, 'viewer', COLOURS.red);
  await hearsTone(page, 'viewer', TONE_HZ);
  await until(async () => {
    const all = Object.keys(await conversions(rivero.server));
    return all.every((name) => !name.includes('Raw'));
  }, 'nothing is decoded or encoded');
  sender.kill();
  for (const object of [publisher, source, target]) await rpc.value('release', { object });
});

// FFmpeg says nothing of what it takes, and keeps to the encodings that come first.
test('with enhancedRtmp=always FFmpeg gets VP9 and Opus from the first frame on', async () => {
  const moduleConfig = { ...INGEST, 'rtmp/RtmpPublisher.conf.ini': 'enhancedRtmp=always\n' };
  const server = await startRivero({ modules: ['rtmp', 'codecs'], moduleConfig });
  const own = await connectRpc(server.url);
  try {
    const pipeline = await own.create('MediaPipeline');
    const source = await own.create('RtmpIngest', { mediaPipeline: pipeline });
    const sender = feed(await own.invoke(source, 'getUri'), COLOURS.red, CODECS.VP9);
    await until(() => own.invoke(source, 'getConnected'), 'FFmpeg publishes');
    for (let round = 0; round < 3; round += 1) {
      const uri = `rtmp://127.0.0.1:${await freePort()}/live/${round}`;
      const file = join(directory, `always.${round}.mkv`);
      const listener = run(['-y', '-listen', '1', '-i', uri, '-t', '2', '-c', 'copy', file]);
      const publisher = await own.create('RtmpPublisher', { mediaPipeline: pipeline, uri });
      await own.invoke(source, 'connect', { sink: publisher });
      assert.equal(await within(listener.ended, 'FFmpeg has two seconds'), 0, listener.said);
      const { video, audio } = await probe(file);
      assert.deepEqual([video?.codec_name, audio?.codec_name], ['vp9', 'opus'], listener.said);
      assert.ok((await packets(file, 'v')).length > 15 && (await packets(file, 'a')).length > 50);
      await own.value('release', { object: publisher });
    }
    assert.deepEqual(Object.keys(await conversions(server)), [], 'nothing is converted');
    sender.kill();
  } finally {
    await own.close();
    await server.stop();
  }
});
