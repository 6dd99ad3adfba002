// J08: with useEncodedMedia nothing is decoded that the viewer takes as it is; without, everything is.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { fixtureDirectory, makeMedia, viewerOf } from '../lib/fixtures.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, hearsTone, isConnected, seesColour } from '../lib/media.mjs';
import { conversions, noConversionRuns } from '../lib/metrics.mjs';
import { post, uploadEndpointOf, uploadsAt } from '../lib/uploads.mjs';
import { nextEvent } from '../lib/wait.mjs';

const directory = fixtureDirectory();
let page, pipeline, viewer;
const rivero = live({ moduleConfig: uploadsAt() }, async ({ client, browser }) => {
  page = await browser.openProbe();
  pipeline = await client.create('MediaPipeline');
  viewer = await viewerOf(pipeline, await Calls.on(page), 'viewer');
  await isConnected(page, 'viewer');
});

for (const [useEncodedMedia, colour, toneHz] of [[true, COLOURS.blue, 800], [false, COLOURS.green, 1200]]) {
  test(`useEncodedMedia ${useEncodedMedia}`, async () => {
    const bytes = readFileSync(await makeMedia(directory, 'a.mkv', { colours: [colour], seconds: 6, toneHz }));
    const endpoint = await uploadEndpointOf(pipeline, { useEncodedMedia });
    const end = nextEvent(endpoint, 'EndOfStream');
    await invoke(endpoint, 'connect', viewer);
    const answer = post(endpoint.url, bytes);
    await Promise.all([hearsTone(page, 'viewer', toneHz), seesColour(page, 'viewer', colour)]);
    const steps = Object.keys(await conversions(rivero.server));
    const decoded = steps.filter((step) => /Raw/.test(step));
    if (useEncodedMedia) assert.deepEqual(decoded, [], 'VP8 and Opus are only packed');
    else assert.equal(decoded.length, 2, `pictures and sound are encoded: ${steps}`);
    await end;
    assert.equal((await answer).status, 200);
    assert.deepEqual(endpoint.errors, []);
    await endpoint.release();
    await noConversionRuns(rivero.server);
  });
}
