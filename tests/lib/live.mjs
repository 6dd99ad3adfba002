// What most media suites need: a server, a client and a browser for the file.

import { after, before } from 'node:test';

import { launchBrowser } from './browser.mjs';
import { connectClient } from './client.mjs';
import { startRivero } from './rivero.mjs';

/**
 * Declares hooks that start everything before the tests of a file and end it
 * after them. The returned object has `server`, `client` and `browser` while
 * tests run. The options are those of `startRivero`; `arrange(parts)` runs last,
 * in the same hook, because Node does not wait for one hook before the next.
 */
export function live(options, arrange = () => {}) {
  const parts = {};
  before(async () => {
    parts.server = await startRivero(options);
    parts.client = await connectClient(parts.server.url);
    parts.browser = await launchBrowser();
    await arrange(parts);
  });
  after(async () => {
    await parts.browser?.close();
    parts.client?.close();
    await parts.server?.stop();
  });
  return parts;
}
