// RtmpPlayer: a stream of nginx with its RTMP module is seen in a browser, also after the server was killed.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { viewerOf } from '../lib/fixtures.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, hearsTone, isConnected, seesColour } from '../lib/media.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { RtmpServer } from '../lib/rtmp-server.mjs';
import { until } from '../lib/wait.mjs';

const TONE_HZ = 800;

const nginx = new RtmpServer();
const children = [];
let page, rpc, mediaPipeline, viewer;
const rivero = live({ modules: ['rtmp', 'webrtc', 'codecs'] }, async ({ server, client, browser }) => {
  await nginx.start();
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
  await nginx.stop();
});

/** FFmpeg publishes a colour and a tone to the server. */
function feed(stream, colour, more = []) {
  const hex = Buffer.from(colour).toString('hex');
  const inputs = ['-f', 'lavfi', '-i', `color=0x${hex}:s=320x240:r=15`, '-f', 'lavfi', '-i', `sine=${TONE_HZ}:r=48000`];
  const codecs = ['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '15', '-pix_fmt', 'yuv420p', '-c:a', 'aac', ...more];
  const child = spawn('ffmpeg', ['-v', 'error', '-re', ...inputs, ...codecs, '-f', 'flv', nginx.url(stream)], { stdio: 'ignore' });
  children.push(child);
  return child;
}

test('a stream is seen and heard, and again once a killed server is back', async () => {
  const sender = feed('live', COLOURS.green, ['-bf', '0']);
  const player = await rpc.create('RtmpPlayer', { mediaPipeline, uri: nginx.url('live') });
  for (const type of ['Connected', 'Disconnected', 'Reconnecting']) await rpc.value('subscribe', { object: player, type });
  const events = (type) => rpc.events.filter((event) => event.object === player && event.type === type);
  await rpc.invoke(player, 'connect', { sink: viewer.id });
  await seesColour(page, 'viewer', COLOURS.green);
  await hearsTone(page, 'viewer', TONE_HZ);
  assert.equal(await rpc.invoke(player, 'getConnected'), true);
  const reception = async () => Object.values(await rpc.invoke(player, 'getStats')).find((entry) => entry.bytesReceived > 0);
  const { roundTripTime } = await until(async () => {
    const entry = await reception();
    return entry?.roundTripTime > 0 && entry;
  }, 'the round trip is measured');
  assert.ok(roundTripTime < 1);

  await nginx.kill();
  sender.kill('SIGKILL');
  await until(() => events('Disconnected').length > 0 && events('Reconnecting').length > 0, 'the loss is told');
  assert.ok(events('Disconnected')[0].data.reason);
  await nginx.start();
  // B-pictures this time, which are encoded anew for the same viewer.
  feed('live', COLOURS.blue, ['-preset', 'veryfast', '-bf', '2']);
  await until(() => events('Connected').length > 0, 'the connection is back');
  await seesColour(page, 'viewer', COLOURS.blue);
  await hearsTone(page, 'viewer', TONE_HZ);
  assert.equal((await reception()).reconnections, 1);
  await rpc.value('release', { object: player });
  assert.ok(rivero.server.running);
});

test('URIs that lead nowhere are refused', async () => {
  for (const uri of ['http://127.0.0.1/live/key', 'file:///tmp/key', 'rtmp://']) {
    await assert.rejects(rpc.create('RtmpPlayer', { mediaPipeline, uri }), ({ code }) => code >= 40_000, uri);
  }
});
