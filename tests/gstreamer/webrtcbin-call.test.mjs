// GStreamer's webrtcbin, with its sections in one bundle and each on its own.

import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { connectClient, invoke } from '../lib/client.mjs';
import { COLOURS } from '../lib/media.mjs';
import { PeerProcess } from '../lib/peer-process.mjs';
import { startRivero } from '../lib/rivero.mjs';

const COLOUR_TOLERANCE = 12;
const TONE = { hertz: 1000, tolerance: 30 };
const script = fileURLToPath(new URL('peer.py', import.meta.url));

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

for (const bundle of ['max-bundle', 'none']) {
  test(`webrtcbin gets its own pictures and sound back (${bundle})`, async () => {
    const pipeline = await client.create('MediaPipeline');
    const endpoint = await pipeline.create('WebRtcEndpoint');
    await invoke(endpoint, 'connect', endpoint);
    // The interpreter that the distribution's GStreamer bindings are for.
    const peer = new PeerProcess('the webrtcbin peer', '/usr/bin/python3', [script, bundle]);
    try {
      const connected = peer.message('webrtcbin connects', ({ state }) => state === 'connected');
      const coloured = peer.message('webrtcbin sees its own red', ({ colour }) => colour && isRed(colour));
      const sounding = peer.message('webrtcbin hears its own tone', ({ toneHz }) => Math.abs(toneHz - TONE.hertz) < TONE.tolerance);
      await Promise.all([peer.negotiate(endpoint), connected, coloured, sounding]);
    } finally {
      await peer.close();
      await pipeline.release();
    }
  });
}

function isRed(colour) {
  return colour.every((value, channel) => Math.abs(value - COLOURS.red[channel]) <= COLOUR_TOLERANCE);
}
