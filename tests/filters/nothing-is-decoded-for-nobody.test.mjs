// A filter whose pictures nobody consumes asks for none, so that nothing is decoded; one that tells what it sees goes on.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { makeCodeVideo } from '../lib/codes.mjs';
import { fixtureDirectory } from '../lib/fixtures.mjs';
import { conversions, noConversionRuns } from '../lib/metrics.mjs';
import { looking } from '../lib/vision.mjs';
import { until } from '../lib/wait.mjs';

const parts = looking();
const directory = fixtureDirectory();
const decodes = async () => Object.keys(await conversions(parts.server)).some((conversion) => conversion.includes('→ I420 Raw'));
const hasDecoded = async () =>
  Object.keys(await conversions(parts.server, 'rivero_conversions_started_total')).some((conversion) => conversion.includes('→ I420 Raw'));

test('filters rest without consumers, alone and in a row, and begin with the first', async () => {
  const { rpc } = parts;
  const film = await makeCodeVideo(directory);
  const mediaPipeline = await rpc.create('MediaPipeline');
  // The film has one keyframe, at its beginning: whoever sees it is there by then.
  const playTo = async (sink) => {
    const player = await rpc.create('PlayerEndpoint', { mediaPipeline, uri: `file://${film}`, useEncodedMedia: true });
    await rpc.invoke(player, 'connect', { sink });
    await rpc.invoke(player, 'play');
    return player;
  };
  const flip = await rpc.create('GStreamerFilter', { mediaPipeline, command: 'videoflip method=horizontal-flip' });
  const overlay = await rpc.create('ImageOverlayFilter', { mediaPipeline });
  await rpc.invoke(flip, 'connect', { sink: overlay });
  const player = await playTo(flip);
  await until(async () => (await rpc.invoke(player, 'getPosition')) > 1500, 'the film plays');
  assert.equal(await hasDecoded(), false, 'nothing was decoded');

  const codes = await rpc.create('ZBarFilter', { mediaPipeline });
  await rpc.value('subscribe', { object: codes, type: 'CodeFound' });
  await playTo(codes);
  await until(() => rpc.events.some(({ type }) => type === 'CodeFound'), 'a code is found although nobody consumes the pictures');
  await rpc.value('release', { object: codes });
  await noConversionRuns(parts.server);

  const consumer = await rpc.create('ZBarFilter', { mediaPipeline });
  await rpc.invoke(overlay, 'connect', { sink: consumer });
  await playTo(flip);
  await until(decodes, 'the first consumer begins it');
  await rpc.invoke(overlay, 'disconnect', { sink: consumer });
  await noConversionRuns(parts.server);
  await rpc.value('release', { object: mediaPipeline });
});
