// Chromium with fake devices, driven through the DevTools protocol.

import { mkdtempSync, rmSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';

import { chromium } from 'playwright-core';

import { browserIn } from './nat.mjs';
import { pageFile, servePages } from './page-server.mjs';

const FLAGS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
  // Several pages run at once: none may be slowed down for being in the background.
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
];

/** What starting it may take, and opening a page: tens of seconds where others keep the processors busy. */
const PATIENCE_MS = 180_000;

/** Where a browser in another namespace finds its pages. */
const INSIDE = 'http://localhost:1';

/** Fails unless only loopback and the veth of netns.sh are there. */
export function assertPrivateNetwork() {
  const foreign = Object.keys(networkInterfaces()).filter((name) => name !== 'lo' && !name.startsWith('media'));
  if (foreign.length > 0) {
    throw new Error(`media tests run in a network namespace of their own: tests/netns.sh node --test FILE (found ${foreign})`);
  }
}

/**
 * A browser with a fresh profile and the pages of `tests/pages`.
 *
 * - `namespace`: the network namespace to run in, see nat.mjs; it gets the pages without a network.
 * - `args`: further ones of its command line; `without`: those of FLAGS to leave out.
 */
export async function launchBrowser({ namespace, args = [], without = [] } = {}) {
  assertPrivateNetwork();
  const profile = mkdtempSync(join(tmpdir(), 'rivero-chromium-'));
  const pages = namespace ? { origin: INSIDE, close() {} } : await servePages();
  const end = async () => {
    await pages.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  let context;
  try {
    context = await chromium.launchPersistentContext(profile, {
      executablePath: namespace ? browserIn(namespace, profile) : (process.env.CHROMIUM ?? '/usr/bin/chromium'),
      args: [...FLAGS.filter((flag) => !without.includes(flag)), ...args],
      headless: false, // FLAGS choose the new headless mode; playwright would choose the old one
      viewport: { width: 960, height: 720 },
      timeout: PATIENCE_MS,
    });
  } catch (error) {
    // The test would wait for what goes on, and end without this error.
    await end();
    throw error;
  }
  context.setDefaultTimeout(PATIENCE_MS);
  if (namespace) await context.route(`${INSIDE}/**`, (route) => fulfil(route));
  return {
    context,
    origin: pages.origin,
    /** Opens the page that has `globalThis.probe`, the media functions of tests/pages/. */
    async openProbe() {
      const page = await openPage(context);
      await page.goto(`${pages.origin}/probe.html`);
      await page.waitForFunction(() => globalThis.probe !== undefined);
      return page;
    },
    openPage: () => openPage(context),
    async close() {
      await context.close();
      await end();
    },
  };
}

/** Answers a page's request without a network. */
async function fulfil(route) {
  const file = await pageFile(route.request().url());
  await (file ? route.fulfill(file) : route.fulfill({ status: 404 }));
}

/** A page whose uncaught errors and console errors are kept in `page.troubles`. */
async function openPage(context) {
  const page = await context.newPage();
  page.troubles = [];
  page.on('pageerror', (error) => page.troubles.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && page.troubles.push(message.text()));
  return page;
}
