// Two browsers talk over WebRTC, and their composite goes to nginx with its RTMP module: both are at their places and heard, each
// with its picture, and both at the same time.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';

import { changesOfColour, changesOfTone } from '../lib/changes.mjs';
import { invoke } from '../lib/client.mjs';
import { fixtureDirectory } from '../lib/fixtures.mjs';
import { portOf } from '../lib/hubs.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS } from '../lib/media.mjs';
import { publish } from '../lib/publisher.mjs';
import { colours, decodesWhole, probe as probeFile, sound } from '../lib/recording.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { RtmpServer } from '../lib/rtmp-server.mjs';

const run = promisify(execFile);
const { red, green, blue } = COLOURS;
/** What each shows and says in turn. Where they are: the middle of the left half of the picture, and of the right one. */
const HOSTS = {
  left: { at: 1 / 8, sides: [{ colour: red, toneHz: 600 }, { colour: green, toneHz: 1000 }] },
  right: { at: 5 / 8, sides: [{ colour: blue, toneHz: 1800 }, { colour: red, toneHz: 2600 }] },
};
const CLAPS = 12;
const CLAP_MS = 1000;
/** Claps of the first seconds, before the senders' reports say what belongs together. */
const UNSETTLED = 4;
/** ms: between picture and sound of one host, beyond what is the same in all claps; and between the hosts. */
const SYNC_MS = 40;
const APART_MS = 100;

const directory = fixtureDirectory();
const nginx = new RtmpServer();
let page, rpc;
const rivero = live({}, async ({ server, browser }) => {
  await nginx.start();
  page = await browser.openProbe();
  rpc = await connectRpc(server.url);
});
after(async () => {
  await rpc?.close();
  await nginx.stop();
});

/** When a host's picture and sound changed in a file, seconds. */
async function changesOf(file, name) {
  const { at, sides } = HOSTS[name];
  const part = join(directory, `${name}.mkv`);
  const crop = `crop=iw/4:ih/4:iw*${at}:ih*3/8`;
  await run('ffmpeg', ['-v', 'error', '-nostdin', '-y', '-i', file, '-vf', crop, '-an', '-c:v', 'libx264', '-preset', 'ultrafast', '-fps_mode', 'passthrough', part]);
  return { seen: changesOfColour(await colours(part), sides), heard: changesOfTone(await sound(file), sides) };
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const offsets = (ones, others) => ones.map((time, index) => Math.round((time - others[index]) * 1000));

test('co-hosting: two peers in a composite that is published, in sync', async () => {
  const pipeline = await rivero.client.create('MediaPipeline');
  const composite = await pipeline.create('Composite', { width: 640, height: 360, framerate: 30 });
  for (const [name, { sides }] of Object.entries(HOSTS)) {
    const endpoint = await publish(page, pipeline, name, { source: sides[0] });
    const port = await portOf(composite, endpoint);
    await invoke(port, 'connect', endpoint);
  }
  const out = await portOf(composite);
  const publisher = await rpc.create('RtmpPublisher', { mediaPipeline: pipeline.id, uri: nginx.url('show') });
  await rpc.invoke(out.id, 'connect', { sink: publisher });
  const stop = await nginx.play('show', join(directory, 'show.flv'));
  for (let clap = 1; clap <= CLAPS; clap += 1) {
    await new Promise((resolve) => setTimeout(resolve, CLAP_MS));
    const turns = Object.entries(HOSTS).map(([name, { sides }]) => [name, sides[clap % 2]]);
    await page.evaluate((all) => all.forEach(([name, { colour, toneHz }]) => probe.clap(name, colour, toneHz)), turns);
  }
  await new Promise((resolve) => setTimeout(resolve, 2 * CLAP_MS));
  const file = await stop();

  await decodesWhole(file);
  const { video, audio } = await probeFile(file);
  assert.deepEqual([video.codec_name, video.width, video.height, audio.codec_name], ['h264', 640, 360, 'aac']);
  const [left, right] = [await changesOf(file, 'left'), await changesOf(file, 'right')];
  for (const [name, { seen, heard }] of Object.entries({ left, right })) {
    assert.deepEqual([seen.length, heard.length], [CLAPS, CLAPS], `${name}: seen at ${seen}, heard at ${heard}`);
    const apart = offsets(seen, heard).slice(UNSETTLED);
    const middle = median(apart);
    // As in lib/claps.mjs: the fake microphone's own way takes 20 to 45 ms, always the same.
    assert.ok(Math.abs(middle) <= 70, `${name}: picture after sound: ${apart} ms`);
    assert.ok(apart.every((offset) => Math.abs(offset - middle) <= SYNC_MS), `${name}: picture after sound: ${apart} ms`);
  }
  for (const [what, ones, others] of [['pictures', left.seen, right.seen], ['sounds', left.heard, right.heard]]) {
    const apart = offsets(ones, others).slice(UNSETTLED);
    assert.ok(apart.every((offset) => Math.abs(offset) <= APART_MS), `${what} of both hosts: ${apart} ms apart`);
  }
  await pipeline.release();
});
