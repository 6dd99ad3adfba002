// Commands of the documents that are marked to be tried (```sh tried) do what the page says, beside a server at its usual ports; what
// pages have as configuration is one that the server takes; and settings that they name exist.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { blocks, documents, follow, read } from '../lib/documents.mjs';
import { artefacts, startRivero } from '../lib/rivero.mjs';
import { until } from '../lib/wait.mjs';

const work = mkdtempSync(join(tmpdir(), 'rivero-documents-'));
const bin = join(work, 'bin');
const empty = join(work, 'empty');
mkdirSync(bin);
mkdirSync(empty);
for (const program of ['server', 'kmd']) symlinkSync(artefacts[program], join(bin, program === 'kmd' ? 'kmd' : 'rivero'));

let server;
before(async () => {
  // What access.md has beside its recipe for nginx.
  const { websocket } = JSON.parse(`{${blocks('docs/access.md').find(({ text }) => text.startsWith('"websocket"')).text}}`);
  server = await startRivero({ port: 8888, modules: ['webrtc', 'passthrough'], config: { websocket }, env: { RIVERO_MANAGEMENT_PORT: '8890' } });
});
after(async () => {
  await server?.stop();
  rmSync(work, { recursive: true, force: true });
});

/** Follows a page in a directory of its own, with the programs in its PATH; the directory. */
function followed(page, arrange = () => {}, places = {}) {
  const directory = mkdtempSync(join(work, 'page-'));
  arrange(directory);
  const env = { PATH: `${bin}:${process.env.PATH}`, KURENTO_CONF_FILE: server.configFile, KURENTO_MODULES_PATH: server.modulesPath, KURENTO_MODULES_CONFIG_PATH: empty };
  assert.ok(follow(page, directory, env, places) > 0, `${page} has nothing to be tried`);
  return directory;
}

test('operating.md: the server is asked how it is, and recordings are kept', () => {
  const recordings = join(work, 'recordings');
  mkdirSync(recordings);
  const [complete, running] = ['complete.webm', 'running.webm'].map((name) => join(recordings, name));
  for (const file of [complete, running]) writeFileSync(file, 'media');
  const before = Date.now() / 1000 - 600;
  utimesSync(complete, before, before);
  const directory = followed('docs/operating.md', undefined, { '/var/lib/kurento': recordings });
  const kept = spawnSync('tar', ['--list', '--file', join(directory, 'recordings.tar')], { encoding: 'utf8' }).stdout;
  assert.match(kept, /complete\.webm/);
  assert.doesNotMatch(kept, /running\.webm/);
});

test('security.md: tokens and keys are made', () => {
  const directory = followed('docs/security.md');
  const token = readFileSync(join(directory, 'app.token'), 'utf8').trim();
  assert.match(token, /^[0-9a-f]{64}$/);
  assert.match(readFileSync(join(directory, 'sha256'), 'utf8'), new RegExp(`^${createHash('sha256').update(token).digest('hex')} `));
  assert.match(readFileSync(join(directory, 'jwt.pub.pem'), 'utf8'), /^-----BEGIN PUBLIC KEY-----/);
});

/** Asks `host` at the port for HTTPS of this machine for a WebSocket, as a page of `origin` does; the status. */
function handshake(host, origin) {
  const headers = { Host: host, Origin: origin, Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==' };
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port: 443, path: '/kurento', servername: host, rejectUnauthorized: false, headers });
    asked.once('upgrade', (response, socket) => resolve(socket.destroy() && response.statusCode));
    asked.once('response', (response) => resolve(response.resume().statusCode)).once('error', reject).end();
  });
}

test('access.md: nginx in front hands on pages of its own host, and no others', async () => {
  const directory = mkdtempSync(join(work, 'nginx-'));
  const [certificate, key] = ['certificate.pem', 'key.pem'].map((name) => join(directory, name));
  spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=media.example.com', '-out', certificate, '-keyout', key]);
  const recipe = blocks('docs/access.md').find(({ language }) => language === 'nginx').text;
  const placed = recipe.replace(/\/\S+fullchain\.pem/, certificate).replace(/\/\S+privkey\.pem/, key).replace('/var/www/app', directory);
  assert.ok(placed.includes(certificate) && placed.includes(key));
  writeFileSync(join(directory, 'nginx.conf'), `daemon off; master_process off; pid nginx.pid; error_log stderr;\nevents {}\nhttp { access_log off; ${placed} }\n`);
  const nginx = spawn('nginx', ['-p', directory, '-c', 'nginx.conf', '-e', 'stderr'], { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = new Promise((resolve) => nginx.once('exit', resolve));
  try {
    const status = await until(() => handshake('media.example.com', 'https://media.example.com').catch(() => undefined), 'nginx answers');
    assert.equal(status, 101);
    assert.equal(await handshake('media.example.com', 'https://elsewhere.example'), 403);
  } finally {
    nginx.kill();
    await ended;
  }
});

/** Where parts of the main configuration belong that pages show by themselves. */
const PLACES = { websocket: ['mediaServer', 'net'], allowedOrigins: ['mediaServer', 'net', 'websocket'] };

/** A block as a whole main configuration, if it is one, or a part whose place is known. */
function configurationOf(text) {
  const parsed = [text, `{${text}}`].map((one) => {
    try {
      return JSON.parse(one);
    } catch {
      return undefined;
    }
  }).find((one) => one && typeof one === 'object');
  if (!parsed) return undefined;
  if (parsed.mediaServer || parsed.modules) return parsed;
  const place = PLACES[Object.keys(parsed)[0]];
  return place?.reduceRight((inner, name) => ({ [name]: inner }), parsed);
}

/** With what no main file may lack. */
function complete(part) {
  const websocket = { port: 8888, ...part.mediaServer?.net?.websocket };
  return { ...part, mediaServer: { ...part.mediaServer, net: { websocket } } };
}

test('what pages have as configuration is taken by the server', () => {
  // Those of security.md name files, and are read by the tests of host/src/config/auth.rs.
  const pages = documents().filter((file) => file !== 'docs/security.md');
  const found = pages.flatMap((file) => blocks(file).filter(({ language }) => language === 'json').map(({ text }) => ({ file, configuration: configurationOf(text), text })));
  const whole = found.filter(({ configuration }) => configuration);
  assert.ok(whole.length > 5, `${whole.length} configurations`);
  for (const { file, configuration, text } of whole) {
    const directory = mkdtempSync(join(work, 'configuration-'));
    const path = join(directory, 'kurento.conf.json');
    writeFileSync(path, JSON.stringify(complete(configuration)));
    const { status, stderr } = spawnSync(artefacts.server, ['check-config', '--strict-config', '-f', path, '-c', empty, '-p', artefacts.modules], {
      encoding: 'utf8', env: { PATH: process.env.PATH, RIVERO_DATA_PATH: work }, timeout: 30_000,
    });
    assert.equal(status, 0, `${file}:\n${text}\n${stderr}`);
  }
});

/** What the server with all modules prints for an option. */
function printed(option) {
  const env = { PATH: process.env.PATH, RIVERO_DATA_PATH: work, KURENTO_CONF_FILE: server.configFile };
  const { status, stdout, stderr } = spawnSync(artefacts.server, [option, '-c', empty, '-p', artefacts.modules], { encoding: 'utf8', env, timeout: 30_000 });
  assert.equal(status, 0, stderr);
  return stdout;
}

test('the index and the API have every class that can be created', () => {
  const classes = [...printed('--list').matchAll(/^\t(\w+)$/gm)].map(([, name]) => name);
  assert.ok(classes.length > 25, classes.join());
  const [index, api] = [read('docs/README.md'), read('docs/api.md')];
  for (const name of classes) {
    assert.ok(index.includes(`\`${name}\``), `${name} is not in docs/README.md`);
    assert.match(api, new RegExp(`^### ${name}$`, 'm'), `${name} is not in docs/api.md`);
  }
});

test('settings of classes that pages name exist', () => {
  const stdout = printed('--list-settings');
  const settings = [...stdout.matchAll(/^\w+\.(\w+)\.([\w-]+):/gm)].map(([, name, key]) => ({ name, key }));
  assert.ok(settings.length > 40, stdout);
  const classes = new Set(settings.map(({ name }) => name));
  const members = read('docs/api.md');
  let named = 0;
  for (const file of documents()) {
    for (const [, keys, name] of read(file).matchAll(/((?:`[a-zA-Z][\w-]*`(?:, | and )?)+) of `?(\w+)`?/g)) {
      if (!classes.has(name)) continue;
      for (const [, key] of keys.matchAll(/`([\w-]+)`/g)) {
        named += 1;
        const isMember = new RegExp(`\`${key}[\`(]|^### ${key}$`, 'm').test(members);
        assert.ok(isMember || settings.some((one) => one.name === name && one.key === key), `${file}: ${key} of ${name}`);
      }
    }
  }
  assert.ok(named > 15, `${named} settings are named`);
  // Files of classes; those of systemd begin with a section.
  const files = documents().flatMap((file) => blocks(file).filter(({ language, text }) => language === 'ini' && !text.startsWith('[')).map(({ text }) => ({ file, text })));
  assert.ok(files.length > 0);
  for (const { file, text } of files) {
    for (const [, key] of text.matchAll(/^([\w-]+)=/gm)) assert.ok(settings.some((one) => one.key === key), `${file}: ${key}`);
  }
});

test('no page has commands to be tried that no test tries', () => {
  const tried = documents().filter((file) => blocks(file).some((block) => block.tried));
  assert.deepEqual(tried, ['docs/operating.md', 'docs/security.md', 'docs/turn.md']);
  assert.ok(existsSync(new URL('../ice/coturn-as-documented.test.mjs', import.meta.url)));
});
