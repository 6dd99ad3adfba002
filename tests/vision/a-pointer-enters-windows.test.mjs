// PointerDetectorFilter: an object is followed by its colour, and what windows it enters and leaves is told and shown.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { fixtureDirectory } from '../lib/fixtures.mjs';
import { drawFilm, drawImage, looking, pictureAt, shareOf, throughFilter } from '../lib/vision.mjs';

const parts = looking();
const directory = fixtureDirectory();
const EVENTS = ['WindowIn', 'WindowOut'];
// Seconds: a busy machine is late to learn the colour.
const REST = 4;

/**
 * A pointer of a colour that rests in the calibration region for `REST` seconds, then goes to the right by half of the picture each second, in a
 * picture `size`, with somebody in a jumper of another colour behind it.
 */
const film = (colour, size, treated) => {
  const [width, height] = size.split('x').map(Number);
  const side = Math.round(width / 12);
  const behind = `color=c=0x707868:s=${size}:r=30,drawbox=x=iw*0.3:y=ih*0.4:w=iw*0.3:h=ih*0.6:color=0x305080:t=fill[behind]`;
  const pointer = `color=c=${colour}:s=${side}x${side}:r=30[pointer]`;
  const x = `if(lt(t,${REST}),W*0.05,W*(0.05+(t-${REST})*0.5))`;
  return `${behind};${pointer};[behind][pointer]overlay=x='${x}':y=${Math.round(height * 0.5)},${treated}`;
};

const region = (size) => {
  const [width, height] = size.split('x').map(Number);
  return { topRightCornerX: Math.round(width * 0.06), topRightCornerY: Math.round(height * 0.52), width: Math.round(width / 20), height: Math.round(height / 16) };
};

const windows = (size, images = {}) => {
  const [width, height] = size.split('x').map(Number);
  const window = (id, x) => ({ id, upperRightX: Math.round(width * x), upperRightY: Math.round(height * 0.35), width: Math.round(width * 0.2), height: Math.round(height * 0.4) });
  return [{ ...window('one', 0.3), ...images }, window('two', 0.65)];
};

const told = (events) => events.map(({ type, windowId }) => `${type} ${windowId}`);
const ALL = ['WindowIn one', 'WindowOut one', 'WindowIn two', 'WindowOut two'];
const track = async (filter, playing) => {
  await playing.reaches(1);
  await parts.rpc.invoke(filter, 'trackColorFromCalibrationRegion');
};

test('a pointer goes through two windows, which show their images', async () => {
  const size = '320x240';
  const drawn = await drawFilm(directory, 'plain', film('red', size, 'null'), { seconds: REST + 3 });
  const image = await drawImage(directory, 'usual.png', 'color=c=0x2828C8:s=32x32');
  const activeImage = await drawImage(directory, 'active.png', 'color=c=0x28A028:s=32x32');
  const parameters = { calibrationRegion: region(size), windows: windows(size, { image, activeImage, imageTransparency: 0 }) };
  const { events, recorded } = await throughFilter(parts, 'PointerDetectorFilter', parameters, drawn, { events: EVENTS, during: track, directory });
  assert.deepEqual(told(events), ALL);
  const resting = await pictureAt(recorded, 0.5);
  assert.ok(shareOf(resting, [0.32, 0.4, 0.48, 0.7], [40, 40, 200]) > 0.9, 'the image of the window');
  assert.ok(shareOf(resting, [0.64, 0.36, 0.67, 0.74], [255, 255, 255], 100) > 0.1, 'edges of the other one');
  // It is in the window from 0.5 to 0.9 s after it left.
  const inside = await pictureAt(recorded, REST + 0.75);
  assert.ok(shareOf(inside, [0.32, 0.4, 0.48, 0.48], [40, 160, 40]) > 0.5, 'the image while the pointer is in it');
});

test('pointers of other colours, with noise, dim light, other sizes', async () => {
  const kinds = {
    green: ['0x30A050', '640x360', 'noise=alls=16:allf=t'],
    orange: ['0xE07818', '480x360', 'eq=brightness=-0.12:contrast=0.8,noise=alls=10:allf=t'],
    pink: ['0xE060A0', '352x288', 'gblur=2,noise=alls=10:allf=t'],
  };
  const looks = Object.entries(kinds).map(async ([name, [colour, size, treated]]) => {
    const drawn = await drawFilm(directory, name, film(colour, size, treated), { seconds: REST + 3 });
    const parameters = { calibrationRegion: region(size), windows: windows(size) };
    const { events } = await throughFilter(parts, 'PointerDetectorFilter', parameters, drawn, { events: EVENTS, during: track, directory });
    assert.deepEqual(told(events), ALL, name);
  });
  await Promise.all(looks);
});

test('windows are added, replaced and removed; what cannot be is refused', async () => {
  const { rpc } = parts;
  const size = '320x240';
  const mediaPipeline = await rpc.create('MediaPipeline');
  const create = (parameters) => rpc.create('PointerDetectorFilter', { mediaPipeline, calibrationRegion: region(size), ...parameters });
  const [window] = windows(size);
  const refused = ({ code }) => code === 40107;
  await assert.rejects(create({ calibrationRegion: { ...region(size), width: 0 } }), refused);
  await assert.rejects(create({ windows: [{ ...window, height: 0 }] }), refused);
  await assert.rejects(create({ windows: [{ ...window, image: '/etc/passwd' }] }), refused);
  const filter = await create({});
  for (const bad of [{ imageTransparency: 2 }, { activeImage: 'rtsp://127.0.0.1/a' }, { width: -1 }]) {
    await assert.rejects(rpc.invoke(filter, 'addWindow', { window: { ...window, ...bad } }), refused);
  }
  await rpc.invoke(filter, 'addWindow', { window });
  await rpc.invoke(filter, 'addWindow', { window });
  await rpc.invoke(filter, 'removeWindow', { windowId: window.id });
  await rpc.invoke(filter, 'removeWindow', { windowId: 'none' });
  await rpc.invoke(filter, 'clearWindows');
  await rpc.value('release', { object: mediaPipeline });

  const drawn = await drawFilm(directory, 'changes', film('red', size, 'null'), { seconds: REST + 3 });
  const during = async (object, playing) => {
    await playing.reaches(0.5);
    for (const added of windows(size)) await rpc.invoke(object, 'addWindow', { window: added });
    await rpc.invoke(object, 'removeWindow', { windowId: 'one' });
    await track(object, playing);
  };
  const { events } = await throughFilter(parts, 'PointerDetectorFilter', { calibrationRegion: region(size) }, drawn, { events: EVENTS, during, directory });
  assert.deepEqual(told(events), ['WindowIn two', 'WindowOut two']);
});
