import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { launchBrowser } from '../lib/browser.mjs';
import { connectClient, invoke } from '../lib/client.mjs';
import { COLOURS } from '../lib/media.mjs';
import { publish } from '../lib/publisher.mjs';
import { assertColour, colourAt, decodesWhole, hasRecorded, probe, recorderOf, recordingDirectory, recordingStatistics } from '../lib/recording.mjs';
import { startRivero } from '../lib/rivero.mjs';

const KILLS = 2 * Number(process.env.SCALE ?? 1);
/** What is recorded of each codec each time, begun at moments of their own. */
const KINDS = ['', '', '', '_VIDEO_ONLY', '_VIDEO_ONLY'];
const directory = recordingDirectory();
let browser;

before(async () => {
  browser = await launchBrowser();
});
after(() => browser?.close());

test(`files of a server that is killed play but for their last second: ${KILLS * KINDS.length * 2} files`, async () => {
  for (let count = 0; count < KILLS; count += 1) {
    const server = await startRivero();
    const client = await connectClient(server.url);
    const page = await browser.openProbe();
    const pipeline = await client.create('MediaPipeline');
    const files = [];
    for (const [profile, video] of [['WEBM', 'VP8'], ['MP4', 'H264']]) {
      const endpoint = await publish(page, pipeline, profile, { codecs: { video, audio: 'opus' } });
      for (const [index, only] of KINDS.entries()) {
        const file = join(directory, `${count}-${index}.${profile.toLowerCase()}`);
        files.push({ file, recorder: await recorderOf(pipeline, endpoint, `file://${file}`, { mediaProfile: profile + only }) });
      }
    }
    // Random moments, of beginning and of the kill, are what is tested.
    await Promise.all(files.map(({ recorder }) => later(Math.random() * 1000).then(() => invoke(recorder, 'record'))));
    await Promise.all(files.map(({ recorder }) => hasRecorded(recorder, 1500)));
    await later(Math.random() * 1000);
    for (const entry of files) entry.recorded = (await recordingStatistics(entry.recorder)).recordedMillis / 1000;
    process.kill(server.pid, 'SIGKILL');
    await server.exit;
    client.close();
    await server.stop();
    await page.close();
    await Promise.all(files.map(plays));
  }
});

function later(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function plays({ file, recorded }) {
  const { duration } = await probe(file);
  assert.ok(duration > recorded - 1, `${file}: ${duration} s of ${recorded} s`);
  await decodesWhole(file);
  // The picture there: the file can be sought in.
  assertColour(await colourAt(file, duration - 0.5), COLOURS.red, 'the end');
}
