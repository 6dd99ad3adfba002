// The peer of tests/aiortc/peer.py as a child process.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { invoke } from './client.mjs';
import { nextEvent, within } from './wait.mjs';

const python = fileURLToPath(new URL('../.venv/bin/python', import.meta.url));
const script = fileURLToPath(new URL('../aiortc/peer.py', import.meta.url));

/** Starts a peer that sends video with `codec` ('VP8' or 'H264') and Opus sound. */
export class AiortcPeer {
  #child;
  #waiting = new Set();
  #errors = '';

  constructor(codec) {
    this.#child = spawn(python, [script, codec], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stderr.setEncoding('utf8').on('data', (text) => (this.#errors += text));
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const message = JSON.parse(line);
      for (const check of this.#waiting) check(message);
    });
  }

  /** The first message from now on that `accepts`. */
  message(what, accepts, timeoutMs) {
    let check;
    const arrived = new Promise((resolve, reject) => {
      check = (message) => accepts(message) && resolve(message);
      this.#waiting.add(check);
      this.#child.once('error', reject);
      this.#child.once('exit', (code) => reject(new Error(`the aiortc peer ended with ${code}:\n${this.#errors}`)));
    });
    return within(arrived, what, timeoutMs).finally(() => this.#waiting.delete(check));
  }

  /**
   * Negotiates with `endpoint`. aiortc does not trickle: its offer has all its
   * candidates, and it gets an answer that has all of the server's.
   */
  async negotiate(endpoint) {
    const { offer } = await this.message('aiortc makes an offer', (message) => message.offer);
    await invoke(endpoint, 'processOffer', offer);
    const gathered = nextEvent(endpoint, 'IceGatheringDone');
    await invoke(endpoint, 'gatherCandidates');
    await gathered;
    const answer = await invoke(endpoint, 'getLocalSessionDescriptor');
    this.#child.stdin.write(`${JSON.stringify({ answer })}\n`);
  }

  async close() {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    if (this.#child.exitCode !== null) return;
    this.#child.stdin.end();
    await within(ended, 'the aiortc peer ends').catch(() => this.#child.kill('SIGKILL'));
  }
}
