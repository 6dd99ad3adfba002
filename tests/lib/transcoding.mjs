// A presenter and viewers who cannot receive what the presenter sends.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from './calls.mjs';
import { invoke } from './client.mjs';
import { live } from './live.mjs';
import { COLOURS, hearsTone, seesColour, seesMotion } from './media.mjs';
import { conversions, noConversionRuns } from './metrics.mjs';
import { nextEvent } from './wait.mjs';

const TONE_HZ = 800;

/**
 * Declares the tests that viewers who offer only `wanted` see and hear a presenter
 * who sends `sent`, by way of `steps` (as in metrics.mjs), each running once; and that
 * everything ends with them. `converted` is the kind that is not as it was.
 */
export function transcodingTest({ sent, wanted, converted, steps, viewers }) {
  const rivero = live();
  const names = Array.from({ length: viewers }, (_, index) => `viewer${index + 1}`);
  const endpoints = new Map();
  let pipeline;
  let presenter;
  let stage;
  let audience;
  let calls;

  test(`${viewers} viewers of ${wanted[converted]} get what is sent as ${sent[converted]}`, async () => {
    pipeline = await rivero.client.create('MediaPipeline');
    presenter = await pipeline.create('WebRtcEndpoint');
    stage = await rivero.browser.openProbe();
    await stage.evaluate(([colour, toneHz]) => probe.createSource('camera', { colour, toneHz }), [COLOURS.red, TONE_HZ]);
    await (await Calls.on(stage)).open('presenter', presenter, { send: 'camera', receive: false, codecs: sent });
    audience = await rivero.browser.openProbe();
    calls = await Calls.on(audience);
    const begins = nextEvent(presenter, 'MediaTranscodingStateChanged', ({ state, mediaType }) =>
      state === 'TRANSCODING' && mediaType === converted.toUpperCase());
    for (const name of names) await watch(name);
    await begins;
    for (const name of names) {
      await seesColour(audience, name, COLOURS.red);
      await seesMotion(audience, name);
    }
    await hearsTone(audience, names[0], TONE_HZ);
    await hearsTone(audience, names.at(-1), TONE_HZ);
    assert.equal((await statistics(names[0]))[converted].codec, wanted[converted].toUpperCase());
  });

  test('each step of the conversion runs once for all of them', async () => {
    assert.deepEqual(await conversions(rivero.server), Object.fromEntries(steps.map((step) => [step, 1])));
    assert.deepEqual(await conversions(rivero.server, 'rivero_conversions_failed_total'), {});
    assert.equal(await invoke(presenter, 'isMediaTranscoding', converted.toUpperCase()), true);
  });

  test('pictures and sound follow what the presenter does', async () => {
    await stage.evaluate((colour) => probe.clap('camera', colour, 1200), COLOURS.blue);
    for (const name of names) await seesColour(audience, name, COLOURS.blue);
    await hearsTone(audience, names[0], 1200);
  });

  test('the conversion ends when the viewers leave, and begins again', async () => {
    const ends = nextEvent(presenter, 'MediaTranscodingStateChanged', ({ state, mediaType }) =>
      state === 'NOT_TRANSCODING' && mediaType === converted.toUpperCase());
    for (const name of names) await leave(name);
    await ends;
    await noConversionRuns(rivero.server);
    assert.equal(await invoke(presenter, 'isMediaTranscoding', converted.toUpperCase()), false);
    await watch('late');
    await seesColour(audience, 'late', COLOURS.blue);
    await hearsTone(audience, 'late', 1200);
    await pipeline.release();
    await noConversionRuns(rivero.server);
  });

  async function watch(name) {
    const endpoint = await pipeline.create('WebRtcEndpoint');
    endpoints.set(name, endpoint);
    await invoke(presenter, 'connect', endpoint);
    await calls.open(name, endpoint, { codecs: wanted });
  }

  async function leave(name) {
    await calls.close(name);
    await endpoints.get(name).release();
  }

  const statistics = (name) => audience.evaluate((peer) => probe.statistics(peer), name);
}
