// E05: how well speech comes back from a loop, as a score.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { intelligibility } from '../lib/intelligibility.mjs';
import { live } from '../lib/live.mjs';
import { isConnected } from '../lib/media.mjs';
import { until } from '../lib/wait.mjs';

// 1 is perfect; speech of 0.75 is understood without effort, noise alone scores less than 0.3.
const GOOD = { opus: 0.9, PCMU: 0.9 };
const SECONDS = 3;

const rivero = live();

for (const [codec, good] of Object.entries(GOOD)) {
  test(`E05: speech sent with ${codec} comes back as good as it was`, async (t) => {
    const page = await rivero.browser.openProbe();
    const calls = await Calls.on(page);
    const pipeline = await rivero.client.create('MediaPipeline');
    const endpoint = await pipeline.create('WebRtcEndpoint');
    await invoke(endpoint, 'connect', endpoint);
    await page.evaluate(() => probe.createVoice('voice'));
    await calls.open('me', endpoint, { send: 'voice', codecs: { audio: codec } });
    await isConnected(page, 'me');
    const record = () =>
      page.evaluate((seconds) => probe.recordBoth('voice', probe.sinkStream('me'), seconds), SECONDS);
    let [sent, score] = [];
    // The jitter buffer may still be settling in the first seconds.
    await until(async () => {
      const recorded = await record();
      sent = recorded.sent;
      score = intelligibility(sent, recorded.arrived);
      return score >= good;
    }, 'speech is intelligible', 40_000).catch((error) => {
      throw new Error(`${error.message}; its score is ${score}`);
    });
    t.diagnostic(`score ${score.toFixed(3)}`);
    // The measure tells good from bad: silence and a tone are no speech.
    const noise = sent.map((_, at) => Math.round(9000 * Math.sin(at / 3) + 6000 * Math.sin(at / 7.1)));
    assert.ok(intelligibility(sent, noise) < 0.5);
    assert.deepEqual(page.troubles, []);
    await pipeline.release();
  });
}
