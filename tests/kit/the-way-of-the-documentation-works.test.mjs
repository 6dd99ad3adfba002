// What docs/modules.md tells somebody new to do, from `kmd new` to a filter that a running server takes up and then has another version of.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { launchBrowser } from '../lib/browser.mjs';
import { installKit } from '../lib/kit.mjs';
import { artefacts, startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { until, within } from '../lib/wait.mjs';

const page = readFileSync(new URL('../../docs/modules.md', import.meta.url), 'utf8');
const way = page.slice(page.indexOf('## From nothing to a filter'), page.indexOf('## What you write'));
const blocks = [...way.matchAll(/```(\w+)\n([\s\S]*?)```/g)].map(([, language, text]) => ({ language, text }));
const commands = blocks.filter(({ language }) => language === 'sh').map(({ text }) => text);
const [code, change] = blocks.filter(({ language }) => language === 'rust').map(({ text }) => text);

let kit, server, rpc, mediaPipeline;
const data = mkdtempSync(join(tmpdir(), 'rivero-data-'));
const started = [];
before(async () => {
  kit = await installKit();
  server = await startRivero({ modules: ['passthrough'], args: ['--dev', '--data-path', data] });
  kit.env.MODULES = server.modulesPath;
  // The page has cargo's own directory of what is built.
  rpc = await connectRpc(server.url);
  mediaPipeline = await rpc.create('MediaPipeline');
});
after(async () => {
  started.forEach(({ child }) => child.kill('SIGTERM'));
  await rpc?.close();
  await server?.stop();
  kit?.remove();
  rmSync(data, { recursive: true, force: true });
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

/** `kmd dev` in the project; `said()` is what it has printed. */
function develop(...args) {
  const child = spawn('kmd', ['dev', ...args], { cwd: join(kit.home, 'acme'), env: { ...kit.env, TMPDIR: kit.home }, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (more) => (text += more));
  const exit = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
  const run = { child, exit, said: () => text };
  started.push(run);
  return run;
}

/** How bright the upper left of what comes back is, where the pattern is white. */
const brightness = (page) =>
  page.evaluate(() => {
    const video = document.getElementById('after');
    if (!video.videoWidth) return undefined;
    const canvas = Object.assign(document.createElement('canvas'), { width: 8, height: 8 });
    const context = canvas.getContext('2d');
    context.drawImage(video, 10, 10, 60, 40, 0, 0, 8, 8);
    return context.getImageData(4, 4, 1, 1).data[1];
  });

const edit = (from, to) => {
  const text = readFileSync(source(), 'utf8');
  assert.ok(text.includes(from), from);
  writeFileSync(source(), text.replace(from, to));
};

test('kmd dev shows what the module does, and each build of it', async () => {
  const run = develop('--modules-path', artefacts.modules);
  const browser = await launchBrowser();
  try {
    const address = await until(() => run.said().match(/http:\/\/localhost:\d+\//)?.[0], 'the page has an address');
    const page = await browser.openPage();
    await page.goto(address);
    const shows = (what, is) => until(async () => is(await brightness(page)), `${what}:\n${run.said()}`);
    await shows('white becomes black', (value) => value < 60);
    const strength = page.locator('#properties input[type=number][name=strength], #properties input[type=number]').first();
    await strength.fill('0');
    await shows('white stays white', (value) => value > 180);
    await strength.fill('101');
    await page.locator('#properties .trouble', { hasText: 'strength' }).waitFor();
    await strength.fill('0');

    edit('(1.0 - strength)', '(1.0 - strenght)');
    await page.locator('#state[data-state=failed]').waitFor();
    await page.locator('#trouble', { hasText: 'strenght' }).waitFor();
    await shows('the old version goes on', (value) => value > 180);

    edit('(1.0 - strenght)', '(0.0 * strength)');
    await page.locator('#state[data-state=ready]').waitFor();
    await shows('the new version has the old property', (value) => value < 60);
    assert.equal(await strength.inputValue(), '0');
  } finally {
    await browser.close();
  }
  const server = (await within(kit.run('pgrep', ['-P', String(run.child.pid)]), 'its server is there')).trim();
  run.child.kill('SIGINT');
  assert.deepEqual(await within(run.exit, 'kmd dev ends'), { code: 0, signal: null });
  assert.ok(!existsSync(`/proc/${server}`), 'its server has ended');
});

test('kmd dev goes before the installed module in a server that runs with --dev', async () => {
  const file = join(data, 'dev', 'acme.so');
  const told = (type, file) => until(() => rpc.events.some((event) => event.type === type && event.data.file === file), `${type} ${file}`);
  for (const type of ['ModuleAdded', 'ModuleRemoved']) await rpc.value('subscribe', { type, object: 'manager_ServerManager' });
  const run = develop('--server', server.url, '--into', join(data, 'dev'));
  await told('ModuleAdded', file);
  const { modules } = await rpc.invoke('manager_ServerManager', 'getInfo');
  assert.equal(modules.filter(({ name, factories }) => name === 'acme' && factories.includes('Negative')).length, 1);
  run.child.kill('SIGTERM');
  assert.deepEqual(await within(run.exit, 'kmd dev ends'), { code: 0, signal: null });
  await told('ModuleRemoved', file);
  assert.ok(!existsSync(file));
});
