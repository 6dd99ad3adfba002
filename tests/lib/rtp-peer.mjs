// A peer of plain RTP (RFC 3550): two UDP sockets, packets as a test wants them, and what came.

import { createSocket } from 'node:dgram';

import { until } from './wait.mjs';

const FRAME_MS = 20;

/** Binds an even and the next odd port at an address. `host`: where the server is, if not at the same address. */
export async function rtpPeer({ address = '127.0.0.1', port = 0, host = address } = {}) {
  for (;;) {
    const wish = port || 20_000 + 2 * Math.floor(Math.random() * 10_000);
    try {
      const rtp = await bound(address, wish);
      const rtcp = await bound(address, wish + 1).catch((error) => (rtp.close(), Promise.reject(error)));
      return new RtpPeer(rtp, rtcp, address, host);
    } catch (error) {
      if (port || error.code !== 'EADDRINUSE') throw error;
    }
  }
}

function bound(address, port) {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, address, () => resolve(socket.removeAllListeners('error').on('error', () => {})));
  });
}

/** The head of a description, with these sections behind. */
export function description(address, sections, version = 1) {
  const connection = `IN ${address.includes(':') ? 'IP6' : 'IP4'} ${address}`;
  const lines = ['v=0', `o=- 1 ${version} ${connection}`, 's=-', `c=${connection}`, 't=0 0', ...sections];
  return lines.map((line) => `${line}\r\n`).join('');
}

/** Port, profile, payload types and attributes of each section of a description. */
export function sectionsOf(sdp) {
  return sdp.split(/\r\n(?=m=)/).slice(1).map((section) => {
    const [line, ...lines] = section.split('\r\n');
    const [kind, port, profile, ...formats] = line.slice(2).split(' ');
    return {
      kind,
      port: Number(port),
      profile,
      formats,
      attributes: lines.filter((attribute) => attribute.startsWith('a=')).map((attribute) => attribute.slice(2)),
      /** Of the attribute with this name: what stands behind the colon. */
      get: (name) => lines.find((attribute) => attribute.startsWith(`a=${name}:`))?.slice(name.length + 3),
    };
  });
}

export class RtpPeer {
  #rtcp;
  #sending = new Set();

  /** Packets that came: `{payloadType, marker, sequence, timestamp, ssrc, payload, from, at}`. */
  packets = [];
  /** RTCP packets of compounds that came: `{type, count, body, from, first}`. */
  reports = [];

  constructor(rtp, rtcp, address, host) {
    this.rtp = rtp;
    this.#rtcp = rtcp;
    this.address = address;
    this.host = host;
    this.port = rtp.address().port;
    rtp.on('message', (data, from) => this.#received(data, from));
    rtcp.on('message', (data, from) => this.#received(data, from));
  }

  #received(data, { address, port }) {
    const from = `${address}:${port}`;
    if (data[1] >= 192 && data[1] <= 223) {
      for (let offset = 0; offset + 4 <= data.length; ) {
        const length = 4 + 4 * data.readUInt16BE(offset + 2);
        this.reports.push({ type: data[offset + 1], count: data[offset] & 31, body: data.subarray(offset + 4, offset + length), from, first: offset === 0 });
        offset += length;
      }
      return;
    }
    this.packets.push({
      payloadType: data[1] & 127,
      marker: data[1] >= 128,
      sequence: data.readUInt16BE(2),
      timestamp: data.readUInt32BE(4),
      ssrc: data.readUInt32BE(8),
      payload: data.subarray(data[0] & 16 ? 16 + 4 * data.readUInt16BE(14) : 12),
      from,
      at: performance.now(),
    });
  }

  /** A description of this peer with one section of sound. */
  sound(lines = [], { profile = 'RTP/AVP', formats = '0', port = this.port, version = 1, address = this.address } = {}) {
    return description(address, [`m=audio ${port} ${profile} ${formats}`, ...lines], version);
  }

  /** Sends one packet to a port of the server. */
  send(target, { payloadType = 0, sequence, timestamp, ssrc, marker = false, payload = Buffer.alloc(160, 0xff) }, socket = this.rtp) {
    const header = Buffer.alloc(12);
    header[0] = 0x80;
    header[1] = payloadType | (marker ? 128 : 0);
    header.writeUInt16BE(sequence & 0xffff, 2);
    header.writeUInt32BE(timestamp >>> 0, 4);
    header.writeUInt32BE(ssrc, 8);
    socket.send(Buffer.concat([header, payload]), target, this.host);
  }

  /**
   * Sends sound until it is told to stop, which gives what the next packet would be. `payload(n)`: of packet n; `skips(n)`:
   * how many numbers are left out before it, all in all.
   */
  speak(target, { ssrc = 1, sequence = 0, timestamp = 0, payloadType = 0, payload, skips = () => 0, socket = this.rtp } = {}) {
    let sent = 0;
    const begin = performance.now();
    const next = () => ({ payloadType, ssrc, sequence: (sequence + sent + skips(sent)) & 0xffff, timestamp: (timestamp + 160 * sent) >>> 0, payload: payload?.(sent) });
    // As many as are due: a busy machine calls late.
    const timer = setInterval(() => {
      for (; sent * FRAME_MS <= performance.now() - begin; sent += 1) this.send(target, next(), socket);
    }, FRAME_MS / 2);
    this.#sending.add(timer);
    return () => {
      clearInterval(timer);
      this.#sending.delete(timer);
      return next();
    };
  }

  /** Calls `action` every so many ms until the returned function is called, or this peer is closed. */
  every(milliseconds, action) {
    const timer = setInterval(action, milliseconds);
    this.#sending.add(timer);
    return () => {
      clearInterval(timer);
      this.#sending.delete(timer);
    };
  }

  /** Sends RTCP packets as one compound. */
  report(target, packets, socket = this.#rtcp) {
    socket.send(Buffer.concat(packets), target, this.host);
  }

  /** Resolves to the packets from now on once there are `count` of them. */
  async hears(count, what = 'sound arrives', timeout = undefined) {
    const begin = this.packets.length;
    await until(() => this.packets.length >= begin + count, what, timeout);
    return this.packets.slice(begin);
  }

  close() {
    for (const timer of this.#sending) clearInterval(timer);
    this.rtp.close();
    this.#rtcp.close();
  }
}

/** A receiver report without blocks. */
export const receiverReport = (ssrc) => Buffer.from([0x80, 201, 0, 1, ...word(ssrc)]);
/** BYE of one source. */
export const goodbye = (ssrc) => Buffer.from([0x81, 203, 0, 1, ...word(ssrc)]);

function word(number) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(number >>> 0);
  return bytes;
}
