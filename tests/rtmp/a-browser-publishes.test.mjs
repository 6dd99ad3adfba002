// RtmpPublisher of a browser's camera, to nginx with its RTMP module: what FFmpeg plays from there, also after the server was
// killed, and of ten publishers that share one encoder.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { SIDES, assertTogether } from '../lib/claps.mjs';
import { fixtureDirectory } from '../lib/fixtures.mjs';
import { live } from '../lib/live.mjs';
import { conversions } from '../lib/metrics.mjs';
import { publish, unpublish } from '../lib/publisher.mjs';
import { assertColour, colourAt, decodesWhole, packets, probe } from '../lib/recording.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { RtmpServer } from '../lib/rtmp-server.mjs';
import { until } from '../lib/wait.mjs';

const CLAPS = 4;
const PUBLISHERS = 10;
/** Seconds from one keyframe to the next at most, as services want it: the setting. */
const KEYFRAMES = 2;
/** Seconds by which one may be late where the machine was busy while it was asked for, beside a picture. */
const LATE = 0.5;
/** Seconds of a stream that are looked at: who comes just after a keyframe gets its first picture with the next. */
const CAPTURED = 2 * KEYFRAMES + 1;

const directory = fixtureDirectory();
const nginx = new RtmpServer();
let rpc, page;
const rivero = live({ modules: ['rtmp', 'webrtc', 'codecs'] }, async ({ server, browser }) => {
  await nginx.start();
  page = await browser.openProbe();
  rpc = await connectRpc(server.url);
});
after(async () => {
  await rpc?.close();
  await nginx.stop();
});

/** A camera that is published under each of the names; `publishers` by name. */
async function camera(t, video, names) {
  const pipeline = await rivero.client.create('MediaPipeline');
  const endpoint = await publish(page, pipeline, 'camera', { codecs: { video, audio: 'opus' }, source: SIDES[0] });
  const publishers = {};
  for (const name of names) {
    const publisher = await rpc.create('RtmpPublisher', { mediaPipeline: pipeline.id, uri: nginx.url(name) });
    for (const type of ['Connected', 'Disconnected']) await rpc.value('subscribe', { object: publisher, type });
    publishers[name] = publisher;
  }
  // Also where the test fails: the next one publishes under the same names.
  t.after(async () => {
    await pipeline.release();
    await unpublish(page, 'camera');
  });
  const begin = async () => {
    for (const publisher of Object.values(publishers)) await rpc.invoke(endpoint.id, 'connect', { sink: publisher });
  };
  return { publishers, begin };
}

const events = (publisher, type) => rpc.events.filter((event) => event.object === publisher && event.type === type);

async function statistics(publisher) {
  const stats = await rpc.invoke(publisher, 'getStats');
  return Object.values(stats).find((entry) => entry.bytesSent !== undefined);
}

/** Codecs, and stamps that never go back and begin together. */
async function assertStream(file) {
  const { video, audio } = await probe(file);
  assert.deepEqual([video?.codec_name, audio?.codec_name], ['h264', 'aac']);
  await decodesWhole(file);
  const [pictures, sounds] = [await packets(file, 'v'), await packets(file, 'a')];
  for (const times of [pictures, sounds].map((kind) => kind.map(({ time }) => time))) {
    assert.ok(times.length > 20 && times.every((time) => time >= 0), `${times}`);
    assert.ok(times.every((time, index) => index === 0 || time > times[index - 1]), `stamps go up: ${times}`);
  }
  const keyframes = pictures.filter(({ isKeyframe }) => isKeyframe).map(({ time }) => time);
  const gaps = [...keyframes, pictures.at(-1).time].map((time, index) => time - (keyframes[index - 1] ?? time));
  const picture = Math.max(...pictures.map(({ time }, index) => time - (pictures[index - 1]?.time ?? time)));
  console.log(`# keyframes ${gaps.map((gap) => gap.toFixed(2)).join(' ')} s apart, pictures at most ${picture.toFixed(2)} s`);
  assert.ok(Math.max(...gaps) <= KEYFRAMES + picture + LATE, `keyframes at ${keyframes}`);
}

for (const video of ['H264', 'VP8']) {
  test(`${video} and Opus are H264 and AAC at the server, with keyframes, together, and again after the server was killed`, async (t) => {
    const { publishers, begin } = await camera(t, video, ['camera']);
    const publisher = publishers.camera;
    const first = nginx.timeToPicture('camera');
    await begin();
    console.log(`# ${video}: a picture of the server after ${Math.round(await first)} ms`);
    console.log(`# ${video}: and after ${Math.round(await nginx.timeToPicture('camera'))} ms for whoever comes later`);
    const stop = await nginx.play('camera', join(directory, `${video}.flv`));
    await page.evaluate(
      async ([sides, claps]) => {
        for (let count = 1; count <= claps; count += 1) {
          await new Promise((resolve) => setTimeout(resolve, 700));
          const { colour, toneHz } = sides[count % 2];
          probe.clap('camera', colour, toneHz);
        }
        await new Promise((resolve) => setTimeout(resolve, 1000));
      },
      [SIDES, CLAPS],
    );
    const file = await stop();
    await assertStream(file);
    await assertTogether(file, CLAPS);
    const encoded = Object.keys(await conversions(rivero.server)).filter((name) => name.endsWith('→ H264 Frame'));
    assert.deepEqual(encoded, video === 'H264' ? ['H264 Rtp → H264 Frame'] : ['I420 Raw → H264 Frame']);

    await nginx.kill();
    await until(() => events(publisher, 'Disconnected').length > 0, 'the loss is told');
    await nginx.start();
    await until(() => events(publisher, 'Connected').length > 1, 'publishing goes on', 5000);
    await page.evaluate((colour) => probe.setColour('camera', colour), SIDES[1].colour);
    const again = await nginx.capture('camera', CAPTURED, join(directory, `${video}.again.flv`));
    await assertStream(again);
    assertColour(await colourAt(again, CAPTURED - 0.5), SIDES[1].colour, 'the picture');
    const { reconnections } = await statistics(publisher);
    assert.equal(reconnections, 1);
  });
}

test(`${PUBLISHERS} publishers of one camera share one encoder of pictures, and one of sound`, async (t) => {
  const names = Array.from({ length: PUBLISHERS }, (_, index) => `copy${index}`);
  const { publishers, begin } = await camera(t, 'VP8', names);
  await begin();
  const all = Object.values(publishers);
  const sends = async (publisher) => (await statistics(publisher)).bytesSent > 20_000;
  for (const publisher of all) await until(() => sends(publisher), 'each of them sends');
  assert.ok(all.every((publisher) => events(publisher, 'Connected').length === 1));
  const running = await conversions(rivero.server);
  assert.ok(Object.keys(running).some((name) => name === 'I420 Raw → H264 Frame'), JSON.stringify(running));
  assert.deepEqual([...new Set(Object.values(running))], [1], JSON.stringify(running));
  for (const name of [names[0], names.at(-1)]) await assertStream(await nginx.capture(name, CAPTURED, join(directory, `${name}.flv`)));
});
