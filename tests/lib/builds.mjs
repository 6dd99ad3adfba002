// Builds of one module that differ in what they say of themselves (tests/fixtures/upgrades), and what the server
// says of modules that come and go.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { manifestOf } from './elf.mjs';
import { metric } from './metrics.mjs';
import { artefacts } from './rivero.mjs';
import { connectRpc } from './rpc.mjs';
import { until } from './wait.mjs';

const MANAGER = 'manager_ServerManager';
const MARK = 'build of a fixture: ';
const EVENTS = ['ModuleAdded', 'ModuleUpgraded', 'ModuleRemoved', 'ModuleFailed'];

/** How long after the last write a change is taken up; more than the promised 2 s where the machine is busy. */
export const SOON_MS = 10_000;

/** The fixture as an earlier build of this test has made it. */
const fixture = () => readFileSync(join(artefacts.fixtures, 'upgrades.so'));

/** The bytes of build `number`, 0 to 9999: the same size as any other. */
export function build(number) {
  const library = fixture();
  const at = library.indexOf(MARK);
  if (at < 0) throw new Error('the fixture has no mark');
  library.write(String(number).padStart(4, '0'), at + MARK.length, 'latin1');
  return library;
}

/** What the fixture tells of itself. */
export const fixtureManifest = () => manifestOf(fixture());

/** A connection that hears of modules, with the words for what it is asked. */
export async function watchModules(server) {
  const rpc = await connectRpc(server.url);
  for (const type of EVENTS) await rpc.value('subscribe', { type, object: MANAGER });
  return new Watching(server, rpc);
}

class Watching {
  constructor(server, rpc) {
    this.server = server;
    this.rpc = rpc;
  }

  /** The entry of a module in getInfo. */
  async module(name = 'fixtureupgrades') {
    const { modules } = await this.rpc.invoke(MANAGER, 'getInfo');
    return modules.find((module) => module.name === name);
  }

  /** All events so far, as `[type, data]`. */
  get events() {
    return this.rpc.events.map(({ type, data }) => [type, data]);
  }

  /** Waits for the next event of this type after the first `seen` events. */
  event(type, seen = 0) {
    const found = () => this.events.slice(seen).find(([known]) => known === type)?.[1];
    return until(found, `${type} is raised`, SOON_MS);
  }

  /** A new object in a pipeline of its own. */
  async object(type = 'Upgrades') {
    const pipeline = await this.rpc.create('MediaPipeline');
    return { pipeline, id: await this.rpc.create(type, { mediaPipeline: pipeline }) };
  }

  /** The build that a new object belongs to. */
  async newBuild() {
    const { pipeline, id } = await this.object();
    const number = await this.buildOf(id);
    await this.release(pipeline);
    return number;
  }

  async buildOf(id) {
    return Number(await this.rpc.invoke(id, 'getBuild'));
  }

  release(id) {
    return this.rpc.value('release', { object: id });
  }

  /** Waits until new objects belong to this build. */
  serves(number) {
    return until(async () => (await this.newBuild()) === number, `build ${number} serves`, SOON_MS);
  }

  /** Waits until the class is not made any more. */
  serveNone() {
    const create = async () => (await this.rpc.request('create', { type: 'Upgrades', constructorParams: { mediaPipeline: 'none' } })).error;
    return until(async () => (await create())?.code === 40108, 'the class is gone', SOON_MS);
  }

  /** How many generations are `in_use`, `waiting` or `pinned`. */
  generations(state) {
    return metric(this.server, 'rivero_module_generations', { state });
  }

  /** Waits until so many are. */
  async become(state, count) {
    await until(async () => (await this.generations(state)) === count, `${count} generations are ${state}`, 30_000);
  }

  /** Lines of the log with all of these in them. */
  lines(...parts) {
    return this.server.log.split('\n').filter((line) => parts.every((part) => line.includes(part)));
  }

  close() {
    return this.rpc.close();
  }
}
