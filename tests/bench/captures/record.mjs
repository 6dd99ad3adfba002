// Records how Chromium sends a camera's video, for `rivero-bench --capture`:
// `tests/netns.sh node tests/bench/captures/record.mjs VP8 > tests/bench/captures/chromium-vp8.csv` (or H264).
//
// A line for each packet: microseconds since the first, bytes of payload, marker bit.

import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { launchBrowser } from '../../lib/browser.mjs';
import { Calls } from '../../lib/calls.mjs';
import { connectClient } from '../../lib/client.mjs';
import { startRivero } from '../../lib/rivero.mjs';

/** Until the encoder has the bitrate that the path carries, and what is recorded after that. */
const SETTLE_MS = 12_000;
const RECORD_MS = 10_000;
/** What SRTP adds: AES_CM_128_HMAC_SHA1_80, which Chromium chooses as DTLS server. */
const TAG = 10;

/** What a call at 640x480 has. */
const KBITS = 1_000;
/** Blocks that change with each picture: about what a head and shoulders need. */
const DETAIL = 300;

const codec = process.argv[2] ?? 'VP8';
const server = await startRivero();
const browser = await launchBrowser();
const client = await connectClient(server.url);
try {
  const pipeline = await client.create('MediaPipeline');
  const page = await browser.openProbe();
  const calls = await Calls.on(page);
  const endpoint = await pipeline.create('WebRtcEndpoint');
  await endpoint.setMaxVideoRecvBandwidth(KBITS);
  await page.evaluate((detail) => probe.createSource('camera', { audio: false, scale: 2, detail }), DETAIL);
  await calls.open('presenter', endpoint, { send: 'camera', receive: false, codecs: { video: codec } });
  await pause(SETTLE_MS);
  const tap = spawn('python3', [fileURLToPath(new URL('./tap.py', import.meta.url))], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = text(tap.stdout);
  await pause(RECORD_MS);
  tap.stdin.end();
  process.stdout.write(recording(await lines));
} finally {
  client.close();
  await browser.close();
  await server.stop();
}

/** The stream with most packets (the others are retransmissions and probes), from the beginning of a frame to the end of one. */
function recording(lines) {
  const packets = lines.trim().split('\n').map((line) => line.split(',').map(Number));
  const counts = new Map();
  for (const [, , ssrc] of packets) counts.set(ssrc, (counts.get(ssrc) ?? 0) + 1);
  const [[main]] = [...counts].sort(([, one], [, other]) => other - one);
  const stream = packets.filter(([, , ssrc]) => ssrc === main);
  const markers = stream.map(([, , , , marker], index) => (marker ? index : -1)).filter((index) => index >= 0);
  const kept = stream.slice(markers[0] + 1, markers.at(-1) + 1);
  const [[start]] = kept;
  const rows = kept.map(([time, , , , marker, bytes]) => [time - start, bytes - TAG, marker].join(','));
  return `${['microseconds,payload,marker', ...rows].join('\n')}\n`;
}
