// baresip as a phone, and as much of SIP (RFC 3261) as it takes to be called by it: each offer of the phone is answered
// by a function of the test.

import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { until } from './wait.mjs';

const HOME = '127.0.0.1';

/**
 * Starts a phone that calls; `answer(offer)` resolves to the description that it gets. `encrypted`: keys in its descriptions.
 * Resolves once the call is established.
 */
export async function phoneCall(answer, { encrypted = false, toneHz = 600 } = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'rivero-baresip-'));
  const gateway = await SipGateway.listen(answer);
  const console = await freePort();
  const modules = ['srtp', 'g711', 'aufile', 'cons', 'account', 'menu'];
  const spoken = join(directory, 'spoken.wav');
  writeFileSync(spoken, tone(toneHz, 60));
  const recording = join(directory, 'heard.wav');
  writeFileSync(join(directory, 'config'), [
    'poll_method epoll', `sip_listen ${HOME}:0`, 'sip_trans_def udp', `cons_listen ${HOME}:${console}`,
    `audio_source aufile,${spoken}`, `audio_player aufile,${recording}`, `audio_alert aufile,${join(directory, 'alert.wav')}`, 'ausrc_srate 8000', 'auplay_srate 8000', 'ausrc_channels 1', 'auplay_channels 1',
    'rtp_ports 21000-29998', 'rtcp_mux no', 'module_path /usr/lib/baresip/modules', ...modules.map((name) => `module ${name}.so`),
  ].join('\n'));
  writeFileSync(join(directory, 'accounts'), `<sip:phone@${HOME}>;regint=0${encrypted ? ';mediaenc=srtp' : ''}\n`);
  writeFileSync(join(directory, 'contacts'), '');
  const child = spawn('baresip', ['-f', directory], { stdio: ['ignore', 'pipe', 'pipe'] });
  const phone = { said: '', recording, gateway };
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (phone.said += String(data).replace(/\[\d+:\d+:\d+\][^\r\n]*/g, '')));
  const socket = createSocket('udp4');
  phone.type = (text) => socket.send(text, console, HOME);
  /** A key is held until another message releases it. */
  phone.dial = (digit) => (phone.type(digit), phone.type('\x04'));
  phone.close = async () => {
    phone.type('/quit');
    child.kill();
    socket.close();
    gateway.close();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await until(() => /baresip is ready/.test(phone.said), 'baresip starts');
    phone.type(`/dial sip:server@${HOME}:${gateway.port}\n`);
    await until(() => gateway.acknowledged > 0, 'the call is established');
    return phone;
  } catch (error) {
    await phone.close();
    throw new Error(`${error.message}\n${phone.said}`);
  }
}

/** A WAV file of 8 kHz with a tone. */
function tone(hz, seconds) {
  const rate = 8000;
  const samples = Buffer.alloc(2 * rate * seconds);
  for (let i = 0; i < rate * seconds; i += 1) samples.writeInt16LE(Math.round(12_000 * Math.sin((2 * Math.PI * hz * i) / rate)), 2 * i);
  const head = Buffer.alloc(44);
  head.write('RIFF');
  head.writeUInt32LE(36 + samples.length, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(rate, 24);
  head.writeUInt32LE(2 * rate, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36);
  head.writeUInt32LE(samples.length, 40);
  return Buffer.concat([head, samples]);
}

function freePort() {
  const socket = createSocket('udp4');
  return new Promise((resolve) => socket.bind(0, HOME, () => {
    const { port } = socket.address();
    socket.close(() => resolve(port));
  }));
}

class SipGateway {
  #socket;
  #answer;
  /** Replies by transaction: what is asked again gets the same. */
  #replies = new Map();

  /** Offers that came, in their order, and how many answers were acknowledged. */
  offers = [];
  acknowledged = 0;
  ended = false;

  static async listen(answer) {
    const gateway = new SipGateway();
    gateway.#answer = answer;
    gateway.#socket = createSocket('udp4');
    gateway.#socket.on('message', (data, from) => gateway.#received(String(data), from));
    await new Promise((resolve) => gateway.#socket.bind(0, HOME, resolve));
    gateway.port = gateway.#socket.address().port;
    return gateway;
  }

  async #received(text, { address, port }) {
    const [head, body] = text.split('\r\n\r\n');
    const [line, ...fields] = head.split('\r\n');
    const method = line.split(' ')[0];
    if (method === 'SIP/2.0' || method === '') return;
    if (method === 'ACK') return void (this.acknowledged += 1);
    const all = (name) => fields.filter((field) => field.toLowerCase().startsWith(`${name}:`));
    const key = [...all('call-id'), ...all('cseq')].join();
    if (!this.#replies.has(key)) this.#replies.set(key, this.#reply(method, all, body));
    this.#socket.send(await this.#replies.get(key), port, address);
  }

  async #reply(method, all, body) {
    let description = '';
    let status = '200 OK';
    if (method === 'INVITE') {
      this.offers.push(body);
      description = await this.#answer(body).catch(() => (status = '488 Not Acceptable Here', ''));
    }
    this.ended ||= method === 'BYE';
    const to = all('to')[0];
    const tagged = /;tag=/.test(to) ? to : `${to};tag=server`;
    const fields = [...all('via'), ...all('from'), tagged, ...all('call-id'), ...all('cseq'), `Contact: <sip:server@${HOME}:${this.port}>`];
    if (description) fields.push('Content-Type: application/sdp');
    return [`SIP/2.0 ${status}`, ...fields, `Content-Length: ${Buffer.byteLength(description)}`, '', description].join('\r\n');
  }

  close() {
    this.#socket.close();
  }
}
