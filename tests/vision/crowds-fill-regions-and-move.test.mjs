// CrowdDetectorFilter: how full regions are, how much moves in them, and whereto.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { fixtureDirectory } from '../lib/fixtures.mjs';
import { drawFilm, looking, pictureAt, shareOf, throughFilter } from '../lib/vision.mjs';

const parts = looking();
const directory = fixtureDirectory();
const EVENTS = ['CrowdDetectorOccupancy', 'CrowdDetectorFluidity', 'CrowdDetectorDirection'];

const LEFT = [[0.02, 0.1], [0.48, 0.1], [0.48, 0.95], [0.02, 0.95]];
const RIGHT = LEFT.map(([x, y]) => [x + 0.5, y]);
const roi = (id, corners, config = {}) => ({ id, points: corners.map(([x, y]) => ({ x, y })), regionOfInterestConfig: config });

/**
 * Nobody for 1.5 s. Then six people stand in the left half, and in the right one as many walk to `towards` (their places from `t`) until 4 s,
 * when they have gone.
 */
function film(size, towards, treated) {
  const [width, height] = size.split('x').map(Number);
  const scale = width / 320;
  const person = 'testsrc2=s=64x128:r=30,scale=' + `${Math.round(26 * scale)}:${Math.round(56 * scale)},trim=end_frame=1,loop=-1:1,setpts=N/30/TB`;
  const at = (x, y, shown) => `overlay=x='W*${x}':y='H*${y}':enable='${shown}'`;
  const places = [0, 1, 2, 3, 4, 5].map((index) => [(index % 3) * 0.12, Math.floor(index / 3) * 0.35]);
  const standing = places.map(([x, y]) => at(0.06 + x, 0.2 + y, 'gt(t,1.5)'));
  const walking = places.map(([x, y]) => at(`(${0.56 + x}+${towards.x})`, `(${0.2 + y}+${towards.y})`, 'between(t,1.5,4)'));
  const copies = places.length * 2;
  const outputs = Array.from({ length: copies }, (_, index) => `[p${index}]`).join('');
  let graph = `${person},split=${copies}${outputs};color=c=0x787c74:s=${size}:r=30[v0]`;
  [...standing, ...walking].forEach((overlay, index) => (graph += `;[v${index}][p${index}]${overlay}[v${index + 1}]`));
  return `${graph};[v${copies}]${treated}`;
}

const config = { occupancyLevelMin: 10, occupancyLevelMed: 22, occupancyLevelMax: 90, sendOpticalFlowEvent: true };
const rois = [roi('left', LEFT, config), roi('right', RIGHT, config)];
const of = (events, type, id) => events.filter((event) => event.type === `CrowdDetector${type}` && event.roiId === id);
/** What was told, in short. */
const inShort = (events) => events.map(({ type, roiId, occupancyPercentage, fluidityPercentage, directionAngle }) => `${type.slice(13)} ${roiId} ${Math.round(occupancyPercentage ?? fluidityPercentage ?? directionAngle)}`).join(', ');
const degreesApart = (one, other) => Math.abs(((one - other + 540) % 360) - 180);

test('a standing crowd fills its region and does not flow, a walking one does, into a direction', async () => {
  const drawn = await drawFilm(directory, 'plain', film('320x240', { x: '0.05*(t-1.5)', y: 0 }, 'null'), { seconds: 6 });
  const { events, recorded } = await throughFilter(parts, 'CrowdDetectorFilter', { rois }, drawn, { events: EVENTS, directory });
  const full = of(events, 'Occupancy', 'left');
  assert.deepEqual(full.map(({ occupancyLevel }) => occupancyLevel), [2], inShort(events));
  // Six of 26 x 56 pixels in 147 x 204.
  assert.ok(Math.abs(full[0].occupancyPercentage - 29.1) < 6, `${full[0].occupancyPercentage} %`);
  assert.deepEqual(of(events, 'Direction', 'left'), []);
  assert.equal(of(events, 'Occupancy', 'right').at(-1).occupancyLevel, 0, 'they have gone');
  const flowing = of(events, 'Fluidity', 'right');
  assert.ok(flowing.some(({ fluidityLevel, fluidityPercentage }) => fluidityLevel === 3 && fluidityPercentage >= 65), JSON.stringify(flowing));
  const [direction] = of(events, 'Direction', 'right');
  assert.ok(degreesApart(direction.directionAngle, 180) < 15, `${direction.directionAngle}`);
  const shown = await pictureAt(recorded, 5.5);
  assert.ok(shareOf(shown, [0.01, 0.2, 0.03, 0.8], [230, 230, 0], 90) + shareOf(shown, [0.01, 0.2, 0.03, 0.8], [255, 140, 0], 90) > 0.15, 'edges of the left region tell its level');
  assert.ok(shareOf(shown, [0.51, 0.2, 0.535, 0.8], [0, 200, 0], 90) > 0.15, 'edges of the empty one');
});

test('crowds in other sizes, with noise and other directions', async () => {
  const kinds = {
    up: ['640x360', { x: 0, y: '-0.08*(t-1.5)' }, 'noise=alls=16:allf=t', 90],
    left: ['480x360', { x: '0.1-0.06*(t-1.5)', y: 0 }, 'noise=alls=10:allf=t,gblur=1', 0],
    down: ['256x192', { x: 0, y: '0.05*(t-1.5)' }, 'eq=brightness=-0.15,noise=alls=8:allf=t', 270],
  };
  const looks = Object.entries(kinds).map(async ([name, [size, towards, treated, angle]]) => {
    const drawn = await drawFilm(directory, name, film(size, towards, treated), { seconds: 8 });
    const { events } = await throughFilter(parts, 'CrowdDetectorFilter', { rois }, drawn, { events: EVENTS, directory });
    const text = `${name}: ${inShort(events)}`;
    assert.ok(of(events, 'Occupancy', 'left').at(-1)?.occupancyLevel >= 1, text);
    assert.equal(of(events, 'Occupancy', 'right').at(-1)?.occupancyLevel, 0, text);
    assert.ok(of(events, 'Fluidity', 'right').some(({ fluidityLevel }) => fluidityLevel >= 2), text);
    assert.deepEqual(of(events, 'Direction', 'left'), [], text);
    assert.ok(degreesApart(of(events, 'Direction', 'right')[0]?.directionAngle, angle) < 25, text);
  });
  await Promise.all(looks);
});

test('regions that make no sense are refused, widths too', async () => {
  const { rpc } = parts;
  const mediaPipeline = await rpc.create('MediaPipeline');
  const refused = ({ code }) => code === 40107;
  const bad = [roi('1', LEFT), roi('a', LEFT.slice(2)), roi('a', [[0, 0], [2, 0], [0, 1]]), roi('a', LEFT, { occupancyLevelMin: 99 })];
  for (const region of bad) await assert.rejects(rpc.create('CrowdDetectorFilter', { mediaPipeline, rois: [region] }), refused, JSON.stringify(region));
  await assert.rejects(rpc.create('CrowdDetectorFilter', { mediaPipeline, rois: [roi('a', LEFT), roi('a', RIGHT)] }), refused);
  const filter = await rpc.create('crowddetector.CrowdDetectorFilter', { mediaPipeline, rois: [] });
  assert.equal(await rpc.invoke(filter, 'getProcessingWidth'), 320);
  await rpc.invoke(filter, 'setProcessingWidth', { processingWidth: 160 });
  assert.equal(await rpc.invoke(filter, 'getProcessingWidth'), 160);
  for (const processingWidth of [0, -5, 100_000]) await assert.rejects(rpc.invoke(filter, 'setProcessingWidth', { processingWidth }), refused);
  await rpc.value('release', { object: mediaPipeline });
});
