import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS } from '../lib/media.mjs';
import { TONE_HZ, publish } from '../lib/publisher.mjs';
import { assertColour, colourAt, decodesWhole, hasRecorded, probe, recorderOf, recordingDirectory, soundsAt } from '../lib/recording.mjs';

const rivero = live();
const directory = recordingDirectory();

for (const released of ['pipeline', 'recorder']) {
  for (const [profile, video] of [['WEBM', 'VP8'], ['MP4', 'H264']]) {
    test(`a ${profile} whose ${released} is released while it is recorded is complete`, async () => {
      const page = await rivero.browser.openProbe();
      const pipeline = await rivero.client.create('MediaPipeline');
      const endpoint = await publish(page, pipeline, 'camera', { codecs: { video, audio: 'opus' } });
      const file = join(directory, `${released}.${profile.toLowerCase()}`);
      const recorder = await recorderOf(pipeline, endpoint, `file://${file}`, { mediaProfile: profile });
      await invoke(recorder, 'record');
      await hasRecorded(recorder, 2500);
      await { pipeline, recorder }[released].release();

      const { duration } = await probe(file);
      assert.ok(duration > 2.4, `${duration} s`);
      assert.ok((await decodesWhole(file)) > 20);
      assertColour(await colourAt(file, duration - 0.5), COLOURS.red, 'the end');
      await soundsAt(file, TONE_HZ, 0.5, duration - 0.5);
      if (released === 'recorder') await pipeline.release();
    });
  }
}
