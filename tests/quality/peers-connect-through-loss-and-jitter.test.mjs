// Peers of each stack connect through paths that lose one in twenty datagrams and delay the others unevenly, be
// they the client of DTLS or the server, and hear each sound that they send.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { connectClient } from '../lib/client.mjs';
import { connectMany, STACKS } from '../lib/impaired.mjs';
import { startRelay } from '../lib/relay.mjs';
import { startRivero } from '../lib/rivero.mjs';

const COUNT = Number(process.env.SCALE ?? 1) >= 10 ? 50 : 10;
/** More encoders and decoders in one process would be a test of the machine. */
const AT_A_TIME = 10;

const parts = {};
before(async () => {
  parts.relay = startRelay();
  parts.server = await startRivero({ modules: ['webrtc'] });
  parts.client = await connectClient(parts.server.url);
});
after(async () => {
  parts.client?.close();
  await parts.server?.stop();
  parts.relay?.stop();
});

for (const [name, launch] of Object.entries(STACKS)) {
  test(`${COUNT} of ${name} connect, and ${COUNT} that the server calls`, async (t) => {
    const stack = await launch();
    try {
      for (const offered of [false, true]) {
        const times = [];
        while (times.length < COUNT) {
          times.push(...(await connectMany(parts, stack, { count: AT_A_TIME, offered, first: times.length })));
        }
        t.diagnostic(`${offered ? 'the server offers' : `${name} offers`}: connected within ${times.sort((a, b) => a - b).join(', ')} ms`);
        assert.equal(times.length, COUNT);
      }
    } finally {
      await stack.close();
    }
  });
}
