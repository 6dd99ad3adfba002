// A13: `create` is refused with 40009 near the limits of the process, and served again
// when there is room.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { until } from '../lib/wait.mjs';

/** Open files that the server may have: the fraction of the limit that it inherits. */
const FILES = 60;
const limit = Number(readFileSync('/proc/self/limits', 'utf8').match(/^Max open files\s+(\d+)/m)[1]);

test('A13 objects are refused with 40009 at the limit, and made again after it', async () => {
  const server = await startRivero({ config: { resources: { exceptionLimit: (FILES + 0.5) / limit } } });
  const rpc = await connectRpc(server.url);
  const first = await rpc.create('MediaPipeline');

  // Nothing that an object has here is a file, so connections take them.
  const others = await Promise.all(Array.from({ length: FILES }, () => connectRpc(server.url)));
  const refused = await until(async () => (await rpc.request('create', { type: 'MediaPipeline' })).error, 'create is refused');
  assert.deepEqual(refused, { code: 40009, data: { type: 'NOT_ENOUGH_RESOURCES' }, message: `Reached KMS files limit: ${FILES}` });
  assert.equal(await rpc.invoke(first, 'getName'), first);

  for (const other of others) await other.close();
  const made = await until(async () => (await rpc.request('create', { type: 'MediaPipeline' })).result, 'create is served again');
  assert.ok(made.value.endsWith('_kurento.MediaPipeline'));
  await rpc.close();
  await server.stop();
});
