// The media assertions must notice the wrong colour, a frozen picture and the
// wrong tone; otherwise every other suite proves nothing.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launchBrowser } from '../lib/browser.mjs';
import { COLOURS, hearsTone, seesColour, seesMotion } from '../lib/media.mjs';

const SHORT_MS = 1500;
let browser;
let page;

before(async () => {
  browser = await launchBrowser();
  page = await browser.openProbe();
  await page.evaluate(() => {
    probe.createSource('camera', { colour: [40, 40, 200], toneHz: 700 });
    probe.attachSink('direct', probe.sourceStream('camera'));
  });
  await seesColour(page, 'direct', COLOURS.blue);
  await seesMotion(page, 'direct');
  await hearsTone(page, 'direct', 700);
});
after(() => browser?.close());

test('a wrong colour is noticed', async () => {
  await assert.rejects(seesColour(page, 'direct', COLOURS.red, SHORT_MS), /it shows/);
});

test('a wrong tone is noticed', async () => {
  await assert.rejects(hearsTone(page, 'direct', 1000, SHORT_MS), /it sounds at/);
});

test('a frozen picture is noticed', async () => {
  await page.evaluate(() => probe.stopSource('camera'));
  await assert.rejects(seesMotion(page, 'direct', SHORT_MS), /pictures of direct move/);
});

test('silence is noticed', async () => {
  await assert.rejects(hearsTone(page, 'direct', 700, SHORT_MS), /it sounds at null/);
});
