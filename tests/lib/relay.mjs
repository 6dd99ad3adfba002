// Paths that lose, delay, reorder, repeat and throttle what goes between a browser and the
// server. The relay is a process of its own (tests/relay), so that a busy test does not add
// to what it does.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { within } from './wait.mjs';

const release = process.env.RIVERO_RELEASE_DIR ?? fileURLToPath(new URL('../../target/release', import.meta.url));

/** Starts the process. */
export function startRelay() {
  const program = join(release, 'rivero-relay');
  if (!existsSync(program)) throw new Error(`${program} is not built: run 'make build-tests'`);
  return new Relay(spawn(program, [], { stdio: ['pipe', 'pipe', 'inherit'] }));
}

class Relay {
  #child;
  #waiting = [];

  constructor(child) {
    this.#child = child;
    createInterface({ input: child.stdout }).on('line', (line) => this.#waiting.shift()?.(JSON.parse(line)));
    child.on('exit', () => (this.#child = undefined));
  }

  /**
   * A path that does nothing yet. Conditions are those of tests/relay/src/direction.rs,
   * `up` from the browser to the server, `down` the other way.
   */
  path(name, seed = 1) {
    return new Path(this, name, seed);
  }

  /** The answers come in the order of the commands. */
  command(command) {
    const answer = new Promise((resolve) => this.#waiting.push(resolve));
    this.#child.stdin.write(`${JSON.stringify(command)}\n`);
    return within(answer, `the relay obeys ${JSON.stringify(command)}`);
  }

  stop() {
    this.#child?.stdin.end();
  }
}

class Path {
  #relay;
  #id;
  #seed;
  #opened;
  #conditions = {};

  constructor(relay, id, seed) {
    this.#relay = relay;
    this.#id = id;
    this.#seed = seed;
  }

  /**
   * The candidate by which the browser reaches the server through this path; null for those
   * that would lead around it. The first IPv4 host candidate is the one that is relayed.
   */
  async candidate({ candidate, ...section }) {
    const fields = candidate.split(' ');
    const [, , transport, , address, port] = fields;
    const usable = transport.toLowerCase() === 'udp' && address.includes('.') && fields[7] === 'host';
    if (!usable) return null;
    const target = `${address}:${port}`;
    this.#opened ??= this.#open(address, target);
    const opened = await this.#opened;
    if (opened.target !== target) return null;
    fields[5] = String(opened.port);
    return { candidate: fields.join(' '), ...section };
  }

  async #open(address, target) {
    const { port } = await this.#relay.command({ open: { id: this.#id, address, target, seed: this.#seed } });
    await this.#relay.command({ set: { id: this.#id, ...this.#conditions } });
    return { port, target };
  }

  /** Changes what the path does from now on. */
  async set(conditions) {
    this.#conditions = { ...this.#conditions, ...conditions };
    if (!this.#opened) return; // told when it opens
    await this.#opened;
    await this.#relay.command({ set: { id: this.#id, ...conditions } });
  }

  /** Datagrams so far: `{up: {passed, lost}, down: {passed, lost}}`. */
  async counts() {
    await this.#opened;
    return this.#relay.command({ count: { id: this.#id } });
  }
}

/** A description without the candidates in it: whoever gets it learns of paths by their checks alone. */
export function withoutCandidates(sdp) {
  return sdp.replaceAll(/a=(candidate|end-of-candidates)[^\r\n]*\r\n/g, '');
}

/** A description of the server's whose candidates lead through `path`. */
export async function candidateThrough(path, sdp) {
  const lines = [];
  for (const line of sdp.split('\r\n')) {
    if (!line.startsWith('a=candidate:')) {
      lines.push(line);
      continue;
    }
    const reached = await path.candidate({ candidate: line.slice('a='.length) });
    if (reached) lines.push(`a=${reached.candidate}`);
  }
  return lines.join('\r\n');
}
