// The encoders of gst-launch-1.0 on their own: what a conversion is compared with.

import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { usage } from '../../lib/process-usage.mjs';
import { compare } from './similarity.mjs';

/**
 * Elements with the settings that are usual for calls: constant bitrate, no look ahead, keyframes only at the beginning. VP8 and VP9
 * as in WebRTC's own encoders, whose speeds for 720p these are; VP8 with one thread, since two of them spin while they wait.
 */
const VPX = 'deadline=1 end-usage=cbr lag-in-frames=0 keyframe-max-dist=1000000 static-threshold=1 buffer-size=1000 buffer-initial-size=500 buffer-optimal-size=600';
const ENCODERS = {
  VP8: (bits) => `vp8enc ${VPX} threads=1 cpu-used=-6 target-bitrate=${bits}`,
  VP9: (bits) => `vp9enc ${VPX} threads=2 cpu-used=8 row-mt=true tile-columns=1 aq-mode=cyclic-refresh target-bitrate=${bits}`,
  H264: (bits) =>
    'x264enc tune=zerolatency speed-preset=superfast threads=2 sliced-threads=true key-int-max=1000000 bframes=0 vbv-buf-capacity=500 ' +
    `option-string=scenecut=0 bitrate=${Math.round(bits / 1000)} ! video/x-h264,profile=constrained-baseline ! h264parse`,
};
/** Closer than this the bitrate is the same. */
const CLOSE = 0.025;
const TRIES = 4;

/** Encodes a source to a file, as fast as it goes, or in its time. */
function encode(source, file, codec, bits, { paced = false } = {}) {
  const pace = paced ? 'identity sync=true !' : '';
  const line = `filesrc location=${source} ! matroskademux ! h264parse ! avdec_h264 max-threads=1 ! ${pace} ${ENCODERS[codec](Math.round(bits))} ! matroskamux ! filesink location=${file}`;
  return spawn('gst-launch-1.0', ['-q', ...line.split(/\s+/)], { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** What the encoder makes of a source when it gives out so many bit/s, as it turns out; and what it was asked for. */
export async function plainAt(source, file, codec, bitrate, window) {
  let [asked, best] = [bitrate, undefined];
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const [code] = await once(encode(source, file, codec, asked), 'exit');
    if (code !== 0) throw new Error(`gst-launch-1.0 failed with ${codec}`);
    const figures = { ...(await compare(file, source, window)), asked };
    const distance = ({ bitrate: got }) => Math.abs(Math.log(got / bitrate));
    if (!best || distance(figures) < distance(best)) best = figures;
    if (distance(best) <= CLOSE) break;
    asked *= bitrate / figures.bitrate;
  }
  return best;
}

/** CPU seconds a second of the same in real time, `from` one second of the source `to` another. */
export async function plainCost(source, file, codec, asked, { from, to }) {
  const child = encode(source, file, codec, asked, { paced: true });
  const ended = once(child, 'exit');
  const cost = await costBetween(() => usage(child.pid).cpuSeconds, { from, to });
  await ended;
  return cost;
}

/** CPU seconds a second that a process uses in a while that begins and ends so many seconds from now. */
export async function costBetween(cpuSeconds, { from, to }) {
  await pause(from);
  const [cpu, began] = [cpuSeconds(), performance.now()];
  await pause(to - from);
  return (cpuSeconds() - cpu) / ((performance.now() - began) / 1000);
}

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
