// E09: plain RTP of FFmpeg and of GStreamer is seen and heard in Chromium, and what Chromium sends in FFmpeg.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { enhancedFfmpeg } from '../lib/enhanced-ffmpeg.mjs';
import { viewerOf } from '../lib/fixtures.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, hearsTone, isConnected, seesColour } from '../lib/media.mjs';
import { description, rtpPeer, sectionsOf } from '../lib/rtp-peer.mjs';
import { nextEvent, until } from '../lib/wait.mjs';

const TONE_HZ = 800;
/** Ports that nothing listens at: a sender needs some in its description. */
const NOWHERE = [30_200, 30_202];

const programs = [];
let page, calls, pipeline, viewer;
const rivero = live({ modules: ['rtp', 'webrtc', 'codecs'] }, async ({ client, browser }) => {
  page = await browser.openProbe();
  calls = await Calls.on(page);
  pipeline = await client.create('MediaPipeline');
  viewer = await viewerOf(pipeline, calls, 'viewer');
  await isConnected(page, 'viewer');
});
after(() => programs.forEach((program) => program.kill()));

function run(program, args, input) {
  const child = spawn(program, args, { stdio: ['pipe', 'ignore', 'pipe'] });
  const started = { said: '', kill: () => child.kill() };
  child.stderr.on('data', (data) => (started.said += data));
  child.stdin.end(input);
  programs.push(started);
  return started;
}

const hex = ([red, green, blue]) => `0x${Buffer.from([red, green, blue]).toString('hex')}`;

/** Feeds the viewer from an endpoint that gets this offer; resolves to the ports to send to. */
async function fedBy(sections) {
  const endpoint = await pipeline.create('RtpEndpoint');
  await invoke(endpoint, 'connect', viewer);
  const answer = await invoke(endpoint, 'processOffer', description('127.0.0.1', sections));
  return { endpoint, ports: sectionsOf(answer).map(({ port }) => port) };
}

test('FFmpeg sends H264 and Opus', async () => {
  const lines = [`m=audio ${NOWHERE[0]} RTP/AVP 96`, 'a=rtpmap:96 opus/48000/2', 'a=sendonly', `m=video ${NOWHERE[1]} RTP/AVP 97`, 'a=rtpmap:97 H264/90000', 'a=fmtp:97 packetization-mode=1', 'a=sendonly'];
  const { endpoint, ports } = await fedBy(lines);
  const picture = ['-f', 'lavfi', '-i', `color=${hex(COLOURS.green)}:s=320x240:r=15`, '-f', 'lavfi', '-i', `sine=${TONE_HZ}:r=48000`];
  const video = ['-map', '0', '-c:v', 'libx264', '-profile:v', 'baseline', '-pix_fmt', 'yuv420p', '-tune', 'zerolatency', '-g', '15', '-payload_type', '97', '-f', 'rtp', `rtp://127.0.0.1:${ports[1]}?pkt_size=1200`];
  const sound = ['-map', '1', '-c:a', 'libopus', '-ac', '2', '-payload_type', '96', '-f', 'rtp', `rtp://127.0.0.1:${ports[0]}`];
  const sender = run('ffmpeg', ['-v', 'error', '-re', ...picture, ...video, ...sound]);
  await seesColour(page, 'viewer', COLOURS.green);
  await hearsTone(page, 'viewer', TONE_HZ);
  sender.kill();
  await endpoint.release();
});

test('FFmpeg sends AV1', async () => {
  const { endpoint, ports } = await fedBy([`m=video ${NOWHERE[1]} RTP/AVP 98`, 'a=rtpmap:98 AV1/90000', 'a=sendonly']);
  const coding = ['-c:v', 'libsvtav1', '-preset', '12', '-svtav1-params', 'lookahead=0:pred-struct=1', '-g', '15', '-pix_fmt', 'yuv420p'];
  const picture = ['-f', 'lavfi', '-i', `color=${hex(COLOURS.blue)}:s=320x240:r=15`];
  const sender = run(enhancedFfmpeg(), ['-v', 'error', '-re', ...picture, ...coding, '-strict', 'experimental', '-payload_type', '98', '-f', 'rtp', `rtp://127.0.0.1:${ports[0]}?pkt_size=1200`]);
  await seesColour(page, 'viewer', COLOURS.blue).catch((error) => assert.fail(`${error.message} ${sender.said}`));
  sender.kill();
  await endpoint.release();
});

test('GStreamer sends VP8 and PCMU', async () => {
  const lines = [`m=audio ${NOWHERE[0]} RTP/AVP 0`, 'a=sendonly', `m=video ${NOWHERE[1]} RTP/AVPF 98`, 'a=rtpmap:98 VP8/90000', 'a=rtcp-fb:98 nack pli', 'a=sendonly'];
  const { endpoint, ports } = await fedBy(lines);
  const colour = `0xff${hex(COLOURS.blue).slice(2)}`;
  const video = `videotestsrc is-live=true pattern=solid-color foreground-color=${parseInt(colour, 16)} ! video/x-raw,width=320,height=240,framerate=15/1 ! vp8enc deadline=1 keyframe-max-dist=15 ! rtpvp8pay pt=98 ! udpsink host=127.0.0.1 port=${ports[1]}`;
  const sound = `audiotestsrc is-live=true freq=${TONE_HZ} ! audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay ! udpsink host=127.0.0.1 port=${ports[0]}`;
  const sender = run('gst-launch-1.0', `${video} ${sound}`.split(' '));
  await seesColour(page, 'viewer', COLOURS.blue);
  await hearsTone(page, 'viewer', TONE_HZ);
  sender.kill();
  await endpoint.release();
});

test('a sender that makes no keyframe when it is asked for one is told to the client', async () => {
  const endpoint = await pipeline.create('RtpEndpoint');
  const lines = [`m=video ${NOWHERE[1]} RTP/AVPF 98`, 'a=rtpmap:98 VP8/90000', 'a=rtcp-fb:98 nack pli', 'a=sendonly'];
  const [{ port }] = sectionsOf(await invoke(endpoint, 'processOffer', description('127.0.0.1', lines)));
  const sender = run('gst-launch-1.0', `videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=15/1 ! vp8enc deadline=1 keyframe-max-dist=100000 ! rtpvp8pay pt=98 ! udpsink host=127.0.0.1 port=${port}`.split(' '));
  // Who comes soon after the first keyframe is still shown that.
  const arrived = async () => Object.values(await endpoint.getStats('VIDEO')).find(({ type }) => type === 'inboundrtp')?.packetsReceived;
  await until(async () => (await arrived()) > 75, 'five seconds of pictures have come');
  const told = nextEvent(endpoint, 'Error', ({ type }) => type === 'KEYFRAME_MISSING');
  await invoke(endpoint, 'connect', viewer);
  assert.match((await told).description, /no keyframe/);
  sender.kill();
  await endpoint.release();
});

test('FFmpeg receives what Chromium sends, also when it comes later than the first keyframe', async () => {
  const camera = await pipeline.create('WebRtcEndpoint');
  await page.evaluate(([colour, toneHz]) => probe.createSource('camera', { colour, toneHz }), [COLOURS.red, TONE_HZ]);
  await calls.open('camera', camera, { send: 'camera', codecs: { video: 'VP8', audio: 'opus' } });
  await isConnected(page, 'camera');
  const endpoint = await pipeline.create('RtpEndpoint');
  await invoke(camera, 'connect', endpoint);
  const [sound, picture] = [await rtpPeer(), await rtpPeer()];
  const lines = [`m=audio ${sound.port} RTP/AVP 96`, 'a=rtpmap:96 opus/48000/2', 'a=recvonly', `m=video ${picture.port} RTP/AVP 97`, 'a=rtpmap:97 VP8/90000', 'a=recvonly'];
  const offer = description('127.0.0.1', lines);
  await invoke(endpoint, 'processOffer', offer);
  await picture.hears(50, 'pictures arrive');
  for (const peer of [sound, picture]) peer.close();
  // It has no way to ask for a keyframe: those that come by the clock have to do.
  const show = (key) => `metadata=print:key=lavfi.${key}`;
  const filters = ['-vf', `crop=8:8:20:20,signalstats,${show('signalstats.VAVG')}`, '-af', `astats=metadata=1:reset=1,a${show('astats.Overall.RMS_level')}`];
  const receiver = run('ffmpeg', ['-v', 'info', '-protocol_whitelist', 'pipe,udp,rtp', '-f', 'sdp', '-i', 'pipe:0', ...filters, '-f', 'null', '-'], offer);
  const numbers = (name) => [...receiver.said.matchAll(new RegExp(`${name}=(-?[\\d.]+)`, 'g'))].map(([, number]) => Number(number));
  // Something white moves through the picture.
  await until(() => numbers('VAVG').slice(-20).filter((red) => red > 180).length >= 14, 'red pictures');
  await until(() => numbers('RMS_level').slice(-20).filter((level) => level > -40).length === 20, 'a tone');
  assert.ok(rivero.server.running);
});
