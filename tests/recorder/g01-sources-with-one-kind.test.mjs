import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS } from '../lib/media.mjs';
import { TONE_HZ, publish } from '../lib/publisher.mjs';
import { assertColour, colourAt, decodesWhole, hasRecorded, probe, recorderOf, recordingDirectory, soundsAt, stopped } from '../lib/recording.mjs';

const rivero = live();
const directory = recordingDirectory();

for (const profile of ['WEBM', 'MP4']) {
  for (const kind of ['audio', 'video']) {
    test(`a source with ${kind} only is recorded as ${profile}`, async () => {
      const page = await rivero.browser.openProbe();
      const pipeline = await rivero.client.create('MediaPipeline');
      const codecs = { video: profile === 'MP4' ? 'H264' : 'VP8', audio: 'opus' };
      const source = { audio: kind === 'audio', video: kind === 'video' };
      const endpoint = await publish(page, pipeline, 'camera', { codecs, source });
      const file = join(directory, `${kind}.${profile.toLowerCase()}`);
      const recorder = await recorderOf(pipeline, endpoint, `file://${file}`, { mediaProfile: profile });
      await invoke(recorder, 'record');
      await hasRecorded(recorder, 2500);
      const recorded = (await stopped(recorder)) / 1000;

      const { streams, duration } = await probe(file);
      assert.deepEqual(streams.map((stream) => stream.codec_type), [kind]);
      assert.ok(Math.abs(duration - recorded) < 0.2, `${duration} s for ${recorded} s`);
      await decodesWhole(file);
      if (kind === 'audio') await soundsAt(file, TONE_HZ, 0.5, duration - 0.5);
      else assertColour(await colourAt(file, 1), COLOURS.red, 'the picture');
      await pipeline.release();
    });
  }
}
