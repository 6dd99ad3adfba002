// WebRTC peers as a child process that speaks JSON lines; see tests/aiortc/peer.py. Where one process
// has several peers (tests/aiortc/peers.py), each message has the number of its `peer`.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

import { invoke } from './client.mjs';
import { candidateThrough, withoutCandidates } from './relay.mjs';
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
    this.#child.setMaxListeners(0); // each message that is waited for has its own
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
   * candidates, and it gets an answer that has all of the server's. With a `path`
   * (see relay.mjs) all media goes by that. `peer` is the number of one of several.
   */
  async negotiate(endpoint, { path, peer } = {}) {
    const { offer } = await this.message(`${this.#what} makes an offer`, (message) => message.peer === peer && message.offer);
    await invoke(endpoint, 'processOffer', path ? withoutCandidates(offer) : offer);
    const answer = await described(endpoint, path);
    this.#say({ peer, answer });
  }

  /** The other way round: `endpoint` offers, with all its candidates, and the peer answers. */
  async answer(endpoint, { path, peer } = {}) {
    await invoke(endpoint, 'generateOffer');
    const offer = await described(endpoint, path);
    const answered = this.message(`${this.#what} answers`, (message) => message.peer === peer && message.answer);
    this.#say({ peer, offer });
    const { answer } = await answered;
    await invoke(endpoint, 'processAnswer', path ? withoutCandidates(answer) : answer);
  }

  #say(message) {
    this.#child.stdin.write(`${JSON.stringify(message)}\n`);
  }

  async close() {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    if (this.#child.exitCode !== null) return;
    this.#child.stdin.end();
    await within(ended, `${this.#what} ends`).catch(() => this.#child.kill('SIGKILL'));
  }
}

/** The description of `endpoint` with all its candidates, or with the one by which `path` leads to it. */
async function described(endpoint, path) {
  const gathered = nextEvent(endpoint, 'IceGatheringDone');
  await invoke(endpoint, 'gatherCandidates');
  await gathered;
  const description = await invoke(endpoint, 'getLocalSessionDescriptor');
  return path ? candidateThrough(path, description) : description;
}
