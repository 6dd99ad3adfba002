// ChromaFilter: another background in place of a screen, which is pure, or as screens are.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { fixtureDirectory } from '../lib/fixtures.mjs';
import { assertColour } from '../lib/recording.mjs';
import { drawFilm, drawImage, looking, pictureAt, shareOf, throughFilter } from '../lib/vision.mjs';
import { until } from '../lib/wait.mjs';

const parts = looking();
const directory = fixtureDirectory();
const BACKGROUND = [40, 40, 200];
const SKIN = [224, 172, 140];

/** Somebody of skin, who sways before a screen. */
const film = (screen, { size, rate = 30, treated }) => {
  const [width, height] = size.split('x').map(Number);
  const person = `color=c=0xE0AC8C:s=${Math.round(width / 4)}x${Math.round(height / 2)}:r=${rate}[person]`;
  return `color=c=${screen}:s=${size}:r=${rate}[screen];${person};[screen][person]overlay=x='W*0.4+W*0.05*sin(3*t)':y=H*0.4,${treated}`;
};

const background = () => drawImage(directory, 'background.png', 'color=c=0x2828C8:s=64x48');

/** Left and upper part of the picture, where nobody is: the screen, apart from the outermost pixels. */
const EMPTY = [0.02, 0.05, 0.3, 0.95];
const ABOVE = [0.05, 0.05, 0.95, 0.35];
const PERSON = [0.47, 0.5, 0.58, 0.85];

test('a screen is learnt in 60 pictures and then replaced, a person before it is not', async () => {
  const drawn = await drawFilm(directory, 'pure', film('0x00B140', { size: '320x240', treated: 'null' }), { seconds: 6 });
  const window = { topRightCornerX: 10, topRightCornerY: 10, width: 40, height: 40 };
  const { events, recorded } = await throughFilter(parts, 'ChromaFilter', { window, backgroundImage: await background() }, drawn, { directory });
  assert.deepEqual(events, []);
  const learning = await pictureAt(recorded, 0.7);
  assertColour(learning.at(0.2, 0.8), [0, 177, 64], 'the screen while it is learnt');
  assert.ok(shareOf(learning, [0.03, 0.06, 0.045, 0.2], [255, 0, 0], 120) > 0.25, 'the edge of the window is drawn');
  const keyed = await pictureAt(recorded, 4);
  assert.ok(shareOf(keyed, EMPTY, BACKGROUND) > 0.99 && shareOf(keyed, ABOVE, BACKGROUND) > 0.99, 'the background is seen');
  assert.ok(shareOf(keyed, PERSON, SKIN) > 0.99, 'the person is seen');
});

test('real screens, with shade, folds, noise and bad compression, in other sizes and rates', async () => {
  const treatments = {
    cloth: ['0x568C5C', { size: '640x480', treated: 'vignette=PI/5,noise=alls=14:allf=t' }, { topRightCornerX: 60, topRightCornerY: 60, width: 90, height: 60 }],
    folds: ['0x3C7846', { size: '426x240', rate: 25, treated: "geq=lum='lum(X,Y)*(0.85+0.15*sin(X/25))':cb='cb(X,Y)':cr='cr(X,Y)',noise=alls=8:allf=t" }, { topRightCornerX: 8, topRightCornerY: 8, width: 60, height: 40 }],
    blue: ['0x3C5A9B', { size: '320x240', treated: 'noise=alls=20:allf=t,gblur=1' }, { topRightCornerX: -5, topRightCornerY: 20, width: 60, height: 40 }],
  };
  const image = await drawImage(directory, 'orange.png', 'color=c=0xE08020:s=64x48');
  const looks = Object.entries(treatments).map(async ([name, [screen, options, window]]) => {
    const drawn = await drawFilm(directory, name, film(screen, options), { seconds: 5 });
    const { events, recorded } = await throughFilter(parts, 'ChromaFilter', { window, backgroundImage: image }, drawn, { directory });
    assert.deepEqual(events, []);
    const picture = await pictureAt(recorded, 4);
    const shares = [shareOf(picture, EMPTY, [224, 128, 32], 60), shareOf(picture, ABOVE, [224, 128, 32], 60), 1 - shareOf(picture, PERSON, [224, 128, 32], 30)];
    assert.ok(shares.every((share) => share > 0.95), `${name}: ${shares}`);
  });
  await Promise.all(looks);
});

test('backgrounds come and go, and what cannot be is told', async () => {
  const { rpc } = parts;
  const window = { topRightCornerX: 5, topRightCornerY: 5, width: 30, height: 30 };
  const mediaPipeline = await rpc.create('MediaPipeline');
  for (const bad of [{ width: 0 }, { height: -3 }]) {
    await assert.rejects(rpc.create('ChromaFilter', { mediaPipeline, window: { ...window, ...bad } }), ({ code }) => code === 40107);
  }
  await assert.rejects(rpc.create('ChromaFilter', { mediaPipeline, window, backgroundImage: '/etc/passwd' }), ({ code }) => code === 40107);
  const filter = await rpc.create('chroma.ChromaFilter', { mediaPipeline, window });
  await rpc.value('subscribe', { object: filter, type: 'Error' });
  await assert.rejects(rpc.invoke(filter, 'setBackground', { uri: 'http://169.254.169.254/a.png' }), ({ code }) => code === 40107);
  await rpc.invoke(filter, 'setBackground', { uri: '/tmp/there-is-none.png' });
  await until(() => rpc.events.some((event) => event.object === filter && event.data.type === 'INVALID_URI'), 'the image is told to be missing');
  await rpc.value('release', { object: mediaPipeline });

  const drawn = await drawFilm(directory, 'changes', film('0x00B140', { size: '320x240', treated: 'null' }), { seconds: 8 });
  const image = await background();
  const during = async (object, playing) => {
    await rpc.invoke(object, 'setBackground', { uri: image });
    await playing.reaches(4.5);
    await rpc.invoke(object, 'unsetBackground');
  };
  const { recorded } = await throughFilter(parts, 'ChromaFilter', { window }, drawn, { directory, during });
  assertColour((await pictureAt(recorded, 3.3)).at(0.1, 0.5), BACKGROUND, 'the background that was set');
  assertColour((await pictureAt(recorded, 6.5)).at(0.1, 0.5), [0, 177, 64], 'the screen after it was unset');
});
