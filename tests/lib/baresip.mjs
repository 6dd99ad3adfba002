// baresip as a phone that calls: each of its offers is answered by a function of the test, or by the server that it calls.

import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { SipServer } from '../../examples/sip-phone/sip.mjs';
import { until } from './wait.mjs';

const HOME = '127.0.0.1';

/**
 * Starts a phone that calls a server of its own; `answer(offer, user)` resolves to the description that it gets for a call to
 * that user. `encrypted`: keys in its descriptions. Resolves once the call is established.
 */
export async function phoneCall(answer, options) {
  const gateway = await gatewayOf(answer);
  const phone = await phoneThatCalls(gateway.uri, options).catch((error) => (gateway.close(), Promise.reject(error)));
  const close = phone.close;
  phone.close = () => close().finally(() => gateway.close());
  return Object.assign(phone, { gateway });
}

/** Starts a phone that calls; resolves once the call is established. */
export async function phoneThatCalls(uri, { encrypted = false, toneHz = 600 } = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'rivero-baresip-'));
  const console = await freePort();
  const modules = ['srtp', 'g711', 'aufile', 'sndfile', 'cons', 'account', 'menu'];
  const spoken = join(directory, 'spoken.wav');
  writeFileSync(spoken, tone(toneHz, 60));
  const recordings = join(directory, 'recordings');
  mkdirSync(recordings);
  writeFileSync(join(directory, 'config'), [
    'poll_method epoll', `sip_listen ${HOME}:0`, 'sip_trans_def udp', `cons_listen ${HOME}:${console}`,
    `audio_source aufile,${spoken}`, 'audio_player aufile,nothing', `snd_path ${recordings}`, `audio_alert aufile,${join(directory, 'alert.wav')}`, 'ausrc_srate 8000', 'auplay_srate 8000', 'ausrc_channels 1', 'auplay_channels 1',
    'rtp_ports 21000-29998', 'rtcp_mux no', 'module_path /usr/lib/baresip/modules', ...modules.map((name) => `module ${name}.so`),
  ].join('\n'));
  writeFileSync(join(directory, 'accounts'), `<sip:phone@${HOME}>;regint=0${encrypted ? ';mediaenc=srtp' : ''}\n`);
  writeFileSync(join(directory, 'contacts'), '');
  const child = spawn('baresip', ['-f', directory], { stdio: ['ignore', 'pipe', 'pipe'] });
  const phone = { said: '' };
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (phone.said += String(data).replace(/\[\d+:\d+:\d+\][^\r\n]*/g, '')));
  const socket = createSocket('udp4');
  phone.type = (text) => socket.send(text, console, HOME);
  /** The latest milliseconds of what the phone has decoded, 8 samples of 16 bits each. */
  const heard = (milliseconds) => {
    const latest = readdirSync(recordings).filter((name) => /-dec\.wav$/.test(name)).sort().at(-1);
    return latest ? samplesOf(readFileSync(join(recordings, latest)).subarray(44).subarray(-16 * milliseconds)) : [];
  };
  /** Whether the last half second that the phone has decoded is a `squareWave`, with next to nothing missing. */
  phone.hearsTone = () => isSquareWave(heard(500));
  /** The loudest sample of the last two seconds, of 32767. */
  phone.loudest = () => Math.max(0, ...heard(2000));
  /** A key is held until another message releases it. */
  phone.dial = (digit) => (phone.type(digit), phone.type('\x04'));
  phone.close = async () => {
    phone.type('/quit');
    child.kill();
    socket.close();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await until(() => /baresip is ready/.test(phone.said), 'baresip starts');
    phone.type(`/dial ${uri}\n`);
    await until(() => /Call established/.test(phone.said), 'the call is established');
    return phone;
  } catch (error) {
    await phone.close();
    throw new Error(`${error.message}\n${phone.said}`);
  }
}

/** How loud each sample of 16 bits is. */
function samplesOf(bytes) {
  return Array.from({ length: bytes.length >> 1 }, (_, i) => Math.abs(bytes.readInt16LE(2 * i)));
}

function isSquareWave(samples) {
  return samples.length > 1000 && samples.filter((sample) => sample > 10_000 && sample < 20_000).length > 0.8 * samples.length;
}

/** 20 ms of a tone of 1 kHz that is like no other, in mu-law. */
export const squareWave = Buffer.from(Array.from({ length: 160 }, (_, i) => (i % 8 < 4 ? 0x10 : 0x90)));

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

/** A port for baresip's console, below those that the system gives to others meanwhile. */
async function freePort() {
  for (;;) {
    const socket = createSocket('udp4');
    const port = 12_000 + Math.floor(Math.random() * 8000);
    const bound = await new Promise((resolve) => socket.once('error', () => resolve(false)).bind(port, HOME, () => resolve(true)));
    if (bound) {
      await new Promise((resolve) => socket.close(resolve));
      return port;
    }
  }
}

/** A server that phones call, which answers as the test says. */
async function gatewayOf(answer) {
  let latest;
  const gateway = {
    /** Offers that came, in their order. */
    offers: [],
    /** What the phone says about the call that it was asked to transfer (RFC 3515 §2.4.5). */
    notified: [],
    /** Calls that are over. */
    ended: 0,
  };
  const sip = await SipServer.listen({ host: HOME, port: 0 }, {
    answer: ({ id, user, offer }) => {
      latest = id;
      gateway.offers.push(offer);
      return answer(offer, user);
    },
    ended: () => (gateway.ended += 1),
    request: (method, body) => method === 'NOTIFY' && gateway.notified.push(body),
  });
  gateway.uri = sip.uri('line');
  gateway.close = () => sip.close();
  /** Asks the phone to call another user in place of the present one; gives how to end the present call. */
  gateway.transfer = (user) => {
    const id = latest;
    sip.request(id, 'REFER', [`Refer-To: <${sip.uri(user)}>`, `Referred-By: <${sip.uri('server')}>`]);
    return () => sip.hangUp(id);
  };
  return gateway;
}
