// opencv-example and datachannel-example: edges and grey, codes sent as data and shown as text, faces noted and shown.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { makeCodeVideo } from '../lib/codes.mjs';
import { makeFaceVideo } from '../lib/faces.mjs';
import { fixtureDirectory } from '../lib/fixtures.mjs';
import { drawFilm, drawImage, looking, pictureAt, shareOf, throughFilter } from '../lib/vision.mjs';

const parts = looking();
const directory = fixtureDirectory();
const WHOLE = [0, 0, 1, 1];

/** How much colour a picture has: the greatest mean difference between red, green and blue of a row. */
function colourfulness({ pixels }) {
  let sum = 0;
  for (let at = 0; at < pixels.length; at += 3) sum += Math.max(...pixels.subarray(at, at + 3)) - Math.min(...pixels.subarray(at, at + 3));
  return sum / (pixels.length / 3);
}

test('OpenCVExample shows edges as strong as was set, then shades of grey', async () => {
  const ground = await drawImage(directory, 'ground.png', 'color=c=0x606060:s=320x240');
  // A weak edge on the left, a strong one on the right, and colour between.
  const boxes = 'drawbox=x=40:y=60:w=60:h=120:c=0x707070:t=fill,drawbox=x=200:y=60:w=80:h=120:c=0xF0F0F0:t=fill,drawbox=x=120:y=200:w=60:h=30:c=0xD02020:t=fill';
  const film = await drawFilm(directory, 'boxes', `[0:v]${boxes}`, { inputs: [ground], seconds: 6 });
  const during = async (filter, { reaches }) => {
    for (const filterType of [-1, 2]) await assert.rejects(parts.rpc.invoke(filter, 'setFilterType', { filterType }), ({ code }) => code === 40107);
    for (const edgeValue of [-1, 256]) await assert.rejects(parts.rpc.invoke(filter, 'setEdgeThreshold', { edgeValue }), ({ code }) => code === 40107);
    await parts.rpc.invoke(filter, 'setEdgeThreshold', { edgeValue: 30 });
    await reaches(2);
    await parts.rpc.invoke(filter, 'setEdgeThreshold', { edgeValue: 255 });
    await reaches(4);
    await parts.rpc.invoke(filter, 'setFilterType', { filterType: 1 });
  };
  const { events, recorded } = await throughFilter(parts, 'opencvexample.OpenCVExample', {}, film, { during, directory });
  assert.deepEqual(events, []);
  const [weak, strong] = [[0.1, 0.2, 0.16, 0.8], [0.6, 0.2, 0.66, 0.8]];
  const lines = (picture, part) => shareOf(picture, part, [255, 255, 255], 110);
  const all = await pictureAt(recorded, 1.5);
  assert.ok(lines(all, weak) > 0.02 && lines(all, strong) > 0.02, `${lines(all, weak)} ${lines(all, strong)}`);
  const few = await pictureAt(recorded, 3.5);
  assert.ok(lines(few, weak) < 0.005 && lines(few, strong) > 0.02, `${lines(few, weak)} ${lines(few, strong)}`);
  const grey = await pictureAt(recorded, 5.5);
  assert.ok(colourfulness(grey) < 4, `${colourfulness(grey)}`);
  assert.ok(shareOf(grey, [0.68, 0.3, 0.82, 0.7], [240, 240, 240], 30) > 0.9, 'a grey picture of what was there');
});

test('a code is read by KmsSendData and goes as data to KmsShowData, which draws what it says', async () => {
  const film = await makeCodeVideo(directory);
  const { events, recorded } = await throughFilter(parts, ['datachannelexample.KmsSendData', 'datachannelexample.KmsShowData'], {}, film, { directory });
  assert.deepEqual(events, []);
  const picture = await pictureAt(recorded, 4.5);
  const bar = [0, 0.92, 1, 0.98];
  assert.ok(shareOf(picture, bar, [255, 255, 255], 90) > 0.02, 'letters in the bar');
  assert.ok(shareOf(picture, bar, [128, 128, 128], 12) < 0.5, 'on a dark ground');
  assert.ok(shareOf(picture, [0.1, 0.02, 0.9, 0.1], [128, 128, 128], 14) > 0.9, 'and nothing elsewhere');
});

test('faces are noted by KmsDetectFaces and drawn by KmsShowFaces', async () => {
  const film = await makeFaceVideo(directory, { seconds: 5 });
  const alone = await throughFilter(parts, 'datachannelexample.KmsDetectFaces', {}, film, { directory });
  const green = (picture, part) => shareOf(picture, part, [0, 255, 0], 110);
  assert.equal(green(await pictureAt(alone.recorded, 3), WHOLE), 0, 'who notes draws nothing');
  const { events, recorded } = await throughFilter(parts, ['datachannelexample.KmsDetectFaces', 'datachannelexample.KmsShowFaces'], {}, film, { directory });
  assert.deepEqual(events, []);
  const picture = await pictureAt(recorded, 3);
  assert.ok(green(picture, WHOLE) > 0.004, `${green(picture, WHOLE)} of the picture is a line`);
  assert.equal(green(picture, [0, 0, 0.2, 1]), 0, 'around the face in the middle');
});
