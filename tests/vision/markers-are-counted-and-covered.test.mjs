// ArMarkerdetector: ArUco markers are counted as they come and go, and drawn over.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { fixtureDirectory } from '../lib/fixtures.mjs';
import { drawMarker } from '../lib/markers.mjs';
import { drawFilm, drawImage, looking, pictureAt, shareOf, throughFilter } from '../lib/vision.mjs';

const parts = looking();
const directory = fixtureDirectory();

/** One marker from the beginning, another one, twice, from 1.5 to 4 s; the first one moves and turns. */
function film(size, treated) {
  const turning = '[1:v]format=rgba,rotate=t/3:c=gray@0:ow=rotw(PI/4):oh=roth(PI/4)[turning]';
  const [twice, shown] = ['[2:v]split[a][b]', "enable='between(t,1.5,4)'"];
  const first = "[0:v][turning]overlay=x='W*0.05+t*W/40':y='H*0.3'[v1]";
  return `${turning};${twice};${first};[v1][a]overlay=x=W*0.5:y=H*0.05:${shown}[v2];[v2][b]overlay=x=W*0.7:y=H*0.55:${shown},${treated},scale=${size}`;
}

async function counted(name, [first, second], cell, size, treated, during) {
  const ground = await drawImage(directory, `${name}.png`, `color=c=0xB0B0A8:s=${size}`);
  const inputs = [ground, drawMarker(directory, first, cell), drawMarker(directory, second, cell)];
  const drawn = await drawFilm(directory, name, film(size, treated), { inputs, seconds: 7 });
  const { events, recorded } = await throughFilter(parts, 'ArMarkerdetector', {}, drawn, { events: ['MarkerCount'], during, directory });
  const changes = events.map(({ type, markerId, markerCount, markerCountDiff }) => ({ type, markerId, markerCount, markerCountDiff }));
  return { changes, recorded };
}

/** The number of a marker after all changes, each of which must say by how much. */
function last(changes, id) {
  let count = 0;
  for (const change of changes.filter(({ markerId }) => markerId === id)) {
    assert.equal(change.markerCount - count, change.markerCountDiff, JSON.stringify(changes));
    count = change.markerCount;
  }
  return count;
}

test('markers are counted as they come and go, and drawn over by an image and a text', async () => {
  const image = await drawImage(directory, 'overlay.png', 'color=c=0x2828C8:s=32x32');
  const { rpc } = parts;
  const during = async (filter) => {
    await rpc.invoke(filter, 'setOverlayImage', { overlayImage: image });
    await rpc.invoke(filter, 'setOverlayText', { overlayText: 'a text' });
    await rpc.invoke(filter, 'setOverlayScale', { overlayScale: 1.5 });
    assert.equal(await rpc.invoke(filter, 'getOverlayImage'), image);
    assert.equal(await rpc.invoke(filter, 'getOverlayText'), 'a text');
    assert.equal(await rpc.invoke(filter, 'getOverlayScale'), 1.5);
  };
  const { changes, recorded } = await counted('plain', ['4X4 0', '600'], 8, '480x360', 'null', during);
  assert.deepEqual(changes.filter(({ type }) => type === 'Error'), []);
  assert.equal(last(changes, 0), 1);
  assert.ok(changes.some(({ markerId, markerCount }) => markerId === 600 && markerCount === 2), JSON.stringify(changes));
  assert.equal(last(changes, 600), 0);
  assert.deepEqual([...new Set(changes.map(({ markerId }) => markerId))].sort((a, b) => a - b), [0, 600]);
  const shown = await pictureAt(recorded, 3);
  assert.ok(shareOf(shown, [0.53, 0.07, 0.62, 0.11], [40, 40, 200]) > 0.9, 'the image over the marker');
  assert.ok(shareOf(shown, [0.5, 0.1, 0.66, 0.25], [255, 255, 255], 60) > 0.02, 'the text over it');
});

test('with noise, blur, in other sizes', async () => {
  const kinds = { noise: [['4X4 7', '77'], 9, '640x480', 'noise=alls=24:allf=t'], small: [['1000', '4X4 0'], 6, '320x240', 'gblur=0.7,noise=alls=10:allf=t'] };
  const looks = Object.entries(kinds).map(async ([name, [markers, cell, size, treated]]) => {
    const { changes } = await counted(name, markers, cell, size, treated);
    const [one, other] = markers.map((marker) => Number(marker.split(' ').at(-1)));
    assert.equal(last(changes, one), 1, `${name}: ${JSON.stringify(changes)}`);
    assert.ok(changes.some(({ markerId, markerCount }) => markerId === other && markerCount === 2), `${name}: ${JSON.stringify(changes)}`);
    assert.equal(last(changes, other), 0);
  });
  await Promise.all(looks);
});

test('what cannot be set is refused', async () => {
  const { rpc } = parts;
  const mediaPipeline = await rpc.create('MediaPipeline');
  const filter = await rpc.create('markerdetector.ArMarkerdetector', { mediaPipeline });
  const refused = ({ code }) => code === 40107;
  await assert.rejects(rpc.invoke(filter, 'setOverlayImage', { overlayImage: '/etc/passwd' }), refused);
  for (const overlayScale of [0, -1]) await assert.rejects(rpc.invoke(filter, 'setOverlayScale', { overlayScale }), refused);
  await rpc.invoke(filter, 'setOverlayImage', { overlayImage: '' });
  await rpc.invoke(filter, 'setShowDebugLevel', { showDebugLevel: 1 });
  assert.equal(await rpc.invoke(filter, 'getShowDebugLevel'), 1);
  await rpc.value('release', { object: mediaPipeline });
});
