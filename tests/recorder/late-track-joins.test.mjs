import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS } from '../lib/media.mjs';
import { TONE_HZ, publish } from '../lib/publisher.mjs';
import { assertColour, colourAt, decodesWhole, hasRecorded, packets, probe, recorderOf, recordingDirectory, soundsAt, stopped } from '../lib/recording.mjs';

const rivero = live();
const directory = recordingDirectory();

for (const [profile, video] of [['WEBM', 'VP8'], ['MP4', 'H264']]) {
  for (const late of ['VIDEO', 'AUDIO']) {
    test(`${late} that comes later joins a ${profile}`, async () => {
      const page = await rivero.browser.openProbe();
      const pipeline = await rivero.client.create('MediaPipeline');
      const endpoint = await publish(page, pipeline, 'camera', { codecs: { video, audio: 'opus' } });
      const file = join(directory, `late-${late}.${profile.toLowerCase()}`);
      const recorder = await recorderOf(pipeline, null, `file://${file}`, { mediaProfile: profile });
      await invoke(endpoint, 'connect', recorder, late === 'VIDEO' ? 'AUDIO' : 'VIDEO');
      await invoke(recorder, 'record');
      await hasRecorded(recorder, 2000);
      await invoke(endpoint, 'connect', recorder, late);
      await hasRecorded(recorder, 5000);
      await stopped(recorder);

      const { streams, duration } = await probe(file);
      assert.equal(streams.length, 2);
      await decodesWhole(file);
      const first = async (stream) => (await packets(file, stream))[0].time;
      const [lateTime, earlyTime] = late === 'VIDEO' ? [await first('v'), await first('a')] : [await first('a'), await first('v')];
      assert.ok(Math.abs(earlyTime) < 0.1, `${earlyTime} s`);
      assert.ok(lateTime > 1.5 && lateTime < duration - 0.5, `${late} begins at ${lateTime} s`);
      assertColour(await colourAt(file, lateTime + 0.5), COLOURS.red, 'the picture');
      await soundsAt(file, TONE_HZ, lateTime + 0.3, duration - 0.3);
      await pipeline.release();
    });
  }
}
