// H264 and H265 as cameras pack them: parameter sets together, in pieces, or in the description alone; and H264 for who
// takes single NAL units only.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import { connectRpc } from '../lib/rpc.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { description, rtpPeer, sectionsOf } from '../lib/rtp-peer.mjs';
import { until } from '../lib/wait.mjs';

/** Units of H265 as far as anybody looks into them: parameter sets number 2, 1 and 0. */
const VPS = Buffer.from([0x40, 1, 0x2c]);
const SPS = Buffer.from([0x42, 1, 0x01, ...Array(12).fill(1), 0x40]);
const PPS = Buffer.from([0x44, 1, 0xc0]);
const SETS = [VPS, SPS, PPS];
const IDR = Buffer.from([0x26, 1, 0xaf, 1, 2, 3]);
const SLICE = Buffer.from([0x02, 1, 0xd0, 1, 2, 3]);

/** An aggregation packet (RFC 7798 §4.4.2). */
const together = (...units) => Buffer.concat([Buffer.from([0x60, 1]), ...units.flatMap((unit) => [Buffer.from([0, unit.length]), unit])]);
/** A unit in two fragments (RFC 7798 §4.4.3). */
const inPieces = (unit) => {
  const [kind, middle] = [(unit[0] >> 1) & 63, 2 + ((unit.length - 2) >> 1)];
  const piece = (flags, content) => Buffer.concat([Buffer.from([0x62, unit[1], flags | kind]), content]);
  return [piece(0x80, unit.subarray(2, middle)), piece(0x40, unit.subarray(middle))];
};

let server, rpc, mediaPipeline, peers;
before(async () => {
  server = await startRivero({ modules: ['rtp', 'codecs'] });
});
beforeEach(async () => {
  rpc = await connectRpc(server.url);
  mediaPipeline = await rpc.create('MediaPipeline');
  peers = [];
});
afterEach(async () => {
  peers.forEach((peer) => peer.close());
  await rpc.value('release', { object: mediaPipeline });
  await rpc.close();
});
after(() => server?.stop());

const endpoint = () => rpc.create('RtpEndpoint', { mediaPipeline });

async function peer() {
  const made = await rtpPeer();
  peers.push(made);
  return made;
}

/** A peer with a section of pictures, which an endpoint has answered. */
async function negotiated(object, encoding, fmtp, direction) {
  const made = await peer();
  const lines = [`m=video ${made.port} RTP/AVP 96`, `a=rtpmap:96 ${encoding}/90000`, ...(fmtp ? [`a=fmtp:96 ${fmtp}`] : []), `a=${direction}`];
  const [section] = sectionsOf(await rpc.invoke(object, 'processOffer', { offer: description(made.address, lines) }));
  return { made, section };
}

const cases = {
  'together in one packet': { sets: [together(...SETS)] },
  'each in a packet': { sets: SETS },
  'together with the picture': { sets: [together(...SETS, IDR)], whole: true },
  'in pieces': { sets: [...inPieces(VPS), ...inPieces(SPS), ...inPieces(PPS)] },
  'in the description alone': { sets: [], fmtp: `sprop-vps=${VPS.toString('base64')};sprop-sps=${SPS.toString('base64')};sprop-pps=${PPS.toString('base64')}` },
};

for (const [how, { sets, whole, fmtp }] of Object.entries(cases)) {
  test(`H265: parameter sets that come once, ${how}, are there for who comes later`, async () => {
    const source = await endpoint();
    const { made: camera, section } = await negotiated(source, 'H265', fmtp, 'sendonly');
    let [sequence, timestamp] = [65_530, 0];
    const picture = (units) => {
      timestamp += 6000;
      units.forEach((payload, i) => camera.send(section.port, { payloadType: 96, ssrc: 5, sequence: (sequence += 1), timestamp, payload, marker: i === units.length - 1 }));
    };
    picture(whole ? sets : [...sets, IDR]);
    const received = async () => Object.values(await rpc.invoke(source, 'getStats')).find(({ type }) => type === 'inboundrtp')?.packetsReceived;
    await until(async () => (await received()) > 0, 'the first picture has come');

    const target = await endpoint();
    const { made: viewer } = await negotiated(target, 'H265', undefined, 'recvonly');
    await rpc.invoke(source, 'connect', { sink: target });
    // Pictures in between, and those to begin with, which bring no sets any more.
    const begins = () => viewer.packets.flatMap(({ payload }, i) => (payload.equals(IDR) ? [i] : []));
    await until(() => {
      picture([SLICE]);
      picture([IDR]);
      return begins().length >= 3;
    }, 'pictures arrive');
    const shown = viewer.packets.map(({ payload }) => payload.toString('hex'));
    for (const at of begins().slice(1)) assert.deepEqual(shown.slice(at - 3, at), SETS.map((set) => set.toString('hex')), shown.join(' '));
  });
}

/** FFmpeg sends H264 in big pictures, whose units it cuts into pieces (FU-A), or in slices of less than a packet. */
function ffmpegSends(port, parameters = 'slice-max-size=100000') {
  const picture = ['-f', 'lavfi', '-i', 'testsrc=s=640x480:r=10'];
  const coding = ['-c:v', 'libx264', '-profile:v', 'baseline', '-pix_fmt', 'yuv420p', '-tune', 'zerolatency', '-preset', 'ultrafast', '-g', '10', '-b:v', '2M', '-x264-params', parameters];
  return spawn('ffmpeg', ['-v', 'error', '-re', ...picture, ...coding, '-payload_type', '96', '-f', 'rtp', `rtp://127.0.0.1:${port}?pkt_size=1200`], { stdio: 'ignore' });
}

const H264 = { STAP_A: 24, FU_A: 28 };
const kinds = (packets) => new Set(packets.map(({ payload }) => payload[0] & 31));

for (const [how, parameters] of Object.entries({ 'units that fit into packets': 'slice-max-size=1000', 'whole pictures as units': undefined })) {
  test(`H264 without packetization-mode is answered so, and gets single NAL units of a source with ${how}`, async () => {
    const [source, target] = [await endpoint(), await endpoint()];
    const { section } = await negotiated(source, 'H264', 'packetization-mode=1', 'sendonly');
    await rpc.invoke(source, 'connect', { sink: target });
    const { made: phone, section: answered } = await negotiated(target, 'H264', undefined, 'recvonly');
    assert.ok(answered.port > 0 && !/packetization-mode=1/.test(answered.get('fmtp') ?? ''), 'the mode is that of the offer');
    const sender = ffmpegSends(section.port, parameters);
    try {
      const packets = await phone.hears(100, 'pictures arrive');
      assert.ok([...kinds(packets)].every((kind) => kind > 0 && kind < H264.STAP_A), `kinds ${[...kinds(packets)]}`);
      assert.ok(packets.every(({ payload }) => payload.length <= 1400), 'within the MTU');
      assert.ok(kinds(packets).has(5) || kinds(packets).has(7), 'with a beginning');
    } finally {
      sender.kill();
    }
  });
}

test('who does not name the mode may send fragments all the same', async () => {
  const [source, target] = [await endpoint(), await endpoint()];
  const { section } = await negotiated(source, 'H264', undefined, 'sendonly');
  await rpc.invoke(source, 'connect', { sink: target });
  const { made: viewer } = await negotiated(target, 'H264', 'packetization-mode=1', 'recvonly');
  const sender = ffmpegSends(section.port);
  try {
    const packets = await viewer.hears(100, 'pictures arrive');
    assert.ok(kinds(packets).has(H264.FU_A), `kinds ${[...kinds(packets)]}`);
  } finally {
    sender.kill();
  }
});
