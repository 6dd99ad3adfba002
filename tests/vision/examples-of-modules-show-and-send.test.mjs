// datachannel-example: codes sent as data and shown as text, faces noted and shown.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { makeCodeVideo } from '../lib/codes.mjs';
import { makeFaceVideo } from '../lib/faces.mjs';
import { fixtureDirectory } from '../lib/fixtures.mjs';
import { looking, pictureAt, shareOf, throughFilter } from '../lib/vision.mjs';

const parts = looking();
const directory = fixtureDirectory();
const WHOLE = [0, 0, 1, 1];

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
