// A library is loaded when its first object is created. Whatever lies in its place
// by then, the client gets an answer, the server lives, and the right file put back serves.

import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { artefacts, startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';

const NOT_AVAILABLE = 40108;

const built = (name) => readFileSync(join(artefacts.modules, name));
const webrtc = built('webrtc.so');

const replacements = {
  'its first half': (file) => writeFileSync(file, webrtc.subarray(0, Math.floor(webrtc.length / 2))),
  'its first page': (file) => writeFileSync(file, webrtc.subarray(0, 4096)),
  'zeros': (file) => writeFileSync(file, Buffer.alloc(webrtc.length)),
  'text': (file) => writeFileSync(file, 'not a library'),
  'another module': (file) => writeFileSync(file, built('passthrough.so')),
  'a library that crashes': (file) => copyFileSync(join(artefacts.fixtures, 'crashes.so'), file),
  'nothing': (file) => rmSync(file),
};

for (const [what, replace] of Object.entries(replacements)) {
  test(`with ${what} in its place`, async () => {
    const server = await startRivero();
    try {
      const rpc = await connectRpc(server.url);
      replace(join(server.modulesPath, 'webrtc.so'));
      const pipeline = await rpc.create('MediaPipeline');
      const create = () => rpc.request('create', { type: 'WebRtcEndpoint', constructorParams: { mediaPipeline: pipeline } });
      const { error } = await create();
      assert.equal(error?.code, NOT_AVAILABLE, error?.message);
      assert.match(error.message, /webrtc\.so cannot be loaded/);
      assert.ok(await rpc.create('PassThrough', { mediaPipeline: pipeline }));
      writeFileSync(join(server.modulesPath, 'webrtc.so'), webrtc);
      assert.ok((await create()).result?.value);
      assert.ok(server.running);
      await rpc.close();
    } finally {
      await server.stop();
    }
  });
}
