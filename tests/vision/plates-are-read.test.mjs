// PlateDetectorFilter: number plates of several countries are read while they move, and lines are drawn around them.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { fixtureDirectory } from '../lib/fixtures.mjs';
import { drawFilm, drawImage, looking, pictureAt, throughFilter } from '../lib/vision.mjs';

const parts = looking();
const directory = fixtureDirectory();
const FONTS = '/usr/share/fonts/truetype/dejavu';
const SECONDS = 2.2;

/** What a plate says, its font, colour, width in the picture, turn in degrees, and how much lower its left side is. */
const PLATES = [
  ['FL-927-KS', 'DejaVuSansMono-Bold', 'F4F4F4', 0.34, 0, 0],
  ['7315 LKD', 'DejaVuSansMono-Bold', 'F4F4F4', 0.28, 4, 0.05],
  ['HH RT 2048', 'DejaVuSansCondensed-Bold', 'F4F4F4', 0.4, -5, 0],
  ['YK19 RVE', 'DejaVuSans-Bold', 'F2D020', 0.3, -3, 0.08],
  ['KR 58P24', 'DejaVuSansCondensed-Bold', 'F4F4F4', 0.36, 6, 0],
  ['48-SXR-3', 'DejaVuSansMono-Bold', 'F0C818', 0.45, 2, -0.06],
  ['BE 493027', 'DejaVuSansCondensed-Bold', 'F4F4F4', 0.25, -2, 0],
  ['MKE 517', 'DejaVuSans-Bold', 'F4F4F4', 0.55, 7, 0],
  ['5A2 8637', 'DejaVuSansCondensed-Bold', 'F4F4F4', 0.32, 0, 0.1],
  ['GR 635 TN', 'DejaVuSansMono-Bold', 'F4F4F4', 0.48, -6, -0.04],
];

const drawPlate = ([text, font, ground], index) => {
  const edge = 'drawbox=x=0:y=0:w=1040:h=220:c=0x181818:t=8,drawbox=x=8:y=8:w=84:h=204:c=0x003399:t=fill';
  const letters = `drawtext=fontfile=${FONTS}/${font}.ttf:text='${text}':fontsize=150:fontcolor=0x141414:x=112+(900-text_w)/2:y=(h-text_h)/2`;
  return drawImage(directory, `plate-${index}.png`, `color=c=0x${ground}:s=1040x220,${edge},${letters}`);
};

/** The plates one after the other, each moving over a car. */
function film(size, treated) {
  const [width] = size.split('x').map(Number);
  const shown = PLATES.map(([, , , share, degrees, lower], index) => {
    const across = Math.round((share * width) / 2) * 2;
    const down = Math.round(across / 4.7);
    const tilt = `perspective=x0=0:y0=${Math.max(0, lower)}*H:x1=W:y1=${Math.max(0, -lower)}*H:x2=0:y2=H*(1-${Math.max(0, lower)}):x3=W:y3=H*(1-${Math.max(0, -lower)}):sense=destination`;
    const turn = `rotate=${degrees}*PI/180:c=none:ow=rotw(PI/12):oh=roth(PI/12)`;
    const [from, to] = [index * SECONDS, (index + 1) * SECONDS];
    const place = `x='(W-w)/2+(t-${from})*W/60':y='(H-h)*0.62':enable='between(t,${from},${to})'`;
    return `[${index + 1}:v]scale=${across}:${down}:flags=area,format=rgba,${lower ? `${tilt},` : ''}${turn}[p${index}];[v${index}][p${index}]overlay=${place}[v${index + 1}]`;
  });
  const car = `[0:v]drawbox=x=iw*0.1:y=ih*0.25:w=iw*0.8:h=ih*0.6:c=0x702028:t=fill,drawbox=x=iw*0.2:y=ih*0.3:w=iw*0.6:h=ih*0.12:c=0x202428:t=fill[v0]`;
  return `${car};${shown.join(';')};[v${PLATES.length}]${treated}`;
}

test('9 of 10 plates are read, each is told once, and nothing else', async () => {
  const inputs = [await drawImage(directory, 'street.png', 'color=c=0x788090:s=960x540'), ...(await Promise.all(PLATES.map(drawPlate)))];
  const drawn = await drawFilm(directory, 'plates', film('960x540', 'noise=alls=12:allf=t'), { inputs, seconds: PLATES.length * SECONDS });
  const { events, recorded } = await throughFilter(parts, 'platedetector.PlateDetectorFilter', {}, drawn, { events: ['PlateDetected'], directory });
  assert.deepEqual(events.filter(({ type }) => type === 'Error'), []);
  const told = events.map(({ plate }) => plate);
  const wanted = PLATES.map(([text]) => text.replaceAll(/[ -]/g, ''));
  const missed = wanted.filter((plate) => !told.includes(plate));
  assert.ok(missed.length <= 1, `missed ${missed}, told ${told}`);
  assert.ok(told.filter((plate) => !wanted.includes(plate)).length <= 1, `told ${told}`);
  assert.equal(new Set(told).size, told.length, `told ${told}`);
  // Kurento's name of it within the event is not that of the event.
  const types = parts.rpc.events.filter(({ type }) => type === 'PlateDetected').map(({ data }) => data.type);
  assert.deepEqual([...new Set(types)], ['plate-detected']);
  const { pixels } = await pictureAt(recorded, SECONDS * 0.9);
  let red = 0;
  for (let at = 0; at < pixels.length; at += 3) red += pixels[at] > 190 && pixels[at + 1] < 90 && pixels[at + 2] < 90 ? 1 : 0;
  assert.ok(red > 300, `${red} pixels of a line around the plate`);
});

test('a width that is none is refused', async () => {
  const { rpc } = parts;
  const mediaPipeline = await rpc.create('MediaPipeline');
  const filter = await rpc.create('platedetector.PlateDetectorFilter', { mediaPipeline });
  for (const plateWidthPercentage of [0, -0.1, 1.01]) {
    await assert.rejects(rpc.invoke(filter, 'setPlateWidthPercentage', { plateWidthPercentage }), ({ code }) => code === 40107);
  }
  await rpc.invoke(filter, 'setPlateWidthPercentage', { plateWidthPercentage: 0.4 });
  await rpc.value('release', { object: mediaPipeline });
});
