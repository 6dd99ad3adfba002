// The Debian packages: they are made, lintian finds no error, and in a fresh system they start as
// their service says, serve a call, and leave nothing behind.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { launchBrowser } from '../lib/browser.mjs';
import { Calls } from '../lib/calls.mjs';
import { connectClient, invoke } from '../lib/client.mjs';
import { COLOURS, hearsTone, isConnected, seesColour } from '../lib/media.mjs';
import { until, within } from '../lib/wait.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const release = process.env.RIVERO_RELEASE_DIR ?? join(root, 'target', 'release');
/** What `make deps-test` made by mmdebstrap: Debian, and adduser. */
const SYSTEM = fileURLToPath(new URL('../.chroot', import.meta.url));
const URL_OF_SERVICE = 'ws://127.0.0.1:8888/kurento';
const TONE_HZ = 1000;

let work;
let chroot;
let debs;

/** Runs a command in the new system, whose mounts end with it. */
function inside(command, { sync = true, ...options } = {}) {
  const script = `mount -t proc proc "$0/proc" && mount --bind /dev "$0/dev" && exec chroot "$0" sh -c "$1"`;
  const args = ['--mount', 'sh', '-c', script, chroot, command];
  if (!sync) return spawn('unshare', args, { stdio: ['ignore', 'inherit', 'inherit'], ...options });
  return execFileSync('unshare', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], ...options });
}

/** The files of the new system, but for those in which dpkg keeps its books. */
function files() {
  return inside('find / -xdev -path /proc -prune -o -path /dev -prune -o -path /var/lib/dpkg -prune -o -path /var/cache -prune -o -print')
    .trim()
    .split('\n')
    .filter((file) => !/^\/(etc\/[a-z]*-$|var\/log\/|run\/|tmp\/)/.test(file))
    .sort();
}

const deb = (name) => debs.find((file) => file.startsWith(`${name}_`)) ?? assert.fail(`there is no package ${name}`);

before(() => {
  work = mkdtempSync(join(tmpdir(), 'rivero-packages-'));
  chroot = join(work, 'system');
  const output = join(work, 'debian');
  // Small matters to who downloads, not here.
  execFileSync(join(root, 'packaging/debian/build.sh'), [release, output], {
    env: { ...process.env, RIVERO_DEB_OPTIONS: '-Zgzip -z1' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  debs = readdirSync(output).filter((file) => file.endsWith('.deb'));
  execFileSync('cp', ['--archive', SYSTEM, chroot]);
  cpSync(output, join(chroot, 'debs'), { recursive: true });
});
after(() => rmSync(work, { recursive: true, force: true, maxRetries: 5 }));

test('each module has a package, and all are in that of all modules', () => {
  const modules = readdirSync(join(root, 'plugins')).filter((name) => existsSync(join(root, 'plugins', name, 'Cargo.toml')));
  const all = execFileSync('dpkg-deb', ['--field', join(chroot, 'debs', deb('rivero-modules')), 'Depends'], { encoding: 'utf8' });
  for (const name of modules) {
    deb(`rivero-module-${name}`);
    assert.match(all, new RegExp(`rivero-module-${name} `));
  }
});

test('lintian finds no error', () => {
  const changes = readdirSync(join(chroot, 'debs')).find((file) => file.endsWith('.changes'));
  execFileSync('lintian', ['--allow-root', '--fail-on', 'error', join(chroot, 'debs', changes)], { stdio: ['ignore', 'pipe', 'inherit'] });
});

test('the gallery of the package shows its pages', async () => {
  const directory = join(work, 'gallery');
  execFileSync('dpkg-deb', ['--extract', join(chroot, 'debs', deb('rivero-gallery')), directory]);
  const gallery = spawn(join(directory, 'usr/bin/rivero-gallery'), ['--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    let told = '';
    gallery.stdout.setEncoding('utf8').on('data', (text) => (told += text));
    const [, url] = await until(() => /^Examples: (\S+)$/m.exec(told), 'the gallery listens');
    const page = await (await fetch(url)).text();
    const links = [...page.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, link]) => new URL(link, `${url}gallery/`));
    assert.ok(links.length > 10, page);
    for (const link of [...links, new URL('vendor/kurento-utils.js', url), new URL('vendor/kurento-module-rivero.js', url)]) {
      assert.equal((await fetch(link)).status, 200, link.href);
    }
  } finally {
    gallery.kill();
  }
});

test('installed, started as the service does, and removed', async (t) => {
  const fresh = files();
  const configured = '{"mediaServer": {"net": {"websocket": {"address": "127.0.0.1", "port": 8888}}}, "metadata": "by hand"}\n';
  const names = ['rivero', 'rivero-module-webrtc', 'rivero-module-passthrough'];
  inside(`dpkg --install ${names.map((name) => `/debs/${deb(name)}`).join(' ')}`);
  for (const file of ['man/man8/rivero.8.gz', 'man/man8/kurento-media-server.8.gz', 'doc/rivero/README.md', 'doc/rivero/docs/turn.md', 'rivero/coturn/turnserver.conf', 'rivero/prometheus/rivero-alerts.yml']) {
    assert.ok(existsSync(join(chroot, 'usr/share', file)), `${file} is not installed`);
  }
  // It starts with the machine.
  assert.match(readlinkSync(join(chroot, 'etc/systemd/system/multi-user.target.wants/rivero.service')), /rivero\.service$/);
  const unit = readFileSync(join(chroot, 'usr/lib/systemd/system/rivero.service'), 'utf8');
  const start = /^ExecStart=(.*)$/m.exec(unit)[1];
  const environment = [...unit.matchAll(/^Environment=(.*)$/gm)].map((match) => match[1]);
  const asService = (program) => `exec env -i PATH=/usr/bin:/bin ${environment.join(' ')} setpriv --reuid=kurento --regid=kurento --init-groups ${program}`;
  assert.match(inside(asService('rivero check-config --strict-config')), /fine/);
  assert.match(inside(asService('kurento-media-server --list')), /WebRtcEndpoint/);
  const command = asService(start);
  // `start wanted` is what systemd asks first.
  inside(`${command} wanted`);
  writeFileSync(join(chroot, 'etc/default/kurento-media-server'), 'START_DAEMON=false\n');
  assert.throws(() => inside(`${command} wanted`), /START_DAEMON is 'false'/);
  rmSync(join(chroot, 'etc/default/kurento-media-server'));

  const service = inside(command, { sync: false });
  const ended = new Promise((resolve) => service.once('exit', (code) => resolve(code)));
  let browser;
  try {
    await until(() => listens(8888), 'the service listens');
    const client = await connectClient(URL_OF_SERVICE);
    browser = await launchBrowser();
    const page = await browser.openProbe();
    const calls = await Calls.on(page);
    const pipeline = await client.create('MediaPipeline');
    const endpoint = await pipeline.create('WebRtcEndpoint');
    await invoke(endpoint, 'connect', endpoint);
    await page.evaluate(([colour, toneHz]) => probe.createSource('camera', { colour, toneHz }), [COLOURS.red, TONE_HZ]);
    await calls.open('me', endpoint, { send: 'camera', codecs: { video: 'VP8', audio: 'opus' } });
    await isConnected(page, 'me');
    await seesColour(page, 'me', COLOURS.red);
    await hearsTone(page, 'me', TONE_HZ);
    await pipeline.release();
    client.close();
  } finally {
    await browser?.close();
    service.kill('SIGTERM');
    await within(ended, 'the service ends');
  }
  assert.equal(await ended, 0);

  await t.test('removed, it leaves only what was written; purged, only recordings', () => {
    writeFileSync(join(chroot, 'var/lib/kurento/recording.webm'), '');
    inside(`dpkg --remove ${names.join(' ')}`);
    const left = files().filter((file) => !fresh.includes(file));
    assert.deepEqual(left.filter((file) => !/^\/(etc|var)\//.test(file)), []);
    inside(`dpkg --purge ${names.join(' ')}`);
    const rest = files().filter((file) => !fresh.includes(file));
    assert.deepEqual(rest, ['/var/lib/kurento', '/var/lib/kurento/recording.webm']);
  });

  await t.test('a configuration that was there before is not touched', () => {
    inside('mkdir -p /etc/kurento');
    writeFileSync(join(chroot, 'etc/kurento/kurento.conf.json'), configured);
    inside(`dpkg --install /debs/${deb('rivero')}`);
    inside('dpkg --purge rivero');
    assert.equal(readFileSync(join(chroot, 'etc/kurento/kurento.conf.json'), 'utf8'), configured);
  });
});

/** Whether somebody accepts connections on this port of the loopback address. */
function listens(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(socket.end() && true)).once('error', () => resolve(false));
  });
}
