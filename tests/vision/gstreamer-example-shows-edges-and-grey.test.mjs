// GStreamerExample: edges as strong as was set, then shades of grey.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { fixtureDirectory } from '../lib/fixtures.mjs';
import { drawFilm, drawImage, looking, pictureAt, shareOf, throughFilter } from '../lib/vision.mjs';

const parts = looking();
const directory = fixtureDirectory();
const WHOLE = [0, 0, 1, 1];

/** How much colour a picture has: the mean difference between the greatest and the least of red, green and blue. */
function colourfulness({ pixels }) {
  let sum = 0;
  for (let at = 0; at < pixels.length; at += 3) sum += Math.max(...pixels.subarray(at, at + 3)) - Math.min(...pixels.subarray(at, at + 3));
  return sum / (pixels.length / 3);
}

test('edges are shown, fewer with a greater threshold, then shades of grey', async () => {
  const ground = await drawImage(directory, 'ground.png', 'color=c=0x202020:s=320x240');
  const boxes = 'drawbox=x=40:y=60:w=60:h=120:c=0x606060:t=fill,drawbox=x=200:y=60:w=80:h=120:c=0xF0F0F0:t=fill,drawbox=x=120:y=60:w=60:h=120:c=0xD02020:t=fill';
  const film = await drawFilm(directory, 'boxes', `[0:v]${boxes}`, { inputs: [ground], seconds: 6 });
  const { rpc } = parts;
  const during = async (filter, { reaches }) => {
    for (const filterType of [-1, 2]) await assert.rejects(rpc.invoke(filter, 'setFilterType', { filterType }), ({ code }) => code === 40107);
    for (const edgeValue of [-1, 256]) await assert.rejects(rpc.invoke(filter, 'setEdgeThreshold', { edgeValue }), ({ code }) => code === 40107);
    await rpc.invoke(filter, 'setEdgeThreshold', { edgeValue: 0 });
    await reaches(2);
    await rpc.invoke(filter, 'setEdgeThreshold', { edgeValue: 255 });
    await reaches(4);
    await rpc.invoke(filter, 'setFilterType', { filterType: 1 });
  };
  const { events, recorded } = await throughFilter(parts, 'gstreamerexample.GStreamerExample', {}, film, { during, directory });
  assert.deepEqual(events, []);
  const dark = (picture) => shareOf(picture, WHOLE, [0, 0, 0], 60);
  const [all, few, grey] = [await pictureAt(recorded, 1.5), await pictureAt(recorded, 3.5), await pictureAt(recorded, 5.5)];
  const figures = JSON.stringify([all, few, grey].map((picture) => [dark(picture), colourfulness(picture)]));
  assert.ok(dark(all) > 0.5 && dark(all) < 0.995, `lines on black: ${figures}`);
  assert.ok(dark(few) > dark(all), `fewer lines: ${figures}`);
  assert.ok(colourfulness(grey) < 4, `no colours: ${figures}`);
  assert.ok(shareOf(grey, [0.68, 0.3, 0.82, 0.7], [240, 240, 240], 30) > 0.9, 'a grey picture of what was there');
});
