// RTCPeerConnections by name, with everything that crosses to the test as plain data.

import { acceptChannels, openChannel } from './channel.js';
import { attachSink, detachSink } from './sink.js';
import { sourceStream } from './source.js';

const peers = new Map();
const certificates = new Map();

/**
 * Creates the peer `name` and its offer.
 *
 * - `send`: name of a source, or absent for a peer that only receives.
 * - `receive`: whether what arrives is shown in the sink `name`.
 * - `media: false`: no sound or picture at all, only `channels`; or the kinds that a peer that
 *   only receives asks for, such as `['audio']`.
 * - `channels`: options of the data channels to open, by label.
 * - `codecs`: e.g. `{video: 'VP8', audio: 'opus'}`; only these are offered
 *   (with their RTX, where the browser has it).
 * - `encodings`: `sendEncodings` of the video, for simulcast.
 * - `extensions`: parts of URIs of header extensions that the browser knows, and does not offer by itself.
 * - `certificate`: name of a certificate that all peers of the page share which give the same name.
 * - `simulcastBySsrc`: two encodings in a group of SSRCs, as browsers did it before RIDs.
 *
 * Candidates go to the binding `onCandidate(name, candidate)` if the test has exposed it.
 */
export async function offer(name, { send, receive = true, media = true, channels = {}, codecs = {}, encodings, extensions = [], simulcastBySsrc = false, certificate, configuration = {} } = {}) {
  const shared = certificate ? { certificates: [await sharedCertificate(certificate)] } : {};
  const peer = open(name, { ...shared, ...configuration }, receive);
  const direction = receive ? (send ? 'sendrecv' : 'recvonly') : 'sendonly';
  const received = media === true ? ['audio', 'video'] : media || [];
  const tracks = send ? sourceStream(send).getTracks() : received;
  for (const track of tracks) {
    const streams = send ? [sourceStream(send)] : [];
    const simulcast = encodings && track.kind === 'video' ? { sendEncodings: encodings } : {};
    const transceiver = peer.connection.addTransceiver(track, { direction, streams, ...simulcast });
    preferCodec(transceiver, codecs);
    askForExtensions(transceiver, extensions);
  }
  acceptChannels(name);
  for (const [label, options] of Object.entries(channels)) openChannel(name, label, options);
  if (simulcastBySsrc) {
    const { type, sdp } = await peer.connection.createOffer();
    await peer.connection.setLocalDescription({ type, sdp: withTwoEncodings(sdp) });
  } else {
    await peer.connection.setLocalDescription();
  }
  return peer.connection.localDescription.sdp;
}

/** An offer whose video has a second encoding, with retransmissions of its own. */
function withTwoEncodings(sdp) {
  const begin = sdp.indexOf('m=video');
  const [, first, repair] = sdp.slice(begin).match(/a=ssrc-group:FID (\d+) (\d+)/);
  const [second, secondRepair] = ['1122334455', '1122334456'];
  const lines = sdp.slice(begin).match(/a=ssrc:.*\r\n/g);
  const renamed = lines.map((line) => line.replace(`:${first} `, `:${second} `).replace(`:${repair} `, `:${secondRepair} `));
  const groups = [`a=ssrc-group:SIM ${first} ${second}\r\n`, `a=ssrc-group:FID ${second} ${secondRepair}\r\n`];
  const end = sdp.lastIndexOf(lines.at(-1)) + lines.at(-1).length;
  return sdp.slice(0, end) + renamed.join('') + groups.join('') + sdp.slice(end);
}

/** For channel.js. */
export function connectionOf(name) {
  return peers.get(name).connection;
}

/** Gives the answer to the peer that made the offer. */
export async function acceptAnswer(name, sdp) {
  const peer = peers.get(name);
  peer.described ??= performance.now();
  await peer.connection.setRemoteDescription({ type: 'answer', sdp });
}

/** Answers an offer with the peer `name`, created here; see `offer` for the options. */
export async function answer(name, sdp, { send, receive = true, certificate, configuration = {} } = {}) {
  const shared = certificate ? { certificates: [await sharedCertificate(certificate)] } : {};
  const peer = open(name, { ...shared, ...configuration }, receive);
  acceptChannels(name);
  await peer.connection.setRemoteDescription({ type: 'offer', sdp });
  if (send) await sendTracks(peer.connection, sourceStream(send), receive ? 'sendrecv' : 'sendonly');
  peer.described = performance.now();
  await peer.connection.setLocalDescription();
  return peer.connection.localDescription.sdp;
}

/**
 * Changes the peer `name` and makes its next offer.
 *
 * - `add`: name of a source whose tracks are sent from now on, as media of their own, in the direction `addDirection`.
 * - `directions`: e.g. `{video: 'inactive'}`, of the transceivers of that kind.
 * - `stop`: kinds whose transceivers end.
 * - `restartIce`: whether ICE begins anew.
 */
export async function offerAgain(name, { add, addDirection = 'sendrecv', directions = {}, stop = [], restartIce = false } = {}) {
  const { connection } = peers.get(name);
  const living = connection.getTransceivers().filter((transceiver) => transceiver.currentDirection !== 'stopped');
  for (const transceiver of living) {
    const { kind } = transceiver.receiver.track;
    if (stop.includes(kind)) transceiver.stop();
    else if (directions[kind]) transceiver.direction = directions[kind];
  }
  if (add) {
    const stream = sourceStream(add);
    for (const track of stream.getTracks()) connection.addTransceiver(track, { direction: addDirection, streams: [stream] });
  }
  if (restartIce) connection.restartIce();
  await connection.setLocalDescription();
  return connection.localDescription.sdp;
}

/** Answers a later offer with the peer `name`; a source in `send` replaces what it sends. */
export async function answerAgain(name, sdp, { send } = {}) {
  const { connection } = peers.get(name);
  await connection.setRemoteDescription({ type: 'offer', sdp });
  if (send) await sendTracks(connection, sourceStream(send), 'sendrecv');
  await connection.setLocalDescription();
  return connection.localDescription.sdp;
}

export async function addCandidate(name, candidate) {
  await peers.get(name).connection.addIceCandidate(candidate);
}

/** The last SDP that the peer `name` has made. */
export function localDescription(name) {
  return peers.get(name).connection.localDescription.sdp;
}

/** Milliseconds from when the peer `name` had both descriptions until it was connected; undefined before. */
export function connectedAfter(name) {
  const { described, connected } = peers.get(name);
  return connected && Math.round(connected - described);
}

/** The RTCPeerConnection's `connectionState`. */
export function connectionState(name) {
  return peers.get(name).connection.connectionState;
}

/** The peer's counters that tests assert on; codec names are upper case. */
export async function statistics(name) {
  const report = await peers.get(name).connection.getStats();
  const reports = [...report.values()];
  const codecOf = (rtp) => report.get(rtp.codecId)?.mimeType.split('/')[1].toUpperCase();
  const streams = (type, kind) => reports.filter((entry) => entry.type === type && entry.kind === kind);
  const [video] = streams('inbound-rtp', 'video');
  const [audio] = streams('inbound-rtp', 'audio');
  const [sentVideo] = streams('outbound-rtp', 'video');
  const [sentAudio] = streams('outbound-rtp', 'audio');
  const transport = reports.find((entry) => entry.type === 'transport');
  return {
    video: video && {
      codec: codecOf(video),
      packets: video.packetsReceived,
      lost: video.packetsLost,
      framesDecoded: video.framesDecoded,
      keyFramesDecoded: video.keyFramesDecoded,
      freezes: video.freezeCount,
    },
    audio: audio && { codec: codecOf(audio), ssrc: audio.ssrc, packets: audio.packetsReceived, lost: audio.packetsLost },
    sent: {
      video: sentVideo && { codec: codecOf(sentVideo), packets: sentVideo.packetsSent, keyFrames: sentVideo.keyFramesEncoded },
      audio: sentAudio && { codec: codecOf(sentAudio), packets: sentAudio.packetsSent },
    },
    srtpCipher: transport?.srtpCipher,
    dtlsState: transport?.dtlsState,
  };
}

/** The browser's own entry of a type, such as `outbound-rtp`, and a kind of media. */
export async function rawStatistics(name, type, kind) {
  const report = await peers.get(name).connection.getStats();
  return [...report.values()].find((entry) => entry.type === type && entry.kind === kind) ?? {};
}

/** Packets that the peer `name` received in a stream of retransmissions (RFC 4588). */
export async function retransmitted(name) {
  const report = await peers.get(name).connection.getStats();
  const streams = [...report.values()].filter(({ type, kind }) => type === 'inbound-rtp' && kind === 'video');
  return streams.reduce((sum, { rtxSsrc, retransmittedPacketsReceived = 0 }) => sum + (rtxSsrc ? retransmittedPacketsReceived : 0), 0);
}

/** Changes the encodings of the video, each as the object at its place says. */
export async function changeEncodings(name, changes) {
  const sender = peers.get(name).connection.getSenders().find(({ track }) => track?.kind === 'video');
  const parameters = sender.getParameters();
  parameters.encodings.forEach((encoding, index) => Object.assign(encoding, changes[index]));
  await sender.setParameters(parameters);
  return parameters.encodings.length;
}

/** Sends pictures whose sides are `factor` times smaller. */
export async function scaleDown(name, factor) {
  const sender = peers.get(name).connection.getSenders().find(({ track }) => track?.kind === 'video');
  const parameters = sender.getParameters();
  for (const encoding of parameters.encodings) encoding.scaleResolutionDownBy = factor;
  await sender.setParameters(parameters);
}

export function closePeer(name) {
  const { connection, hasSink } = peers.get(name);
  connection.close();
  if (hasSink) detachSink(name);
  peers.delete(name);
}

/** Names of the codecs that this browser can both send and receive, e.g. `['VP8', 'OPUS']`. */
export function availableCodecs(kind) {
  const names = (capabilities) => capabilities.codecs.map(codecName);
  const received = new Set(names(RTCRtpReceiver.getCapabilities(kind)));
  return [...new Set(names(RTCRtpSender.getCapabilities(kind)))].filter((name) => received.has(name));
}

async function sendTracks(connection, stream, direction) {
  for (const transceiver of connection.getTransceivers()) {
    const track = stream.getTracks().find((candidate) => candidate.kind === transceiver.receiver.track.kind);
    if (!track) continue;
    await transceiver.sender.replaceTrack(track);
    transceiver.direction = direction;
  }
}

async function sharedCertificate(name) {
  if (!certificates.has(name)) {
    certificates.set(name, await RTCPeerConnection.generateCertificate({ name: 'ECDSA', namedCurve: 'P-256' }));
  }
  return certificates.get(name);
}

function open(name, configuration, receive) {
  const connection = new RTCPeerConnection({ iceServers: [], ...configuration });
  const peer = { connection, hasSink: receive };
  if (receive) {
    const received = new MediaStream();
    connection.addEventListener('track', ({ track }) => {
      received.addTrack(track);
      track.addEventListener('ended', () => received.removeTrack(track));
    });
    attachSink(name, received);
  }
  connection.addEventListener('connectionstatechange', () => {
    if (connection.connectionState === 'connected') peer.connected ??= performance.now();
  });
  connection.addEventListener('icecandidate', ({ candidate }) => {
    globalThis.onCandidate?.(name, candidate?.toJSON() ?? null);
  });
  peers.set(name, peer);
  return peer;
}

function preferCodec(transceiver, codecs) {
  const { kind } = transceiver.receiver.track;
  const wanted = codecs[kind]?.toUpperCase();
  if (!wanted) return;
  const all = RTCRtpReceiver.getCapabilities(kind).codecs;
  const chosen = all.filter((codec) => codecName(codec) === wanted);
  if (chosen.length === 0) throw new Error(`this browser has no ${kind} codec ${wanted}`);
  const rtx = all.filter((codec) => codecName(codec) === 'RTX');
  transceiver.setCodecPreferences([...chosen, ...rtx]);
}

function askForExtensions(transceiver, extensions) {
  if (extensions.length === 0) return;
  const known = transceiver.getHeaderExtensionsToNegotiate();
  for (const extension of known) {
    if (extensions.some((part) => extension.uri.includes(part))) extension.direction = 'sendrecv';
  }
  transceiver.setHeaderExtensionsToNegotiate(known);
}

function codecName(codec) {
  return codec.mimeType.split('/')[1].toUpperCase();
}
