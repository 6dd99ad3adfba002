// A peer of plain RTP as a process of its own, which can be in another network namespace. It takes one command a line on its
// standard input, as JSON, and tells on its output where it is and how much has come.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { receiverReport, rtpPeer } from './rtp-peer.mjs';
import { until } from './wait.mjs';

const FILE = fileURLToPath(import.meta.url);
const TELL_EVERY_MS = 50;

/** Starts one behind these words (`Namespace.prefix`), at an address there, for a server at `host`. */
export async function rtpPhone(prefix, address, host) {
  const [program, ...args] = [...prefix, process.execPath, FILE, address, host];
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const phone = { heard: 0, reports: 0, close: () => child.stdin.end() };
  createInterface({ input: child.stdout }).on('line', (line) => Object.assign(phone, JSON.parse(line)));
  const command = (name, ...parameters) => child.stdin.write(`${JSON.stringify([name, ...parameters])}\n`);
  /** Sends sound to a port, from now on. */
  phone.speak = (port, options) => command('speak', port, options);
  /** Sends a report to a port. */
  phone.report = (port, ssrc) => command('report', port, ssrc);
  /** Resolves when there are so many packets more than now. */
  phone.hears = (count, what) => {
    const begin = phone.heard;
    return until(() => phone.heard >= begin + count, what);
  };
  await until(() => phone.port, 'the phone is there');
  return phone;
}

async function main([address, host]) {
  const peer = await rtpPeer({ address, host });
  const commands = {
    speak: (port, options) => peer.speak(port, options),
    report: (port, ssrc) => peer.report(port, [receiverReport(ssrc)]),
  };
  const tell = () => console.log(JSON.stringify({ port: peer.port, heard: peer.packets.length, reports: peer.reports.length }));
  setInterval(tell, TELL_EVERY_MS);
  const input = createInterface({ input: process.stdin });
  input.on('line', (line) => {
    const [name, ...parameters] = JSON.parse(line);
    commands[name](...parameters);
  });
  input.on('close', () => process.exit());
}

if (process.argv[1] === FILE) await main(process.argv.slice(2));
