// Files in the modules directory that are no usable module: each is refused with
// one line that names it and says why, and the rest of the server works.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { connectClient, invoke } from '../lib/client.mjs';
import { withAbi, withCutSection, withoutMagic, withoutManifest } from '../lib/elf.mjs';
import { artefacts, startRivero } from '../lib/rivero.mjs';

const webrtc = readFileSync(join(artefacts.modules, 'webrtc.so'));
const passthrough = readFileSync(join(artefacts.modules, 'passthrough.so'));
const files = {
  'truncated.so': [webrtc.subarray(0, Math.floor(webrtc.length / 2)), /no shared library/],
  'header-only.so': [webrtc.subarray(0, 64), /no shared library/],
  'foreign.so': [readFileSync(foreignLibrary()), /not a Rivero module/],
  'text.so': ['This is not a library.\n', /no shared library/],
  'empty.so': ['', /no shared library/],
  'other-major.so': [withAbi(passthrough, 2, 0), /it speaks ABI 2\.0, this server 1\.\d+: rebuild it/],
  'older-major.so': [withAbi(passthrough, 0, 9), /it speaks ABI 0\.9, this server 1\.\d+: rebuild it/],
  'no-magic.so': [withoutMagic(passthrough), /does not begin with the magic/],
  'cut-section.so': [withCutSection(passthrough), /section is cut off/],
  'no-json.so': [withoutManifest(passthrough), /manifest is malformed/],
};

/** A shared library of the system that has nothing to do with Rivero: the C library in use. */
function foreignLibrary() {
  return readFileSync('/proc/self/maps', 'utf8').match(/\/\S*\/libc\.so\.6$/m)[0];
}

let server;
let client;
before(async () => {
  const extraFiles = Object.fromEntries(Object.entries(files).map(([name, [content]]) => [name, content]));
  server = await startRivero({ extraFiles });
  client = await connectClient(server.url);
});
after(async () => {
  client?.close();
  await server?.stop();
});

for (const [name, [, reason]] of Object.entries(files)) {
  test(`${name} is refused in one line`, () => {
    const lines = server.log.split('\n').filter((line) => line.includes(name));
    assert.equal(lines.length, 1, `lines about ${name}:\n${lines.join('\n')}`);
    assert.match(lines[0], /WARN.*module refused: /);
    assert.match(lines[0], reason);
    assert.ok(lines[0].length < 600, 'the line is short enough to read');
  });
}

test('the modules beside them work', async () => {
  const pipeline = await client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  assert.match(await invoke(endpoint, 'generateOffer'), /^v=0/);
  const passThrough = await pipeline.create('PassThrough');
  await invoke(endpoint, 'connect', passThrough);
  await pipeline.release();
});

test('a newer minor version is served', async () => {
  const newer = await startRivero({ modules: [], extraFiles: { 'passthrough.so': withAbi(passthrough, 1, 7) } });
  const guest = await connectClient(newer.url);
  const pipeline = await guest.create('MediaPipeline');
  assert.ok((await pipeline.create('PassThrough')).id);
  guest.close();
  await newer.stop();
});
