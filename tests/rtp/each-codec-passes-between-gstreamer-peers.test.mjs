// GStreamer sends each codec to one RtpEndpoint and decodes what another one sends; the server converts nothing.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, test } from 'node:test';

import { connectRpc } from '../lib/rpc.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { description, rtpPeer, sectionsOf } from '../lib/rtp-peer.mjs';
import { until } from '../lib/wait.mjs';

/** `[payload type, rtpmap, fmtp]`, how GStreamer makes packets and takes them apart. */
const SOUND = {
  PCMU: { format: [0, 'PCMU/8000'], rate: 8000, encode: 'mulawenc ! rtppcmupay', decode: 'rtppcmudepay ! mulawdec' },
  PCMA: { format: [8, 'PCMA/8000'], rate: 8000, encode: 'alawenc ! rtppcmapay', decode: 'rtppcmadepay ! alawdec' },
  G722: { format: [9, 'G722/8000'], rate: 16_000, encode: 'avenc_g722 ! rtpg722pay', decode: 'rtpg722depay ! avdec_g722' },
  OPUS: { format: [96, 'opus/48000/2'], rate: 48_000, encode: 'opusenc ! rtpopuspay pt=96', decode: 'rtpopusdepay ! opusdec' },
  AMR: { format: [97, 'AMR/8000', 'octet-align=1'], rate: 8000, encode: 'amrnbenc ! rtpamrpay pt=97', decode: 'rtpamrdepay ! amrnbdec' },
  'AMR-WB': { format: [98, 'AMR-WB/16000', 'octet-align=1'], rate: 16_000, encode: 'voamrwbenc ! rtpamrpay pt=98', decode: 'rtpamrdepay ! amrwbdec' },
};
const PICTURES = {
  VP8: { format: [96, 'VP8/90000'], encode: 'vp8enc deadline=1 keyframe-max-dist=15 ! rtpvp8pay', decode: 'rtpvp8depay ! vp8dec' },
  VP9: { format: [96, 'VP9/90000'], encode: 'vp9enc deadline=1 cpu-used=8 keyframe-max-dist=15 ! rtpvp9pay', decode: 'rtpvp9depay ! vp9dec' },
  H264: { format: [96, 'H264/90000', 'packetization-mode=1'], encode: 'x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! video/x-h264,profile=baseline ! rtph264pay', decode: 'rtph264depay ! h264parse ! avdec_h264' },
  H265: { format: [96, 'H265/90000'], encode: 'x265enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! rtph265pay', decode: 'rtph265depay ! h265parse ! avdec_h265' },
};

let server, rpc;
before(async () => {
  server = await startRivero({ modules: ['rtp'] });
  rpc = await connectRpc(server.url);
});
after(async () => {
  await rpc?.close();
  await server?.stop();
});

function gstreamer(pipeline) {
  const child = spawn('gst-launch-1.0', ['-v', ...pipeline.split(' ')], { stdio: ['ignore', 'pipe', 'pipe'] });
  const running = { said: '', decoded: 0, kill: () => child.kill() };
  child.stdout.on('data', (data) => (running.decoded += String(data).split('last-message = chain').length - 1));
  child.stderr.on('data', (data) => (running.said += data));
  return running;
}

/** Sends a codec through two endpoints until so much of it is decoded. */
async function passes(name, kind, { format: [payloadType, rtpmap, fmtp], encode, decode }, source) {
  const mediaPipeline = await rpc.create('MediaPipeline');
  const [from, to] = [await rpc.create('RtpEndpoint', { mediaPipeline }), await rpc.create('RtpEndpoint', { mediaPipeline })];
  await rpc.invoke(from, 'connect', { sink: to });
  const answer = async (object, port, direction) => {
    const lines = [`m=${kind} ${port} RTP/AVP ${payloadType}`, `a=rtpmap:${payloadType} ${rtpmap}`, ...(fmtp ? [`a=fmtp:${payloadType} ${fmtp}`] : []), `a=${direction}`];
    return sectionsOf(await rpc.invoke(object, 'processOffer', { offer: description('127.0.0.1', lines) }))[0];
  };
  // Ports that are free, which GStreamer binds in its turn.
  const peer = await rtpPeer();
  const { port } = peer;
  peer.close();
  const [encoding, clockRate] = rtpmap.split('/');
  const caps = [`application/x-rtp,media=${kind},clock-rate=${clockRate},encoding-name=${encoding.toUpperCase()},payload=${payloadType}`, ...(fmtp?.startsWith('octet') ? ['encoding-params=(string)1', 'octet-align=(string)1'] : [])].join(',');
  const receiver = gstreamer(`udpsrc port=${port} caps=${caps} ! ${decode} ! fakesink silent=false sync=false`);
  const fed = await answer(from, port + 1, 'sendonly');
  await answer(to, port, 'recvonly');
  const sender = gstreamer(`${source} ! ${encode} ! udpsink host=127.0.0.1 port=${fed.port}`);
  try {
    await until(() => receiver.decoded >= 20, `${name} is decoded`);
  } catch (error) {
    assert.fail(`${error.message}\n${sender.said}\n${receiver.said}`);
  } finally {
    sender.kill();
    receiver.kill();
    await rpc.value('release', { object: mediaPipeline });
  }
}

test('sound of each codec', async () => {
  const sources = ({ rate }) => `audiotestsrc is-live=true ! audio/x-raw,rate=${rate},channels=${rate === 48_000 ? 2 : 1}`;
  await Promise.all(Object.entries(SOUND).map(([name, codec]) => passes(name, 'audio', codec, sources(codec))));
});

for (const [name, codec] of Object.entries(PICTURES)) {
  test(`pictures of ${name}`, () => passes(name, 'video', codec, 'videotestsrc is-live=true ! video/x-raw,format=I420,width=320,height=240,framerate=15/1'));
}
