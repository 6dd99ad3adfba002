// J01: A presenter of each codec, viewers who can only receive another one.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, hearsTone, seesColour, seesMotion } from '../lib/media.mjs';

/** What each presenter sends, and what the viewers of it take. */
const CASES = [
  { sends: { video: 'VP8', audio: 'opus' }, take: { video: 'H264', audio: 'PCMU' }, colour: 'red', tone: 800 },
  { sends: { video: 'H264', audio: 'PCMU' }, take: { video: 'VP8', audio: 'opus' }, colour: 'blue', tone: 1000 },
  { sends: { video: 'VP9', audio: 'PCMA' }, take: { video: 'H264', audio: 'PCMU' }, colour: 'green', tone: 600 },
  { sends: { video: 'H264', audio: 'opus' }, take: { video: 'VP9', audio: 'PCMA' }, colour: 'red', tone: 1200 },
  { sends: { video: 'AV1', audio: 'opus' }, take: { video: 'VP8', audio: 'PCMU' }, colour: 'blue', tone: 900 },
  { sends: { video: 'VP8', audio: 'PCMA' }, take: { video: 'AV1', audio: 'opus' }, colour: 'green', tone: 700 },
];

let page;
let calls;
const rivero = live({}, async ({ browser }) => {
  page = await browser.openProbe();
  calls = await Calls.on(page);
});

for (const [index, { sends, take, colour, tone }] of CASES.entries()) {
  test(`${sends.video} and ${sends.audio} become ${take.video} and ${take.audio}`, async () => {
    const pipeline = await rivero.client.create('MediaPipeline');
    const [from, to] = [await pipeline.create('WebRtcEndpoint'), await pipeline.create('WebRtcEndpoint')];
    await invoke(from, 'connect', to);
    const name = `case${index}`;
    await page.evaluate(
      ([camera, shown, toneHz]) => probe.createSource(camera, { colour: shown, toneHz }),
      [name, COLOURS[colour], tone],
    );
    await calls.open(`${name} presenter`, from, { send: name, receive: false, codecs: sends });
    await calls.open(`${name} viewer`, to, { codecs: take });
    await seesColour(page, `${name} viewer`, COLOURS[colour]);
    await seesMotion(page, `${name} viewer`);
    await hearsTone(page, `${name} viewer`, tone);
    const { sent } = await page.evaluate((peer) => probe.statistics(peer), `${name} presenter`);
    const { video, audio } = await page.evaluate((peer) => probe.statistics(peer), `${name} viewer`);
    const codecs = (streams) => [streams.video.codec, streams.audio.codec];
    const names = (wanted) => [wanted.video, wanted.audio.toUpperCase()];
    assert.deepEqual([codecs(sent), codecs({ video, audio })], [names(sends), names(take)]);
    await pipeline.release();
  });
}
