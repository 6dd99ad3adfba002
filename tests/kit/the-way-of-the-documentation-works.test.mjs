// What docs/modules.md tells somebody new to do, from `kmd new` to a filter that a running server takes up and then has another version of.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { installKit } from '../lib/kit.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { until } from '../lib/wait.mjs';

const page = readFileSync(new URL('../../docs/modules.md', import.meta.url), 'utf8');
const way = page.slice(page.indexOf('## From nothing to a filter'), page.indexOf('## What you write'));
const blocks = [...way.matchAll(/```(\w+)\n([\s\S]*?)```/g)].map(([, language, text]) => ({ language, text }));
const commands = blocks.filter(({ language }) => language === 'sh').map(({ text }) => text);
const [code, change] = blocks.filter(({ language }) => language === 'rust').map(({ text }) => text);

let kit, server, rpc, mediaPipeline;
before(async () => {
  kit = await installKit();
  server = await startRivero({ modules: ['passthrough'] });
  kit.env.MODULES = server.modulesPath;
  // The page has cargo's own directory of what is built.
  rpc = await connectRpc(server.url);
  mediaPipeline = await rpc.create('MediaPipeline');
});
after(async () => {
  await rpc?.close();
  await server?.stop();
  kit?.remove();
});

/** Runs the lines of a block. What is built lies where all projects of these tests have it, and tests are built like the module, so that only
 * the first run compiles what they need. */
function follow(block, directory) {
  const text = block.replace('cargo test', 'cargo test --release').replaceAll('target/release', '$CARGO_TARGET_DIR/release').replace(/^cd .*$/m, '');
  return kit.run('bash', ['-euc', text], directory);
}

const source = () => join(kit.home, 'acme', 'src', 'lib.rs');
const strengthOf = async (given) => rpc.invoke(await rpc.create('acme.Negative', { mediaPipeline, ...given }), 'getStrength');

test('the project is the one of the page', async () => {
  await follow(commands[0]);
  assert.equal(readFileSync(source(), 'utf8').split('\n#[cfg(test)]')[0], code);
});

test('it is tested, built, checked and taken up by the server', async () => {
  const said = await follow(commands[1], 'acme');
  assert.match(said, /test result: ok\. 2 passed/);
  assert.match(said, /passes \d+ checks at strictness 5/);
  assert.match(said, /acme\.Negative extends Filter/);
  await follow(commands[2], 'acme');
  const created = async () => (await rpc.request('create', { type: 'acme.Negative', constructorParams: { mediaPipeline } })).result;
  await until(created, 'the server makes objects of the class', 20_000);
  assert.equal(await strengthOf({}), 100);
  assert.equal(await strengthOf({ strength: 50 }), 50);
});

test('a change is served to new objects while the server runs', async () => {
  const before = readFileSync(source(), 'utf8');
  const after = before.replace(/ {8}for value in picture\.luma\(\) \{[\s\S]*?\n {8}\}\n/, change).replace('_properties', 'properties');
  assert.notEqual(after, before);
  writeFileSync(source(), after);
  await rpc.value('subscribe', { type: 'ModuleUpgraded', object: 'manager_ServerManager' });
  await follow(commands[3], 'acme');
  await until(() => rpc.events.some(({ type }) => type === 'ModuleUpgraded'), 'the new version is taken up', 20_000);
  assert.equal(await strengthOf({ strength: 20 }), 20);
});
