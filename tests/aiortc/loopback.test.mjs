// E01: A second WebRTC stack, so that nothing works only because of how Chromium does it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { AiortcPeer } from '../lib/aiortc.mjs';
import { connectClient, invoke } from '../lib/client.mjs';
import { COLOURS } from '../lib/media.mjs';
import { startRivero } from '../lib/rivero.mjs';

const COLOUR_TOLERANCE = 12;
const TONE = { hertz: 1000, tolerance: 30 };

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

for (const codec of ['VP8', 'H264']) {
  test(`aiortc gets its own ${codec} pictures and Opus sound back`, async () => {
    const pipeline = await client.create('MediaPipeline');
    const endpoint = await pipeline.create('WebRtcEndpoint');
    await invoke(endpoint, 'connect', endpoint);
    const peer = new AiortcPeer(codec);
    try {
      const connected = peer.message('aiortc connects', ({ state }) => state === 'connected');
      const coloured = peer.message('aiortc sees its own red', ({ colour }) => colour && isRed(colour));
      const sounding = peer.message('aiortc hears its own tone', ({ toneHz }) => Math.abs(toneHz - TONE.hertz) < TONE.tolerance);
      await Promise.all([peer.negotiate(endpoint), connected, coloured, sounding]);
      assert.equal(await endpoint.isMediaFlowingIn('VIDEO'), true);
    } finally {
      await peer.close();
      await pipeline.release();
    }
  });
}

function isRed(colour) {
  return colour.every((value, channel) => Math.abs(value - COLOURS.red[channel]) <= COLOUR_TOLERANCE);
}
