// A WebRTC peer as a child process that speaks JSON lines; see tests/aiortc/peer.py.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

import { invoke } from './client.mjs';
import { nextEvent, within } from './wait.mjs';

/** Starts `command` with `args`; `what` names it in failures. */
export class PeerProcess {
  #what;
  #child;
  #waiting = new Set();
  #errors = '';

  constructor(what, command, args) {
    this.#what = what;
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
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
      this.#child.once('exit', (code) => reject(new Error(`${this.#what} ended with ${code}:\n${this.#errors}`)));
    });
    return within(arrived, what, timeoutMs).finally(() => this.#waiting.delete(check));
  }

  /**
   * Negotiates with `endpoint`. It does not trickle: its offer has all its
   * candidates, and it gets an answer that has all of the server's.
   */
  async negotiate(endpoint) {
    const { offer } = await this.message(`${this.#what} makes an offer`, (message) => message.offer);
    await invoke(endpoint, 'processOffer', offer);
    const gathered = nextEvent(endpoint, 'IceGatheringDone');
    await invoke(endpoint, 'gatherCandidates');
    await gathered;
    const answer = await invoke(endpoint, 'getLocalSessionDescriptor');
    this.#child.stdin.write(`${JSON.stringify({ answer })}\n`);
  }

  /** The other way round: `endpoint` offers, with all its candidates, and the peer answers. */
  async answer(endpoint) {
    await invoke(endpoint, 'generateOffer');
    const gathered = nextEvent(endpoint, 'IceGatheringDone');
    await invoke(endpoint, 'gatherCandidates');
    await gathered;
    const offer = await invoke(endpoint, 'getLocalSessionDescriptor');
    const answered = this.message(`${this.#what} answers`, (message) => message.answer);
    this.#child.stdin.write(`${JSON.stringify({ offer })}\n`);
    const { answer } = await answered;
    await invoke(endpoint, 'processAnswer', answer);
  }

  async close() {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    if (this.#child.exitCode !== null) return;
    this.#child.stdin.end();
    await within(ended, `${this.#what} ends`).catch(() => this.#child.kill('SIGKILL'));
  }
}
