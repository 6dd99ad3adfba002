import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { fixtureDirectory, makeMedia } from '../lib/fixtures.mjs';
import { COLOURS } from '../lib/media.mjs';
import { assertColour, colourAt, decodesWhole, packets, probe, soundsAt } from '../lib/recording.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { RtmpServer } from '../lib/rtmp-server.mjs';
import { until } from '../lib/wait.mjs';

const TONE_HZ = 1000;
/** What players pass on as it is, with pictures in another order than they are shown. */
const H264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '2', '-pix_fmt', 'yuv420p', '-c:a', 'aac'];

const directory = fixtureDirectory();
const nginx = new RtmpServer();
let server, rpc, pipeline;
before(async () => {
  await nginx.start();
  server = await startRivero({ modules: ['codecs', 'player', 'rtmp'] });
  rpc = await connectRpc(server.url);
  pipeline = await rpc.create('MediaPipeline');
});
after(async () => {
  await rpc?.close();
  await server?.stop();
  await nginx.stop();
});

/** A player that plays into a publisher: `{publisher, event}`; `event(type)` is the next of that type. */
async function publish(file, stream, { useEncodedMedia = false, silentAudio = false } = {}) {
  const player = await rpc.create('PlayerEndpoint', { mediaPipeline: pipeline, uri: `file://${file}`, useEncodedMedia });
  const publisher = await rpc.create('RtmpPublisher', { mediaPipeline: pipeline, uri: nginx.url(stream), silentAudio });
  for (const type of ['Connected', 'Disconnected', 'Reconnecting', 'Error']) {
    await rpc.value('subscribe', { object: publisher, type });
  }
  await rpc.invoke(player, 'connect', { sink: publisher });
  await rpc.invoke(player, 'play');
  let from = rpc.events.length;
  const event = async (type, timeoutMs) => {
    const index = await until(() => {
      const at = rpc.events.findIndex((event, at) => at >= from && event.object === publisher && event.type === type);
      return at >= 0 && at + 1;
    }, `${stream}: ${type}`, timeoutMs);
    from = index;
    return rpc.events[index - 1].data;
  };
  from = 0;
  await event('Connected');
  return { player, publisher, event };
}

async function figures(publisher) {
  const stats = await rpc.invoke(publisher, 'getStats');
  return Object.values(stats).find((entry) => entry.bytesSent !== undefined);
}

/** Codecs, stamps and content of what was played from the server. */
async function assertPlays(file, colour) {
  const { video, audio } = await probe(file);
  assert.deepEqual([video?.codec_name, audio?.codec_name], ['h264', 'aac']);
  await decodesWhole(file);
  for (const stream of ['v', 'a']) {
    const times = (await packets(file, stream)).map(({ time }) => time);
    assert.ok(times.length > 10 && times.every((time) => time >= 0), `${stream}: ${times}`);
    if (stream === 'a') assert.deepEqual(times, times.toSorted((a, b) => a - b));
  }
  if (colour) assertColour(await colourAt(file, 3), colour, 'the picture');
  await soundsAt(file, TONE_HZ, 0.7, 1.7);
}

test('H264 and AAC go as they are, and publishing goes on 5 s after a server was killed and started again', async () => {
  const source = await makeMedia(directory, 'h264.mp4', { colours: [COLOURS.red], seconds: 40, toneHz: TONE_HZ, codecs: H264 });
  const { player, publisher, event } = await publish(source, 'as-it-is', { useEncodedMedia: true });
  await assertPlays(await nginx.capture('as-it-is', 4, join(directory, 'first.flv')), COLOURS.red);
  await nginx.kill();
  assert.ok((await event('Disconnected')).reason);
  assert.equal(await rpc.invoke(publisher, 'getConnected'), false);
  assert.equal((await event('Reconnecting')).attempt, 1);
  await nginx.start();
  await event('Connected', 5000);
  await assertPlays(await nginx.capture('as-it-is', 4, join(directory, 'second.flv')), COLOURS.red);
  const { connected, reconnections, bytesSent, bitrate, framesDropped } = await figures(publisher);
  assert.deepEqual({ connected, reconnections, framesDropped }, { connected: true, reconnections: 1, framesDropped: 0 });
  assert.ok(bytesSent > 20_000 && bitrate > 10_000, `${bytesSent} bytes, ${bitrate} bit/s`);
  await rpc.value('release', { object: player });
  await rpc.value('release', { object: publisher });
});

test('anything else is converted, and a picture alone gets silence where that is asked for', async () => {
  const media = { colours: [COLOURS.blue], seconds: 20, size: '160x120' };
  const [both, picture] = await Promise.all([
    makeMedia(directory, 'both.webm', { ...media, toneHz: TONE_HZ }),
    makeMedia(directory, 'picture.webm', { ...media, codecs: ['-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '16'] }),
  ]);
  await publish(both, 'converted');
  await assertPlays(await nginx.capture('converted', 5, join(directory, 'converted.flv')), COLOURS.blue);
  await publish(picture, 'silent', { silentAudio: true });
  const file = await nginx.capture('silent', 4, join(directory, 'silent.flv'));
  const { video, audio } = await probe(file);
  assert.deepEqual([video?.codec_name, audio?.codec_name, audio?.sample_rate], ['h264', 'aac', '48000']);
  await decodesWhole(file);
  assert.ok((await packets(file, 'a')).length > 100);
  const keyframes = (await packets(file, 'v')).filter(({ isKeyframe }) => isKeyframe);
  assert.ok(keyframes.length >= 1);
});

test('URIs that lead nowhere are refused', async () => {
  for (const uri of ['http://127.0.0.1/live/key', 'file:///tmp/key', 'rtmp://']) {
    await assert.rejects(rpc.create('RtmpPublisher', { mediaPipeline: pipeline, uri }), ({ code }) => code >= 40_000, uri);
  }
});
