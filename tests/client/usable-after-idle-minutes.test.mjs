// D11: an object is usable after its client was idle for two minutes (three seconds at SCALE=1),
// in which the collector passes many times.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { connectClient, invoke } from '../lib/client.mjs';
import { connectClient6 } from '../lib/client-6.mjs';
import { nextEvent } from '../lib/wait.mjs';
import { startRivero } from '../lib/rivero.mjs';

const IDLE_MS = Number(process.env.SCALE ?? 1) > 1 ? 120_000 : 3_000;

let server;
before(async () => (server = await startRivero({ modules: ['passthrough'], config: { resources: { garbageCollectorPeriod: 1 } } })));
after(() => server?.stop());

for (const [version, connect] of [['7.3.0', connectClient], ['6.18.0', connectClient6]]) {
  test(`with kurento-client ${version}`, async () => {
    const client = await connect(server.url);
    const pipeline = await client.create('MediaPipeline');
    const [element, sink] = [await pipeline.create('PassThrough'), await pipeline.create('PassThrough')];
    const connected = nextEvent(element, 'ElementConnected', () => true, IDLE_MS + 30_000);
    // Nothing is waited for: that nothing happens is what the client does.
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    assert.equal(await invoke(element, 'getName'), element.id);
    await invoke(element, 'connect', sink);
    await connected;
    await pipeline.release();
    client.close();
  });
}
