// Cameras that speak RTSP with one oddity each, on one port: rtsp://127.0.0.1:PORT/ODDITY.
//
// The picture is an H264 stream without B-pictures that is repeated for ever, at 15 pictures a second; the sound, PCMU,
// comes in bunches behind the pictures, as cameras send it. Both may change each second. All goes over the connection
// itself (RFC 2326 §10.12).

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const RATE = 15;
const SESSION_SECONDS = 2;

/** What a path means; a camera without any of these has nothing odd. */
const ODDITIES = {
  /** SETUP of the sound is answered with this. */
  '404': { soundStatus: '404 Not Found' },
  '500': { soundStatus: '500 Internal Server Error' },
  /** SETUP of the sound is never answered. */
  mute: { soundStatus: null },
  /** There is a section of what the camera knows of its scene, which cannot be set up. */
  metadata: { section: 'm=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\na=control:track3\r\n' },
  /** The clock of the sender reports is 1.7 s ahead from the third second on. */
  clock: { ahead: 1.7 },
  /** Only GET_PARAMETER keeps the session, which lasts for 2 s. */
  timeout: { expires: true },
  /** Falls silent in the third second; goes on on another connection. */
  silent: { silence: true },
};

/** Makes the picture, of `colours` for a second each, in a directory; resolves to its access units. */
export async function makePicture(directory, colours) {
  const path = join(directory, 'camera.h264');
  const inputs = colours.flatMap((colour) => ['-f', 'lavfi', '-i', `color=c=0x${Buffer.from(colour).toString('hex')}:s=320x240:r=${RATE}:d=1`]);
  const joined = ['-filter_complex', `concat=n=${colours.length}:v=1:a=0`];
  const encoder = ['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-pix_fmt', 'yuv420p', '-g', '15', '-x264-params', 'repeat-headers=1:sliced-threads=0:slices=1'];
  await run('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...inputs, ...joined, ...encoder, '-f', 'h264', path]);
  return accessUnits(readFileSync(path));
}

/** Serves the picture with `tones` for a second each; resolves to `{port, requests, close}`; `requests` are `METHOD /oddity`. */
export async function serveCameras(units, tones) {
  const requests = [];
  const sockets = new Set();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    new Camera(socket, units, tones, requests);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: server.address().port, requests, close: () => (server.close(), sockets.forEach((socket) => socket.destroy())) };
}

function accessUnits(stream) {
  const starts = [];
  for (let at = stream.indexOf('000001', 0, 'hex'); at >= 0; at = stream.indexOf('000001', at + 3, 'hex')) starts.push(at);
  const nals = starts.map((start, index) => {
    let end = starts[index + 1] ?? stream.length;
    while (stream[end - 1] === 0) end -= 1;
    return stream.subarray(start + 3, end);
  });
  const units = [[]];
  for (const nal of nals) {
    units.at(-1).push(nal);
    if ([1, 5].includes(nal[0] & 31)) units.push([]);
  }
  return units.slice(0, -1);
}

/** PCMU of tones in turn (ITU-T G.711), 20 ms. */
function sound(tones, first) {
  const hertz = tones[Math.floor(first / 8000) % tones.length];
  return Uint8Array.from({ length: 160 }, (_, index) => {
    const level = Math.round(8000 * Math.sin((2 * Math.PI * hertz * (first + index)) / 8000));
    const magnitude = Math.min(Math.abs(level) + 132, 32767);
    const exponent = 31 - Math.clz32(magnitude) - 7;
    return ~((level < 0 ? 128 : 0) | (exponent << 4) | ((magnitude >> (exponent + 3)) & 15)) & 255;
  });
}

class Camera {
  #socket;
  #units;
  #tones;
  #requests;
  #text = '';
  #channels = {};
  #oddity = {};
  #alive = performance.now();
  #timer;
  #sent = { video: 0, audio: 0, picture: 0, sound: 0 };

  constructor(socket, units, tones, requests) {
    [this.#socket, this.#units, this.#tones, this.#requests] = [socket, units, tones, requests];
    socket.on('data', (data) => this.#read(data));
    socket.on('close', () => clearInterval(this.#timer));
  }

  #read(data) {
    // Reports of the player begin with a dollar sign; they come whole, and are of no interest.
    this.#text += data[0] === 0x24 ? '' : data.toString('latin1');
    for (let end; (end = this.#text.indexOf('\r\n\r\n')) >= 0; this.#text = this.#text.slice(end + 4)) {
      const head = this.#text.slice(0, end);
      const request = /([A-Z_]+) rtsp:\/\/[^/ ]*(\/[^ ]*)? RTSP[^]*CSeq: *(\d+)/i.exec(head);
      if (request) this.#answer(request[1], request[2] ?? '/', request[3], head);
    }
  }

  #answer(method, path, sequence, head) {
    const [, name] = path.split('/');
    this.#requests.push(`${method} /${name}`);
    this.#oddity = ODDITIES[name] ?? {};
    if (method !== 'OPTIONS') this.#alive = performance.now();
    const lines = [`CSeq: ${sequence}`, `Session: 7;timeout=${this.#oddity.expires ? SESSION_SECONDS : 60}`];
    let [status, body] = ['200 OK', ''];
    if (method === 'OPTIONS') lines.push('Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN');
    if (method === 'DESCRIBE') {
      lines.push('Content-Type: application/sdp', `Content-Base: rtsp://127.0.0.1:${this.#socket.localPort}/${name}/`);
      body = this.#description();
    }
    if (method === 'SETUP') {
      const kind = path.endsWith('track2') ? 'audio' : path.endsWith('track1') ? 'video' : 'other';
      const interleaved = /interleaved=(\d+)-(\d+)/.exec(head);
      const refusal = kind === 'other' ? '404 Not Found' : kind === 'audio' ? this.#oddity.soundStatus : undefined;
      if (refusal === null) return;
      if (refusal || !interleaved) status = refusal ?? '461 Unsupported Transport';
      else {
        this.#channels[kind] = Number(interleaved[1]);
        lines.push(`Transport: RTP/AVP/TCP;unicast;${interleaved[0]}`);
      }
    }
    if (method === 'PLAY') this.#play();
    if (body) lines.push(`Content-Length: ${body.length}`);
    this.#socket.write(`RTSP/1.0 ${status}\r\n${lines.join('\r\n')}\r\n\r\n${body}`);
  }

  #description() {
    const sets = this.#units[0].filter((nal) => [7, 8].includes(nal[0] & 31));
    const format = `packetization-mode=1;profile-level-id=${sets[0].toString('hex', 1, 4)};sprop-parameter-sets=${sets.map((set) => set.toString('base64')).join(',')}`;
    return [
      'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n',
      `m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 ${format}\r\na=control:track1\r\n`,
      'm=audio 0 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=control:track2\r\n',
      this.#oddity.section ?? '',
    ].join('');
  }

  #play() {
    const began = performance.now();
    this.#timer ??= setInterval(() => {
      const seconds = (performance.now() - began) / 1000;
      if (this.#oddity.expires && performance.now() - this.#alive > 2000 * SESSION_SECONDS) this.#socket.destroy();
      else if (!this.#oddity.silence || seconds < 3) this.#send(seconds);
    }, 10);
  }

  /** What is due by now. */
  #send(seconds) {
    const sent = this.#sent;
    for (; sent.picture / RATE <= seconds; sent.picture += 1) {
      const at = sent.picture / RATE;
      if (sent.picture % RATE === 0) this.#report(at);
      const unit = this.#units[sent.picture % this.#units.length];
      const packets = unit.flatMap(fragments);
      packets.forEach((payload, index) => this.#packet('video', 96, at * 90_000, payload, index === packets.length - 1));
      while ('audio' in this.#channels && sent.sound / 50 <= at) {
        this.#packet('audio', 0, sent.sound * 160, sound(this.#tones, sent.sound * 160), sent.sound === 0);
        sent.sound += 1;
      }
    }
  }

  #packet(kind, payloadType, time, payload, marker) {
    const header = Buffer.alloc(12);
    header[0] = 0x80;
    header[1] = payloadType | (marker ? 0x80 : 0);
    header.writeUInt16BE(this.#sent[kind]++ & 0xffff, 2);
    header.writeUInt32BE(Math.round(time) >>> 0, 4);
    header.writeUInt32BE(kind === 'video' ? 1 : 2, 8);
    this.#interleaved(this.#channels[kind], Buffer.concat([header, payload]));
  }

  /**
   * Sender reports (RFC 3550 §6.4.1) of all that is sent, with the name that says that it is of one source: without that
   * nobody compares their clocks.
   */
  #report(at) {
    const ahead = at >= 3 ? (this.#oddity.ahead ?? 0) : 0;
    for (const [kind, clock, shift] of [['video', 90_000, ahead], ['audio', 8000, 0]]) {
      if (!(kind in this.#channels)) continue;
      const report = Buffer.alloc(44);
      report.set([0x80, 200, 0, 6]);
      report.set([0x81, 202, 0, 3], 28);
      report.writeUInt32BE(kind === 'video' ? 1 : 2, 32);
      report.set([1, 6, ...Buffer.from('camera')], 36);
      report.writeUInt32BE(kind === 'video' ? 1 : 2, 4);
      const wall = 4_000_000_000 + at + shift;
      report.writeUInt32BE(Math.floor(wall), 8);
      report.writeUInt32BE(Math.floor((wall % 1) * 2 ** 32), 12);
      report.writeUInt32BE(Math.round(at * clock), 16);
      this.#interleaved(this.#channels[kind] + 1, report);
    }
  }

  #interleaved(channel, packet) {
    const head = Buffer.from([0x24, channel, packet.length >> 8, packet.length & 255]);
    this.#socket.write(Buffer.concat([head, packet]));
  }
}

/** Payloads of a NAL unit (RFC 6184 §5.6, §5.8). */
function fragments(nal) {
  const most = 1300;
  if (nal.length <= most) return [nal];
  const pieces = Math.ceil((nal.length - 1) / most);
  return Array.from({ length: pieces }, (_, index) => {
    const flags = (index === 0 ? 0x80 : 0) | (index === pieces - 1 ? 0x40 : 0);
    const head = Buffer.from([(nal[0] & 0xe0) | 28, flags | (nal[0] & 31)]);
    return Buffer.concat([head, nal.subarray(1 + index * most, 1 + (index + 1) * most)]);
  });
}
