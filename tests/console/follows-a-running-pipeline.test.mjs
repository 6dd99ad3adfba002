// The console beside a call: what it draws of it, and how it is used without a mouse.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { assertAccessible, liveConsole } from '../lib/console.mjs';
import { COLOURS, seesColour } from '../lib/media.mjs';
import { until } from '../lib/wait.mjs';

const SECRET = 's3cret';
const READERS = 32;
const rivero = liveConsole({ write: true }, arrange);
const made = {};
let page;

async function arrange() {
  const pipeline = await rivero.client.create('MediaPipeline');
  await invoke(pipeline, 'setName', 'studio');
  const create = (type, params) => pipeline.create(type, params);
  const [presenter, converted, direct] = [await create('WebRtcEndpoint'), await create('WebRtcEndpoint'), await create('WebRtcEndpoint')];
  const [first, second] = [await create('PassThrough'), await create('PassThrough')];
  await invoke(presenter, 'setName', 'presenter');
  await invoke(presenter, 'addTag', 'token', SECRET);
  Object.assign(made, { pipeline, presenter, converted, direct, first, second });
  await invoke(presenter, 'connect', first);
  await invoke(first, 'connect', converted);
  await invoke(presenter, 'connect', second);
  await invoke(second, 'connect', direct);
  const stage = await rivero.browser.openProbe();
  await stage.evaluate((colour) => probe.createSource('camera', { colour, toneHz: 800 }), COLOURS.red);
  const calls = await Calls.on(stage);
  await calls.open('presenter', presenter, { send: 'camera', receive: false, codecs: { video: 'VP8', audio: 'opus' } });
  await calls.open('converted', converted, { codecs: { video: 'H264', audio: 'opus' } });
  await calls.open('direct', direct, { codecs: { video: 'VP8', audio: 'opus' } });
  await seesColour(stage, 'converted', COLOURS.red);
  page = await rivero.browser.openPage();
  await page.setViewportSize({ width: 1440, height: 900 });
}

const box = (id) => page.locator(`.box[data-id="${id}"]`);
const arrow = (from, to) => page.locator(`.arrow[data-key="${from}→${to}"]`);

/** Presses Tab until the focus is at what `isMeant` says; its text, or that of its label. */
async function tabTo(name) {
  await until(async () => {
    await page.keyboard.press('Tab');
    return page.evaluate((wanted) => {
      const { activeElement: at } = document;
      return (at.getAttribute('aria-label') ?? at.textContent).trim().startsWith(wanted);
    }, name);
  }, `the focus comes to ${name}`);
}

test('a pipeline of five elements is drawn with its conversion, reached by keyboard alone', async () => {
  await page.goto(rivero.address);
  await page.getByRole('link', { name: 'studio' }).waitFor();
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the content');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  await tabTo('studio');
  await page.keyboard.press('Enter');
  for (const element of [made.presenter, made.converted, made.direct, made.first, made.second]) await box(element.id).waitFor();
  await page.locator('.box.conversion').first().waitFor();
  await page.locator('.box.conversion', { hasText: 'H264' }).first().waitFor();
  await arrow(made.presenter.id, made.second.id).getByText(/video VP8 [\d.]+ [kM]bit\/s/).waitFor();
  await page.locator('.arrow.flowing.converted').first().waitFor();
  const converts = page.getByRole('row', { name: /VP8 .*H264 converted/ });
  await converts.waitFor();
  await tabTo('WebRtcEndpoint presenter');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'WebRtcEndpoint presenter' }).waitFor();
  assert.equal(await box(made.presenter.id).getAttribute('aria-pressed'), 'true');
  await page.locator('.element').getByText(/in [\d.]+ \/s, out [1-9][\d.]* \/s/).waitFor();
  await page.locator('.element').getByRole('row', { name: /^connectionState/ }).waitFor();
  await page.locator('.element summary', { hasText: 'inboundrtp' }).first().waitFor();
  await page.locator('.element').getByRole('row', { name: /^token/ }).waitFor();
  assert.equal((await page.content()).includes(SECRET), false);
});

test('links are drawn as they come and go, with their events', async () => {
  const { second, direct } = made;
  const cut = performance.now();
  await invoke(second, 'disconnect', direct);
  await arrow(second.id, direct.id).waitFor({ state: 'detached' });
  const gone = performance.now();
  await page.getByRole('row', { name: /ElementDisconnected/ }).first().waitFor();
  await invoke(second, 'connect', direct);
  await arrow(second.id, direct.id).waitFor();
  console.log(`a cut link is gone after ${Math.round(gone - cut)} ms`);
});

test('nobody is kept out, in light and in dark', async () => {
  await assertAccessible(page, 'a pipeline');
  for (const view of ['Sessions', 'Modules', 'Events', 'Log', 'Pipelines']) {
    await page.getByRole('link', { name: view, exact: true }).click();
    await page.getByRole('heading', { name: view, exact: true }).waitFor();
    await assertAccessible(page, view);
  }
});

test('a level of the log is changed where the operator allows it', async () => {
  await page.goto(`${rivero.address}#/modules`);
  await page.getByRole('row', { name: /^webrtc .*live/ }).waitFor();
  const level = page.getByLabel('Log level of webrtc');
  assert.equal(rivero.server.log.includes('TRACE module'), false);
  await level.selectOption('trace');
  await until(() => rivero.server.log.includes('the console changed a level of the log'), 'it is logged');
  await until(() => /TRACE module: /.test(rivero.server.log), 'the module says more');
  await page.getByRole('link', { name: 'Log', exact: true }).click();
  await page.getByRole('row', { name: /the console changed a level of the log/ }).first().waitFor();
  await page.goto(`${rivero.address}#/modules`);
  await level.selectOption('');
  await until(() => rivero.server.log.includes('as at the start'), 'it is as it was');
});

test('a page that is closed is none to the server any more', async () => {
  assert.deepEqual(page.troubles, []);
  await page.close();
  const abort = new AbortController();
  let open = 0;
  const takePlace = async () => {
    const { status } = await fetch(`${rivero.address}api`, { signal: abort.signal });
    if (status === 200) open += 1;
    return open === READERS;
  };
  await until(takePlace, 'all places for readers are free');
  abort.abort();
});
