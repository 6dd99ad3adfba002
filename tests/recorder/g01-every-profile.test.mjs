import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS } from '../lib/media.mjs';
import { TONE_HZ, publish } from '../lib/publisher.mjs';
import { assertColour, colourAt, decodesWhole, hasRecorded, probe, recorderOf, recordingDirectory, soundsAt, stopped } from '../lib/recording.mjs';

const rivero = live({ moduleConfig: { 'kurento/RecorderEndpoint.conf.ini': 'splitDuration=2\n' } });
const directory = recordingDirectory();

/** What each profile makes of VP8 and Opus. */
const PROFILES = {
  WEBM: { video: 'vp8', audio: 'opus' },
  WEBM_VIDEO_ONLY: { video: 'vp8' },
  WEBM_AUDIO_ONLY: { audio: 'opus' },
  MKV: { video: 'vp8', audio: 'opus' },
  MKV_VIDEO_ONLY: { video: 'vp8' },
  MKV_AUDIO_ONLY: { audio: 'opus' },
  MP4: { video: 'h264', audio: 'opus' },
  MP4_VIDEO_ONLY: { video: 'h264' },
  MP4_AUDIO_ONLY: { audio: 'opus' },
  FLV: { video: 'h264', audio: 'aac' },
  JPEG_VIDEO_ONLY: { video: 'mjpeg' },
};

test('every profile records what Chromium sends, converted where it has to be', async (t) => {
  const page = await rivero.browser.openProbe();
  const pipeline = await rivero.client.create('MediaPipeline');
  const endpoint = await publish(page, pipeline, 'camera');

  for (const [profile, wanted] of Object.entries(PROFILES)) {
    await t.test(profile, async () => {
      const file = join(directory, `${profile}.${profile.split('_')[0].toLowerCase()}`);
      const recorder = await recorderOf(pipeline, endpoint, `file://${file}`, { mediaProfile: profile });
      await invoke(recorder, 'record');
      await hasRecorded(recorder, 2500);
      const recorded = (await stopped(recorder)) / 1000;

      const { video, audio, duration } = await probe(file);
      assert.deepEqual({ video: video?.codec_name, audio: audio?.codec_name }, { video: undefined, audio: undefined, ...wanted });
      const demuxer = profile.startsWith('JPEG') ? ['-f', 'mjpeg'] : [];
      const pictures = await decodesWhole(file, demuxer);
      if (video) {
        assert.deepEqual([video.width, video.height], [320, 240]);
        assert.ok(pictures > 20, `${pictures} pictures`);
        assertColour(await colourAt(file, 1, demuxer), COLOURS.red, 'the picture');
      }
      if (audio) await soundsAt(file, TONE_HZ, 0.5, recorded - 0.5);
      if (!profile.startsWith('JPEG')) assert.ok(Math.abs(duration - recorded) < 0.2, `${duration} s for ${recorded} s`);
      assert.deepEqual(recorder.errors, []);
      await recorder.release();
    });
  }

  await t.test('KURENTO_SPLIT_RECORDER', async () => {
    const recorder = await recorderOf(pipeline, endpoint, `file://${directory}/split.mkv`, { mediaProfile: 'KURENTO_SPLIT_RECORDER' });
    await invoke(recorder, 'record');
    await hasRecorded(recorder, 9000);
    const recorded = (await stopped(recorder)) / 1000;
    const parts = readdirSync(directory).filter((name) => name.startsWith('split-')).sort();
    assert.ok(parts.length > 1 && parts[0] === 'split-00000.mkv', parts.join());
    let sum = 0;
    for (const part of parts) {
      const file = join(directory, part);
      const { video, audio, duration } = await probe(file);
      assert.deepEqual([video.codec_name, audio.codec_name], ['vp8', 'opus']);
      assert.ok((await decodesWhole(file)) > 0);
      sum += duration;
    }
    assert.ok(Math.abs(sum - recorded) < 0.2 * parts.length, `${sum} s for ${recorded} s`);
  });
  await pipeline.release();
});
