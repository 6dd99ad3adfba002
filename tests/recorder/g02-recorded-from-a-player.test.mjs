import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { connectClient, invoke } from '../lib/client.mjs';
import { makeMedia, playerOf } from '../lib/fixtures.mjs';
import { COLOURS } from '../lib/media.mjs';
import { conversions } from '../lib/metrics.mjs';
import { assertColour, colourAt, decodesWhole, packets, probe, recorderOf, recordingDirectory, soundsAt, stopped } from '../lib/recording.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { nextEvent } from '../lib/wait.mjs';

const SECONDS = 2; // of each colour
const TONE_HZ = 1000;
const FRAMES = 2 * SECONDS * 15;

/** What each profile makes of decoded media. */
const PROFILES = {
  WEBM: { video: 'vp8', audio: 'opus' },
  WEBM_VIDEO_ONLY: { video: 'vp8' },
  WEBM_AUDIO_ONLY: { audio: 'opus' },
  MKV: { video: 'h264', audio: 'aac' },
  MKV_VIDEO_ONLY: { video: 'h264' },
  MKV_AUDIO_ONLY: { audio: 'aac' },
  MP4: { video: 'h264', audio: 'aac' },
  MP4_VIDEO_ONLY: { video: 'h264' },
  MP4_AUDIO_ONLY: { audio: 'aac' },
  FLV: { video: 'h264', audio: 'aac' },
  JPEG_VIDEO_ONLY: { video: 'mjpeg' },
};

/**
 * What players pass on as it is, and what they decode in place of it: pictures that come in another order than they are
 * shown, which browsers do not take. Each with what is recorded of it.
 */
const ENCODED = {
  h264: { recorded: 'h264', codecs: ['-c:v', 'libx264', '-bf', '0', '-pix_fmt', 'yuv420p', '-c:a', 'aac'] },
  hevc: { recorded: 'hevc', codecs: ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none:bframes=0', '-c:a', 'aac'] },
  'h264 out of its order': { recorded: 'h264', isDecoded: true, codecs: ['-c:v', 'libx264', '-bf', '3', '-pix_fmt', 'yuv420p', '-c:a', 'aac'] },
  'hevc out of its order': { recorded: 'h264', isDecoded: true, codecs: ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none', '-c:a', 'aac'] },
};

const directory = recordingDirectory();
let server, client, pipeline;
before(async () => {
  server = await startRivero();
  client = await connectClient(server.url);
  pipeline = await client.create('MediaPipeline');
});
after(async () => {
  client?.close();
  await server?.stop();
});

const media = { colours: [COLOURS.red, COLOURS.blue], seconds: SECONDS, toneHz: TONE_HZ };

/** Plays `source` to its end into a recorder; resolves to the recorded seconds. */
async function record(source, file, mediaProfile, settings) {
  const player = await playerOf(pipeline, `file://${source}`, settings);
  const recorder = await recorderOf(pipeline, player, `file://${file}`, { mediaProfile });
  await invoke(recorder, 'record');
  const end = nextEvent(player, 'EndOfStream');
  await invoke(player, 'play');
  await end;
  const recorded = (await stopped(recorder)) / 1000;
  assert.deepEqual([...player.errors, ...recorder.errors], []);
  await player.release();
  await recorder.release();
  return recorded;
}

async function isWhole(file, recorded, wanted) {
  const { video, audio, duration } = await probe(file);
  assert.deepEqual({ video: video?.codec_name, audio: audio?.codec_name }, { video: undefined, audio: undefined, ...wanted });
  const demuxer = wanted.video === 'mjpeg' ? ['-f', 'mjpeg'] : [];
  const pictures = await decodesWhole(file, demuxer);
  if (demuxer.length === 0) {
    assert.ok(Math.abs(duration - recorded) < 0.2 && Math.abs(duration - 2 * SECONDS) < 0.2, `${duration} s, recorded ${recorded} s`);
  }
  if (wanted.video) {
    assert.ok(pictures >= FRAMES - 3 && pictures <= FRAMES, `${pictures} pictures of ${FRAMES}`);
    assertColour(await colourAt(file, 1, demuxer), COLOURS.red, 'the beginning');
    if (demuxer.length === 0) {
      assertColour(await colourAt(file, 2 * SECONDS - 1), COLOURS.blue, 'the end');
      const times = (await packets(file, 'v')).map(({ time }) => time);
      assert.ok(Math.min(...times) < 0.1, `the picture begins at ${Math.min(...times)} s`);
    }
  }
  if (wanted.audio) await soundsAt(file, TONE_HZ, 0.5, 2 * SECONDS - 0.5);
}

test('every profile records what a player decodes', async (t) => {
  const source = await makeMedia(directory, 'source.webm', media);
  for (const [profile, wanted] of Object.entries(PROFILES)) {
    await t.test(profile, async () => {
      const file = join(directory, `${profile}.${profile.split('_')[0].toLowerCase()}`);
      await isWhole(file, await record(source, file, profile), wanted);
    });
  }
});

const STARTED = 'rivero_conversions_started_total';
const encodes = (started) => Object.keys(started).filter((step) => step.startsWith('I420 Raw')).map((step) => started[step]);

for (const [what, { recorded: codec, isDecoded = false, codecs }] of Object.entries(ENCODED)) {
  for (const [profile, ending] of [['MP4', 'mp4'], ['MKV', 'mkv']]) {
    test(`${what} that is played without decoding is in the ${profile} from its first frame on`, async () => {
      const name = what.replaceAll(' ', '-');
      const source = await makeMedia(directory, `${name}.mp4`, { ...media, codecs });
      const file = join(directory, `passed-on.${name}.${ending}`);
      const before = encodes(await conversions(server, STARTED));
      const recorded = await record(source, file, profile, { useEncodedMedia: true });
      await isWhole(file, recorded, { video: codec, audio: 'aac' });
      const after = encodes(await conversions(server, STARTED));
      assert.equal(isDecoded, JSON.stringify(after) !== JSON.stringify(before), `encoded ${before} before, ${after} after`);
    });
  }
}

const SOUNDS = {
  'AAC at 44.1 kHz, mono': { name: 'mono.m4a', codecs: ['-c:a', 'aac', '-ar', '44100', '-ac', '1'], profile: 'MP4_AUDIO_ONLY' },
  'Opus, mono': { name: 'mono.webm', codecs: ['-c:a', 'libopus', '-ac', '1'], profile: 'WEBM_AUDIO_ONLY' },
};
for (const [what, { name, codecs, profile }] of Object.entries(SOUNDS)) {
  test(`${what}: sound that is passed on keeps its rate and channels, and is not converted`, async () => {
    const source = await makeMedia(directory, name, { toneHz: TONE_HZ, seconds: 2 * SECONDS, codecs });
    const file = join(directory, `recorded.${name}`);
    const before = await conversions(server, STARTED);
    await record(source, file, profile, { useEncodedMedia: true });
    assert.deepEqual(await conversions(server, STARTED), before);
    const [own, kept] = [(await probe(source)).audio, (await probe(file)).audio];
    assert.deepEqual([kept.codec_name, kept.sample_rate, kept.channels], [own.codec_name, own.sample_rate, own.channels]);
    await soundsAt(file, TONE_HZ, 0.5, 2 * SECONDS - 0.5);
  });
}
