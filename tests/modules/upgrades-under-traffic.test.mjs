// PassThrough is upgraded again and again while media passes it: no packet is lost, and memory, descriptors and
// threads are what they were.

import assert from 'node:assert/strict';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { watchModules } from '../lib/builds.mjs';
import { mappedFiles } from '../lib/process-usage.mjs';
import { artefacts, startRivero } from '../lib/rivero.mjs';
import { until } from '../lib/wait.mjs';

const UPGRADES = Math.min(100, 12 * Number(process.env.SCALE ?? 1));
/** How many chains pass media at a time, each begun with another generation. */
const CHAINS = 3;
const BURST = 32;

/** Source, PassThrough and sink, and a loop that sends. */
class Chain {
  sent = 0;
  #on = true;

  static async begin(modules) {
    const chain = new Chain();
    const { rpc } = modules;
    chain.rpc = rpc;
    chain.pipeline = await rpc.create('MediaPipeline');
    const element = (type) => rpc.create(type, { mediaPipeline: chain.pipeline });
    [chain.source, chain.middle, chain.sink] = [await element('Panics'), await element('PassThrough'), await element('Panics')];
    await rpc.invoke(chain.source, 'connect', { sink: chain.middle });
    await rpc.invoke(chain.middle, 'connect', { sink: chain.sink });
    chain.sending = chain.#send();
    chain.sending.catch(() => {}); // reported by end(); a test that failed before closes the connection
    await until(() => chain.received(), 'media passes');
    return chain;
  }

  async #send() {
    while (this.#on) {
      await this.rpc.invoke(this.source, 'send', { count: BURST });
      this.sent += BURST;
    }
  }

  received() {
    return this.rpc.invoke(this.sink, 'getReceived');
  }

  /** Ends it; all that was sent has arrived. */
  async end() {
    this.#on = false;
    await this.sending;
    await until(async () => (await this.received()) === this.sent, `all ${this.sent} packets arrive`);
    await this.rpc.value('release', { object: this.pipeline });
  }
}

test(`${UPGRADES} upgrades under traffic lose nothing and leave nothing`, { timeout: 20 * 60_000 }, async () => {
  const server = await startRivero({ modules: ['passthrough', 'panics'] });
  const modules = await watchModules(server);
  const library = readFileSync(join(artefacts.modules, 'passthrough.so'));
  const chains = [];
  async function upgrade() {
    const seen = modules.events.length;
    writeFileSync(join(server.modulesPath, '.new'), library);
    renameSync(join(server.modulesPath, '.new'), join(server.modulesPath, 'passthrough.so'));
    await modules.event('ModuleUpgraded', seen);
    chains.push(await Chain.begin(modules));
    if (chains.length > CHAINS) await chains.shift().end();
  }
  const settled = async () => {
    await modules.become('in_use', CHAINS + 1);
    await modules.become('waiting', 0);
    await modules.become('pinned', 0);
    // One that is being closed is none of these.
    await until(() => mapped() === CHAINS, 'only those in use are mapped', 60_000);
    return server.usage();
  };
  const mapped = () => mappedFiles(server.pid, (path) => path.includes('passthrough.so')).length;
  try {
    chains.push(await Chain.begin(modules));
    for (let number = 0; number < CHAINS; number += 1) await upgrade();
    const before = await settled();
    for (let number = 0; number < UPGRADES; number += 1) await upgrade();
    const after = await settled();
    assert.ok(after.descriptors <= before.descriptors + 2, `${before.descriptors} → ${after.descriptors} descriptors`);
    assert.ok(after.threads <= before.threads + 2, `${before.threads} → ${after.threads} threads`);
    const grown = after.rssKib - before.rssKib;
    assert.ok(grown < 8 << 10, `memory grew by ${grown} KiB`);
    for (const chain of chains.splice(0)) await chain.end();
    assert.deepEqual(modules.lines('ERROR'), []);
  } finally {
    await modules.close();
    await server.stop();
  }
});
