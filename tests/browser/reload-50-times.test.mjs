// A user who reloads a page that is in a call, fifty times: every reload leaves
// a connection, a session and a pipeline behind that nobody released. All of it
// has to be given back.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { serveExamples } from '../../examples/serve.mjs';
import { live } from '../lib/live.mjs';
import { usage } from '../lib/process-usage.mjs';
import { noPipelineIsLeft } from '../lib/rpc.mjs';
import { until } from '../lib/wait.mjs';

const RELOADS = 50;
const WARM_UP = 5;
const IDLE_CPU = 0.05; // of one core
const RSS_GROWTH_KIB = 4096; // fifty leaked calls of 100 KiB would be more

// Sessions whose connection is gone are collected after one to two periods.
let examples;
const rivero = live({ config: { resources: { garbageCollectorPeriod: 1 } } }, async ({ server }) => {
  examples = await serveExamples({ port: 0, server: server.url });
});
after(() => examples?.close());

test('fifty reloads in a row leave CPU, memory, threads and sockets as they were', async (t) => {
  const page = await rivero.browser.openPage();
  await reload(page, WARM_UP);
  const before = rivero.server.usage();

  await reload(page, RELOADS);
  await until(() => rivero.server.usage().sockets <= before.sockets, `no more than ${before.sockets} sockets`);
  await until(() => rivero.server.usage().threads <= before.threads, `no more than ${before.threads} threads`);
  await until(() => isIdle(rivero.server.pid), `less than ${IDLE_CPU * 100} % of a core`);
  const now = rivero.server.usage();
  t.diagnostic(`before ${JSON.stringify(before)}`);
  t.diagnostic(`after ${JSON.stringify(now)}`);
  assert.ok(now.rssKib <= before.rssKib + RSS_GROWTH_KIB, `memory grew from ${before.rssKib} to ${now.rssKib} KiB`);
});

/** Abandons `count` calls one after the other; resolves when the server has collected them all. */
async function reload(page, count) {
  for (let i = 0; i < count; i += 1) await callAndAbandon(page);
  await page.goto('about:blank');
  await noPipelineIsLeft(rivero.server.url);
}

/** Starts the call of hello-world, waits for its picture, and leaves the page in the call. */
async function callAndAbandon(page) {
  await page.goto(`${examples.url}hello-world/`);
  await page.click('#start');
  await page.waitForFunction(() => document.querySelector('#state').dataset.state === 'live');
  await page.waitForFunction(() => document.querySelector('#remote').currentTime > 0);
}

/** True when the process used less than IDLE_CPU of a core during the last half second. */
async function isIdle(pid) {
  const from = { cpu: usage(pid).cpuSeconds, at: performance.now() };
  await new Promise((resolve) => setTimeout(resolve, 500));
  const seconds = (performance.now() - from.at) / 1000;
  return (usage(pid).cpuSeconds - from.cpu) / seconds < IDLE_CPU;
}
