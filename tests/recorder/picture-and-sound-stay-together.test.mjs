import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { SIDES, assertTogether } from '../lib/claps.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { publish } from '../lib/publisher.mjs';
import { hasRecorded, recorderOf, recordingDirectory, stopped } from '../lib/recording.mjs';
import { startRelay } from '../lib/relay.mjs';

const rivero = live();
const directory = recordingDirectory();

const CLAPS = 8;

const CASES = [
  { profile: 'WEBM', video: 'VP8' },
  { profile: 'MP4', video: 'H264' },
  { profile: 'WEBM', video: 'VP8', loss: 5 },
  { profile: 'MP4', video: 'H264', loss: 5 },
];

let relay;
before(() => {
  relay = startRelay();
});
after(() => relay.stop());

for (const [index, { profile, video, loss }] of CASES.entries()) {
  const network = loss ? `, though ${loss} % of what the camera sends is lost` : '';
  test(`picture and sound of a ${profile} stay within 40 ms, also after a pause${network}`, async () => {
    const page = await rivero.browser.openProbe();
    const pipeline = await rivero.client.create('MediaPipeline');
    const path = loss && relay.path(`camera ${index}`, index + 1);
    await path?.set({ up: { delay: 20, loss } });
    const endpoint = await publish(page, pipeline, 'camera', { codecs: { video, audio: 'opus' }, source: SIDES[0], path });
    const file = join(directory, `claps.${index}.${profile.toLowerCase()}`);
    const recorder = await recorderOf(pipeline, endpoint, `file://${file}`, { mediaProfile: profile });
    await invoke(recorder, 'record');
    let at = 1500;
    for (let count = 1; count <= CLAPS; count += 1) {
      await hasRecorded(recorder, at);
      const side = SIDES[count % 2];
      await page.evaluate(([colour, toneHz]) => probe.clap('camera', colour, toneHz), [side.colour, side.toneHz]);
      at += 700;
      if (count === CLAPS / 2) {
        await hasRecorded(recorder, at);
        await invoke(recorder, 'pause');
        await invoke(recorder, 'record');
        at += 700;
      }
    }
    await hasRecorded(recorder, at);
    await stopped(recorder);
    if (path) assert.ok((await path.counts()).up.lost > 0);

    await assertTogether(file, CLAPS);
    await pipeline.release();
  });
}
