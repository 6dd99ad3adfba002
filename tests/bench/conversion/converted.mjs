// What the server makes of a source: a player, the conversion, and a peer of plain RTP that keeps what it gets.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

import { invoke } from '../../lib/client.mjs';
import { playerOf } from '../../lib/fixtures.mjs';
import { description, rtpPeer } from '../../lib/rtp-peer.mjs';
import { nextEvent, until } from '../../lib/wait.mjs';
import { costBetween } from './plain.mjs';

const PAYLOAD_TYPE = 97;
/** For UDP, bytes: a keyframe comes at once. */
const BUFFER = 4 << 20;
const CODECS = {
  VP8: { depacketise: 'rtpvp8depay' },
  VP9: { depacketise: 'rtpvp9depay ! vp9parse' },
  H264: { depacketise: 'rtph264depay ! h264parse', fmtp: 'packetization-mode=1;profile-level-id=42e01f' },
  AV1: {},
};

/** An offer to take one codec only, by who can ask for keyframes. */
function offer(port, codec) {
  const { fmtp } = CODECS[codec];
  const lines = [`m=video ${port} RTP/AVPF ${PAYLOAD_TYPE}`, `a=rtpmap:${PAYLOAD_TYPE} ${codec}/90000`];
  if (fmtp) lines.push(`a=fmtp:${PAYLOAD_TYPE} ${fmtp}`);
  return description('127.0.0.1', [...lines, `a=rtcp-fb:${PAYLOAD_TYPE} nack pli`, 'a=recvonly']);
}

/** A player that is ready to be played to whoever listens at a port. */
async function connected(client, { source, codec, bitrate, port }) {
  const pipeline = await client.create('MediaPipeline');
  const player = await playerOf(pipeline, `file://${source}`);
  const endpoint = await pipeline.create('RtpEndpoint');
  await invoke(player, 'setEncoderBitrate', bitrate);
  await invoke(player, 'connect', endpoint);
  await invoke(endpoint, 'processOffer', offer(port, codec));
  return { pipeline, player };
}

/** Has the server convert a source into a file. Resolves to the CPU seconds a second that this takes, in the seconds `from` one `to` another. */
export async function convert({ client, server }, { source, file, codec, bitrate, seconds, from, to }) {
  const port = 25_000;
  const { pipeline, player } = await connected(client, { source, codec, bitrate, port });
  const caps = `application/x-rtp,media=video,clock-rate=90000,payload=${PAYLOAD_TYPE},encoding-name=${codec}`;
  const line = `udpsrc address=127.0.0.1 port=${port} buffer-size=${BUFFER} caps=${caps} ! ${CODECS[codec].depacketise} ! matroskamux ! filesink location=${file}`;
  const receiver = spawn('gst-launch-1.0', ['-q', '-e', ...line.split(' ')], { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = once(receiver, 'exit');
  try {
    await until(() => isBound(port), 'the receiver listens');
    const over = nextEvent(player, 'EndOfStream', () => true, (seconds + 30) * 1000);
    await invoke(player, 'play');
    const cost = await costBetween(() => server.usage().cpuSeconds, { from, to });
    await over;
    return cost;
  } finally {
    receiver.kill('SIGINT'); // ends the file properly
    await ended;
    await pipeline.release();
  }
}

/** Whether somebody listens at a UDP port of 127.0.0.1. */
function isBound(port) {
  const place = `0100007F:${port.toString(16).toUpperCase()}`;
  return readFileSync('/proc/net/udp', 'utf8').includes(place);
}

/** Plays several sources at a time, and resolves to the bit/s of each in the seconds `from` one `to` another of its time stamps. */
export async function bitrates(client, codec, bitrate, sources, { seconds, from, to }) {
  const calls = await Promise.all(
    sources.map(async (source) => {
      const peer = await rtpPeer();
      return { peer, ...(await connected(client, { source, codec, bitrate, port: peer.port })) };
    }),
  );
  const over = calls.map(({ player }) => nextEvent(player, 'EndOfStream', () => true, (seconds + 30) * 1000));
  await Promise.all(calls.map(({ player }) => invoke(player, 'play')));
  await Promise.all(over);
  const figures = calls.map(({ peer: { packets } }) => {
    const since = ({ timestamp }) => ((timestamp - packets[0].timestamp) >>> 0) / 90_000;
    const inside = packets.filter((packet) => since(packet) >= from && since(packet) < to);
    return (inside.reduce((sum, { payload }) => sum + payload.length, 0) * 8) / (to - from);
  });
  for (const { peer, pipeline } of calls) {
    peer.close();
    await pipeline.release();
  }
  return figures;
}
