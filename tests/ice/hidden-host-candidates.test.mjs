// Both sides on one network, and the browser hides its addresses behind .local
// names, which the server asks for by multicast DNS.

import assert from 'node:assert/strict';
import { after } from 'node:test';

import { traversalTests } from '../lib/traversal.mjs';

const names = new Set();

traversalTests({
  way: 'hidden host addresses',
  // Pages that may use the camera hide nothing.
  browser: { without: ['--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream'] },
  // Nothing that the server announces reaches the browser: it is for the server to find it.
  allows: () => (text) => {
    const [, , , , address] = text.split(' ');
    if (address.endsWith('.local')) names.add(address);
    return address.endsWith('.local');
  },
  families: ['v4'],
  expects: { local: ['host'], remote: ['host'] },
});

after(() => assert.ok(names.size > 0, 'the browser hid nothing'));
