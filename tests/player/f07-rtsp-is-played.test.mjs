import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { playerOf, playInto, viewerOf } from '../lib/fixtures.mjs';
import { live } from '../lib/live.mjs';
import { hearsTone, isConnected, seesColour } from '../lib/media.mjs';
import { within } from '../lib/wait.mjs';

const ends = [];
let page, pipeline, viewer;
// GLib would ask a proxy of the environment, even for this machine; nobody answers there.
live({ env: { http_proxy: 'http://127.0.0.1:9' } }, async ({ client, browser }) => {
  page = await browser.openProbe();
  pipeline = await client.create('MediaPipeline');
  viewer = await viewerOf(pipeline, await Calls.on(page), 'viewer');
  await isConnected(page, 'viewer');
});
after(() => ends.forEach((end) => end()));

/** Serves a pipeline by RTSP at 127.0.0.1; resolves to the port. */
async function serveRtsp(launch, ...credentials) {
  const script = fileURLToPath(new URL('rtsp-server.py', import.meta.url));
  const child = spawn('/usr/bin/python3', [script, launch, ...credentials], { stdio: ['pipe', 'pipe', 'inherit'] });
  ends.push(() => child.kill());
  const [port] = await within(once(child.stdout, 'data'), 'the RTSP server listens');
  return Number(String(port));
}

const rtspMedia = (pattern, toneHz) =>
  `( videotestsrc is-live=true pattern=${pattern} ! video/x-raw,width=320,height=240,framerate=15/1 ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! rtph264pay name=pay0 pt=96 ` +
  `audiotestsrc is-live=true freq=${toneHz} ! alawenc ! rtppcmapay name=pay1 pt=8 )`;

for (const [name, origin, settings, pattern, colour, toneHz] of [
  ['over UDP', 'rtsp://me:p%40ss@127.0.0.1', {}, 'blue', [0, 0, 255], 1400],
  ['over TCP, as it is, from a host by its name', 'rtspt://me:p%40ss@localhost', { useEncodedMedia: true }, 'red', [255, 0, 0], 1000],
]) {
  test(`RTSP ${name}`, async () => {
    const port = await serveRtsp(rtspMedia(pattern, toneHz), 'me:p@ss');
    const player = await playerOf(pipeline, `${origin}:${port}/media`, { networkCache: 200, ...settings });
    await playInto(player, viewer);
    await Promise.all([hearsTone(page, 'viewer', toneHz), seesColour(page, 'viewer', colour)]);
    const { isSeekable } = await invoke(player, 'getVideoInfo');
    assert.equal(isSeekable, false);
    await assert.rejects(invoke(player, 'setPosition', 1000), { code: 40700 });
    await invoke(player, 'stop');
    assert.deepEqual(player.errors, []);
    await player.release();
  });
}
