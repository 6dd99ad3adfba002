// A server with its console, and a browser that looks at it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before } from 'node:test';

import { launchBrowser } from './browser.mjs';
import { connectClient } from './client.mjs';
import { artefacts, startRivero } from './rivero.mjs';
import { until } from './wait.mjs';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** As `live`, with `address` in addition, that of the console; `write`: it may change something. */
export function liveConsole({ write = false, ...options }, arrange) {
  const parts = {};
  before(async () => {
    const config = { ...options.config, console: { path: artefacts.console, write } };
    parts.server = await startRivero({ ...options, config });
    const port = await until(() => parts.server.log.match(/management on http:\/\/127\.0\.0\.1:(\d+)\//)?.[1], 'the management port is open');
    parts.address = `http://127.0.0.1:${port}/console/`;
    parts.client = await connectClient(parts.server.url);
    parts.browser = await launchBrowser();
    await arrange();
  });
  after(async () => {
    await parts.browser?.close();
    parts.client?.close();
    await parts.server?.stop();
  });
  return parts;
}

/** Fails where axe-core finds something that keeps people out, in both colour schemes. */
export async function assertAccessible(page, what) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axeSource);
    const found = await page.evaluate(async () => (await axe.run()).violations);
    const grave = found.filter(({ impact }) => impact === 'serious' || impact === 'critical');
    const text = grave.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join(' | ')}`);
    assert.deepEqual(text, [], `${what}, ${colorScheme}`);
  }
}
