// The pages group-call and vision's plates, in Chromium: who joins is seen by all, and plates before a camera are read.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { serveExamples } from '../../examples/serve.mjs';
import { fixtureDirectory } from '../lib/fixtures.mjs';
import { live } from '../lib/live.mjs';
import { noPipelineIsLeft } from '../lib/rpc.mjs';
import { PATIENCE_MS, until } from '../lib/wait.mjs';

const directory = fixtureDirectory();
const PLATES = ['KL 4821 M', 'FR-307-GT'];
let examples;
const rivero = live({}, async ({ server }) => {
  examples = await serveExamples({ port: 0, server: server.url });
});
after(() => examples?.close());

async function open(path) {
  const page = await rivero.browser.openPage();
  await page.goto(new URL(path, examples.url).href);
  return page;
}

const reaches = (page, state) =>
  page
    .waitForFunction((wanted) => document.querySelector('#state').dataset.state === wanted, state, { timeout: PATIENCE_MS })
    .catch(async () => assert.fail(`state ${state} not reached; the page says: ${await page.textContent('#state')}`));

/** Puts a plain colour in place of the camera, and where there is one a plate upon it; runs in the page. */
function camera({ colour, plate }) {
  const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 480 });
  const context = canvas.getContext('2d');
  const draw = () => {
    context.fillStyle = colour;
    context.fillRect(0, 0, 640, 480);
    if (!plate) return;
    context.fillStyle = '#111';
    context.fillRect(150, 250, 340, 74);
    context.fillStyle = '#f4f4f4';
    context.fillRect(154, 254, 332, 66);
    context.fillStyle = '#111';
    context.font = 'bold 50px "DejaVu Sans Mono"';
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    context.fillText(plate, 320, 289, 310);
  };
  setInterval(draw, 50);
  navigator.mediaDevices.getUserMedia = async () => canvas.captureStream(20);
}

/** Colour in the middle of a part of the picture that a page shows, in shares of it; runs in the page. */
function colourAt([x, y]) {
  const video = document.querySelector('#screen');
  const canvas = Object.assign(document.createElement('canvas'), { width: 8, height: 6 });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(video, 0, 0, 8, 6);
  return [...context.getImageData(Math.floor(x * 8), Math.floor(y * 6), 1, 1).data.slice(0, 3)];
}

const sees = (page, place, [red, green, blue]) =>
  until(async () => {
    const seen = await page.evaluate(colourAt, place);
    return [red, green, blue].every((value, channel) => Math.abs(value - seen[channel]) < 60);
  }, `${[red, green, blue]} is seen at ${place}`);

test('group-call: each who joins is seen by all, and who leaves is gone', async () => {
  const [first, second] = [await open('/group-call/'), await open('/group-call/')];
  await first.evaluate(camera, { colour: 'rgb(200 40 40)' });
  await second.evaluate(camera, { colour: 'rgb(40 60 200)' });
  await first.fill('#name', 'Anna');
  await first.click('#join');
  await reaches(first, 'live');
  await sees(first, [0.5, 0.5], [200, 40, 40]);
  await second.fill('#name', 'Béla');
  await second.click('#join');
  await reaches(second, 'live');
  for (const page of [first, second]) {
    await sees(page, [0.25, 0.5], [200, 40, 40]);
    await sees(page, [0.75, 0.5], [40, 60, 200]);
  }
  writeFileSync(join(directory, 'group-call.png'), await second.screenshot());
  await second.click('#leave');
  await sees(first, [0.75, 0.5], [200, 40, 40]);
  assert.deepEqual([...first.troubles, ...second.troubles], []);
  await first.click('#leave');
  await noPipelineIsLeft(rivero.server.url);
  await Promise.all([first.close(), second.close()]);
});

test('vision: plates before the camera are read', async () => {
  const page = await open('/vision/?filter=plate');
  for (const plate of PLATES) {
    await page.evaluate(camera, { colour: '#506070', plate });
    await page.click('#start');
    await reaches(page, 'live');
    await until(async () => (await page.textContent('#seen')).includes(`Plate ${plate.replaceAll(/[ -]/g, '')}`), `${plate} is read`);
    writeFileSync(join(directory, 'plate.png'), await page.screenshot());
    await page.click('#stop');
    await noPipelineIsLeft(rivero.server.url);
    await page.reload();
  }
  assert.deepEqual(page.troubles, []);
  await page.close();
});
