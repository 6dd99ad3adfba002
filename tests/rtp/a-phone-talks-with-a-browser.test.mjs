// The recipe of docs/sip.md: baresip calls the page sip-phone of the examples; each hears the other, the phone holds, dials
// and hangs up, and so does the page.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { serveExamples } from '../../examples/serve.mjs';
import { phoneThatCalls } from '../lib/baresip.mjs';
import { live } from '../lib/live.mjs';
import { noPipelineIsLeft } from '../lib/rpc.mjs';
import { PATIENCE_MS, until } from '../lib/wait.mjs';

const TONE_HZ = 600;

let examples;
const rivero = live({ modules: ['rtp', 'webrtc', 'codecs'] }, async ({ server }) => {
  examples = await serveExamples({ port: 0, server: server.url, sip: 0 });
});
after(() => examples?.close());

/** Waits for the page's state line. */
function reaches(page, state, text) {
  const isThere = ([wanted, part]) => {
    const line = document.querySelector('#state');
    return line.dataset.state === wanted && line.textContent.includes(part);
  };
  return page.waitForFunction(isThere, [state, text], { timeout: PATIENCE_MS }).catch(async () => assert.fail(`state ${state} '${text}' not reached; the page says: ${await page.textContent('#state')}`));
}

/** The frequency that is loudest in what the page plays. */
function loudestHz(page) {
  return page.evaluate(async () => {
    const stream = document.querySelector('#phone').srcObject;
    if (!stream) return 0;
    window.heard ??= (() => {
      const context = new AudioContext();
      const analyser = Object.assign(context.createAnalyser(), { fftSize: 8192 });
      context.createMediaStreamSource(stream).connect(analyser);
      return { context, analyser };
    })();
    const { context, analyser } = window.heard;
    await context.resume();
    const levels = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(levels);
    const best = levels.reduce((highest, level, i) => (level > levels[highest] ? i : highest), 0);
    return levels[best] > -60 ? (best * context.sampleRate) / analyser.fftSize : 0;
  });
}

test('a phone calls the page, and both hear each other', async () => {
  const page = await rivero.browser.openPage();
  await page.goto(new URL('/sip-phone/', examples.url).href);
  await page.click('#start');
  await reaches(page, 'working', `Call ${examples.dial}`);
  for (const ends of ['phone', 'page']) {
    const called = phoneThatCalls(examples.dial, { toneHz: TONE_HZ });
    const phone = await called.catch(async (error) => assert.fail(`${error.message}\nthe page says: ${await page.textContent('#state')}\n${page.troubles}`));
    try {
      await reaches(page, 'live', 'Talking');
      const hears = async () => Math.abs((await loudestHz(page)) - TONE_HZ) < 20;
      await until(hears, 'the page hears the phone');
      // Chromium's microphone beeps.
      await until(() => phone.loudest() > 1000, 'the phone hears the page');
      phone.dial('5');
      await until(async () => (await page.textContent('#digits')) === '5', 'the page shows a digit');
      phone.type('/hold\n');
      await until(async () => !(await hears()), 'the phone holds');
      phone.type('/resume\n');
      await until(hears, 'the page hears the phone again');
      if (ends === 'phone') phone.type('/hangup\n');
      else await page.click('#hangup');
      await reaches(page, 'working', 'Call sip:');
      await until(() => /(terminated|closed)/i.test(phone.said), 'the phone knows that the call is over');
    } catch (error) {
      throw new Error(`${error.message}\n${phone.said}`, { cause: error });
    } finally {
      await phone.close();
    }
  }
  assert.deepEqual(page.troubles, []);
  await page.click('#stop');
  await noPipelineIsLeft(rivero.server.url);
  await page.close();
});
