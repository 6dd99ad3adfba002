// The console of a server with 500 pipelines: its page is never busy for long.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { liveConsole } from '../lib/console.mjs';
import { connectRpc } from '../lib/rpc.mjs';

const PIPELINES = 500;
const LONGEST_MS = 100;
/** A page that is slow is so each time; one that others keep from the processor is not. */
const ATTEMPTS = 6;

const rivero = liveConsole({ modules: ['passthrough'] }, arrange);
let rpc;

async function arrange() {
  rpc = await connectRpc(rivero.server.url);
  const made = await Promise.all(Array.from({ length: PIPELINES }, () => rpc.create('MediaPipeline')));
  await Promise.all(made.map((pipeline, index) => rpc.invoke(pipeline, 'setName', { name: `pipeline ${index}` })));
}

/** Opens the page and looks around; resolves to the lengths of its tasks of more than 50 ms. */
async function visit() {
  const page = await rivero.browser.openPage();
  await page.addInitScript(() => {
    globalThis.tasks = [];
    new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask', buffered: true });
  });
  await page.goto(rivero.address);
  const status = page.locator('.tools').getByRole('status');
  await status.getByText(`${PIPELINES} shown, page 1 of 20`).waitFor();
  await page.getByRole('button', { name: 'Next' }).click();
  await status.getByText('page 2 of 20').waitFor();
  await page.getByLabel('Filter').fill('pipeline 49');
  await status.getByText(`11 of ${PIPELINES} shown`).waitFor();
  await page.getByLabel('Filter').fill('');
  // Something changes for as long as somebody looks.
  for (let round = 0; round < 3; round++) {
    const pipeline = await rpc.create('MediaPipeline');
    await status.getByText(`${PIPELINES + 1} shown`).waitFor();
    await rpc.value('release', { object: pipeline });
    await status.getByText(`${PIPELINES} shown, page`).waitFor();
  }
  const tasks = await page.evaluate(() => tasks);
  assert.deepEqual(page.troubles, []);
  await page.close();
  return tasks;
}

test('no task of the page takes more than 100 ms', async () => {
  const visits = [];
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    visits.push(await visit());
    if (Math.max(0, ...visits.at(-1)) <= LONGEST_MS) return;
  }
  assert.fail(`tasks of more than 50 ms, by visit: ${JSON.stringify(visits)}`);
});
