// Files in the modules directory that are no usable module: each is refused with
// one line that names it, and the rest of the server works.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { connectClient, invoke } from '../lib/client.mjs';
import { artefacts, startRivero } from '../lib/rivero.mjs';

const webrtc = readFileSync(join(artefacts.modules, 'webrtc.so'));
const files = {
  'truncated.so': webrtc.subarray(0, Math.floor(webrtc.length / 2)),
  'header-only.so': webrtc.subarray(0, 64),
  'foreign.so': readFileSync(foreignLibrary()),
  'text.so': 'This is not a library.\n',
  'empty.so': '',
};

/** A shared library of the system that has nothing to do with Rivero: the C library in use. */
function foreignLibrary() {
  return readFileSync('/proc/self/maps', 'utf8').match(/\/\S*\/libc\.so\.6$/m)[0];
}

let server;
let client;
before(async () => {
  server = await startRivero({ extraFiles: files });
  client = await connectClient(server.url);
});
after(async () => {
  client?.close();
  await server?.stop();
});

for (const name of Object.keys(files)) {
  test(`${name} is refused in one line`, () => {
    const lines = server.log.split('\n').filter((line) => line.includes(name));
    assert.equal(lines.length, 1, `lines about ${name}:\n${lines.join('\n')}`);
    assert.match(lines[0], /WARN|ERROR/i);
    assert.ok(lines[0].length < 600, 'the line is short enough to read');
  });
}

test('the modules beside them work', async () => {
  const pipeline = await client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  assert.match(await invoke(endpoint, 'generateOffer'), /^v=0/);
  await pipeline.release();
});
