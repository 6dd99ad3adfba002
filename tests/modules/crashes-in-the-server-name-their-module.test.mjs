// A native fault of a module that is not isolated ends the server, which says whose it is before.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';

for (const [fault, signal] of [['segfault', 'SIGSEGV'], ['abort', 'SIGABRT']]) {
  test(`${fault}: by the name of its file`, async () => {
    const server = await startRivero({ modules: ['faults'] });
    try {
      const rpc = await connectRpc(server.url);
      const mediaPipeline = await rpc.create('MediaPipeline');
      const element = await rpc.create('fixturefaults.Faults', { mediaPipeline, where: 'invoke', fault });
      const answered = rpc.invoke(element, 'echo', { text: 'x' }).catch(() => {});
      assert.deepEqual(await server.exit, { code: null, signal });
      await answered;
      assert.match(server.log, new RegExp(`rivero: ${signal} in the module .*/faults\\.so, of which the process ends`));
    } finally {
      await server.stop();
    }
  });
}
