// What is watched during a load: memory, another client, a call, and how soon all is as before.

import { fork, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { usage } from '../../lib/process-usage.mjs';
import { connectRpc } from '../../lib/rpc.mjs';
import { within } from '../../lib/wait.mjs';
import { MANAGER, pause } from './aim.mjs';

/** Above what was there before the load: allocators keep some, sockets take a moment to end. */
const SLACK = { kib: 50 * 1024, descriptors: 20, objects: 4 };
const SECOND = 1_000;

/** Another process of this folder, which is asked by messages. */
export class Helper {
  #child;

  constructor(script) {
    this.#child = fork(fileURLToPath(new URL(script, import.meta.url)));
    this.ended = once(this.#child, 'exit');
  }

  send(message) {
    this.#child.send(message);
  }

  /** Sends a message and waits for the next one that comes back. */
  async ask(message, patienceMs) {
    const answer = once(this.#child, 'message');
    this.send(message);
    const ended = this.ended.then(([code]) => {
      throw new Error(`a helper ended with ${code}`);
    });
    ended.catch(() => {});
    return (await within(Promise.race([answer, ended]), 'a helper answers', patienceMs))[0];
  }

  async end() {
    this.#child.kill('SIGKILL');
    await this.ended;
  }
}

/** A publisher and viewers by `rivero-bench call`. */
export class Call {
  #child;
  #lines;

  static async on(port, bench) {
    const call = new Call();
    call.#child = spawn(bench, ['call', '--server', `127.0.0.1:${port}`], { stdio: ['pipe', 'pipe', 'inherit'] });
    call.#lines = createInterface({ input: call.#child.stdout })[Symbol.asyncIterator]();
    await call.#line('the call begins');
    return call;
  }

  async #line(what) {
    const { value, done } = await within(this.#lines.next(), what);
    if (done) throw new Error(`${what}: rivero-bench has ended`);
    return JSON.parse(value);
  }

  /** Ends the call: `{sent, lost}`. */
  async end() {
    this.#child.stdin.end();
    return this.#line('the call is counted');
  }

  kill() {
    this.#child.kill('SIGKILL');
  }
}

/** The most memory of a process since `reset`, KiB. */
export class Memory {
  constructor(pid) {
    this.pid = pid;
  }

  reset() {
    writeFileSync(`/proc/${this.pid}/clear_refs`, '5'); // proc(5): the peak begins anew
  }

  get most() {
    return Number(readFileSync(`/proc/${this.pid}/status`, 'utf8').match(/^VmHWM:\s+(\d+)/m)[1]);
  }
}

/** What a server has, seen by a client that stays: memory, descriptors, pipelines and sessions. */
export class State {
  #server;
  #rpc;
  #before;

  /** What there is before anything happens. */
  static async of(server) {
    const state = new State();
    state.#server = server;
    state.#rpc = await connectRpc(server.url);
    state.#before = await state.#now();
    return state;
  }

  /** KiB. */
  get idle() {
    return this.#before.kib;
  }

  async #now() {
    const { rssKib: kib, descriptors } = usage(this.#server.pid);
    const count = async (operation) => (await this.#rpc.invoke(MANAGER, operation)).length;
    return { kib, descriptors, objects: (await count('getPipelines')) + (await count('getSessions')) };
  }

  /** Waits until there is no more than before; how many seconds that took, and what is left after `limit`. */
  async isBack(limit) {
    const began = performance.now();
    let left;
    do {
      await pause(SECOND / 4);
      const now = await this.#now();
      left = Object.keys(SLACK).filter((key) => now[key] > this.#before[key] + SLACK[key]).map((key) => `${now[key] - this.#before[key]} ${key}`);
      if (left.length === 0) return { seconds: (performance.now() - began) / SECOND, left };
    } while (performance.now() - began < limit * SECOND);
    return { seconds: Infinity, left };
  }

  close() {
    return this.#rpc.close();
  }
}
