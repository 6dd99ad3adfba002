// Data channels of the peers of peer.js, by peer and label.

import { connectionOf } from './peer.js';

const channels = new Map();
const key = (peer, label) => `${peer}/${label}`;

/** Opens a channel of the peer; `options` are those of RTCPeerConnection.createDataChannel. */
export function openChannel(peer, label, options = {}) {
  keep(peer, connectionOf(peer).createDataChannel(label, options));
}

/** Keeps the channels that the other side opens on the peer. */
export function acceptChannels(peer) {
  connectionOf(peer).addEventListener('datachannel', ({ channel }) => keep(peer, channel));
}

function keep(peer, channel) {
  const entry = { channel, received: [] };
  channel.binaryType = 'arraybuffer';
  channel.addEventListener('message', ({ data }) => entry.received.push(data));
  channels.set(key(peer, channel.label), entry);
}

/** `{id, readyState, protocol, ordered, maxRetransmits, maxPacketLifeTime}`, or null. */
export function channelState(peer, label) {
  const entry = channels.get(key(peer, label));
  if (!entry) return null;
  const { id, readyState, protocol, ordered, maxRetransmits, maxPacketLifeTime } = entry.channel;
  return { id, readyState, protocol, ordered, maxRetransmits, maxPacketLifeTime };
}

export function sendText(peer, label, text) {
  channels.get(key(peer, label)).channel.send(text);
}

/** Sends `size` bytes that tell their place, in messages of at most `piece` bytes. */
export function sendBinary(peer, label, size, piece) {
  const { channel } = channels.get(key(peer, label));
  for (let start = 0; start < size; start += piece) {
    const length = Math.min(piece, size - start);
    channel.send(Uint8Array.from({ length }, (_, at) => byteAt(start + at)));
  }
}

/** Texts received so far. */
export function texts(peer, label) {
  return (channels.get(key(peer, label))?.received ?? []).filter((data) => typeof data === 'string');
}

/** Bytes received so far, and whether all of them are in their place. */
export function binary(peer, label) {
  const pieces = (channels.get(key(peer, label))?.received ?? []).filter((data) => typeof data !== 'string');
  let size = 0;
  let intact = true;
  for (const piece of pieces) {
    const bytes = new Uint8Array(piece);
    for (let at = 0; at < bytes.length; at += 1) intact &&= bytes[at] === byteAt(size + at);
    size += bytes.length;
  }
  return { size, intact, messages: pieces.length };
}

export function closeChannel(peer, label) {
  channels.get(key(peer, label)).channel.close();
}

const byteAt = (position) => (position * 31 + (position >> 8)) & 0xff;
