// E02: two browsers in a call, each with its own picture and sound.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, hearsTone, isConnected, seesColour, seesMotion } from '../lib/media.mjs';

const rivero = live();

test('E02: each sees and hears the other', async () => {
  const pipeline = await rivero.client.create('MediaPipeline');
  const party = async (colour, toneHz) => {
    const page = await rivero.browser.openProbe();
    const calls = await Calls.on(page);
    const endpoint = await pipeline.create('WebRtcEndpoint');
    await page.evaluate(([shown, tone]) => probe.createSource('camera', { colour: shown, toneHz: tone }), [colour, toneHz]);
    return { page, calls, endpoint };
  };
  const caller = await party(COLOURS.red, 800);
  const callee = await party(COLOURS.blue, 1200);
  await invoke(caller.endpoint, 'connect', callee.endpoint);
  await invoke(callee.endpoint, 'connect', caller.endpoint);
  for (const { calls, endpoint } of [caller, callee]) await calls.open('me', endpoint, { send: 'camera' });

  for (const [{ page }, colour, toneHz] of [
    [caller, COLOURS.blue, 1200],
    [callee, COLOURS.red, 800],
  ]) {
    await isConnected(page, 'me');
    await seesColour(page, 'me', colour);
    await seesMotion(page, 'me');
    await hearsTone(page, 'me', toneHz);
    assert.deepEqual(page.troubles, []);
  }
  await pipeline.release();
});
