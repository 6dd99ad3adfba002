// AES-GCM costs a fraction of AES-CM with HMAC: a peer that prefers it, too, gets it.
// (Chromium has it but, as the DTLS server that it is here, prefers AES-CM.)

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { AiortcPeer } from '../lib/aiortc.mjs';
import { connectClient, invoke } from '../lib/client.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { nextEvent } from '../lib/wait.mjs';

let server;
let client;
before(async () => {
  server = await startRivero();
  client = await connectClient(server.url);
});
after(async () => {
  client?.close();
  await server?.stop();
});

test('media to and from aiortc is protected with AES-GCM', async () => {
  const pipeline = await client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  const peer = new AiortcPeer('VP8');
  try {
    await peer.negotiate(endpoint);
    const { srtp } = await peer.message('aiortc connects', ({ state }) => state === 'connected');
    assert.match(srtp, /^SRTP_AEAD_AES_(128|256)_GCM$/);
  } finally {
    await peer.close();
    await pipeline.release();
  }
});
