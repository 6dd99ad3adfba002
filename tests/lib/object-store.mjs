// A store that speaks S3 as a child process; see tests/recorder/object-store.py. It checks signatures, and forgets everything
// when it ends.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { within } from './wait.mjs';

const python = fileURLToPath(new URL('../.venv/bin/python', import.meta.url));
const script = fileURLToPath(new URL('../recorder/object-store.py', import.meta.url));

/** The bucket that it has. */
export const BUCKET = 'calls';
/** By whom it lets itself be used. */
export const KEYS = { id: 'AKIARECORDER', secret: 'not-to-be-told' };

/** Starts one on a free port, or on `port`; `port` is where it is. */
export async function startObjectStore(port = 0) {
  const store = new ObjectStore(spawn(python, [script, String(port), BUCKET, KEYS.id, KEYS.secret], { stdio: ['pipe', 'pipe', 'pipe'] }));
  store.port = (await store.answer('the store is there')).port;
  return store;
}

class ObjectStore {
  #child;
  #waiting = [];
  #ended;
  #errors = '';

  constructor(child) {
    this.#child = child;
    child.stderr.setEncoding('utf8').on('data', (text) => (this.#errors += text));
    createInterface({ input: child.stdout }).on('line', (line) => this.#waiting.shift()?.resolve(JSON.parse(line)));
    const failed = (why) => this.#waiting.splice(0).forEach(({ reject }) => reject(new Error(`the store ended (${why}):\n${this.#errors}`)));
    this.#ended = new Promise((resolve) => child.once('error', failed).once('exit', (code) => (failed(code), resolve())));
  }

  answer(what) {
    return within(new Promise((resolve, reject) => this.#waiting.push({ resolve, reject })), what);
  }

  #ask(request) {
    const answer = this.answer(JSON.stringify(request));
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    return answer;
  }

  /** Writes an object into a file; resolves to `{bytes, type}`, where it is missing to `{bytes: null}`. */
  fetch(key, file) {
    return this.#ask({ get: key, file });
  }

  /** How many uploads were begun and are neither complete nor given up. */
  async uploads() {
    return (await this.#ask({ uploads: true })).uploads;
  }

  /** Ends it as a crash does. */
  async kill() {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}
