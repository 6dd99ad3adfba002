// Command line and environment are those of Kurento's server, and the main file may have any of
// its four formats.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { artefacts } from '../lib/rivero.mjs';

const home = mkdtempSync(join(tmpdir(), 'rivero-settings-'));
after(() => rmSync(home, { recursive: true, force: true }));
mkdirSync(join(home, 'none'));

/** Runs the server's program to its end. */
function rivero(args, env = {}) {
  const { HOME, PATH } = process.env;
  return spawnSync(artefacts.server, args, { env: { HOME, PATH, KURENTO_MODULES_PATH: artefacts.modules, ...env }, encoding: 'utf8', timeout: 30_000 });
}

function file(name, text) {
  const path = join(home, name);
  writeFileSync(path, text);
  return path;
}

const main = {
  json: file('a.conf.json', '{"mediaServer": {"net": {"websocket": {"port": 18888, "path": "kurento"}}}} // main\n'),
  ini: file('a.conf.ini', '; main\n[mediaServer.net.websocket]\nport=18888\npath=kurento\n'),
  info: file('a.conf.info', 'mediaServer { net { websocket { port 18888\n path kurento } } }\n'),
  xml: file('a.conf.xml', '<mediaServer><net><websocket><port>18888</port><path>kurento</path></websocket></net></mediaServer>'),
};

for (const [format, path] of Object.entries(main)) {
  test(`the main file may be ${format}`, () => {
    const { status, stderr } = rivero(['check-config', '--conf-file', path, '--modules-config-path', join(home, 'none')]);
    assert.deepEqual([status, stderr], [0, '']);
  });
}

test('a mistake in any format is told with its file', () => {
  for (const [format, text] of Object.entries({ ini: '[mediaServer.net.websocket]\nprot=1\n', info: 'mediaServer { net { websocket { prot 1 } } }\n' })) {
    const path = file(`wrong.conf.${format}`, text);
    const { status, stderr } = rivero(['check-config', '-f', path, '-c', join(home, 'none')]);
    assert.equal(status, 1, format);
    assert.match(stderr, /wrong\.conf\.\w+.*prot.*port/s);
  }
});

test('switches of the environment count as those of the command line', () => {
  for (const value of ['1', 'true', 'yes', 'on']) {
    const { status, stdout } = rivero(['-f', main.json], { KURENTO_VERSION: value });
    assert.equal(status, 0, value);
    assert.match(stdout, /^Kurento Media Server version: 7\.3\.0$/m);
  }
  assert.match(rivero([], { KURENTO_HELP: '1', KURENTO_VERSION: '0' }).stdout, /--modules-path/);
  assert.match(rivero(['-f', main.json], { KURENTO_LIST: '1' }).stdout, /^Available factories:\n(\t\w+(\.\w+)?\n)+$/);
});

test('what is not the server\'s is ignored with a warning', () => {
  for (const stray of ['2>&1', '-x', '--frobnicate', 'start', '--', '']) {
    assert.equal(rivero(['--version', '-f', main.json, stray]).status, 0, stray);
    const { status, stderr } = rivero(['check-config', '-f', main.json, '-c', join(home, 'none'), stray]);
    assert.equal(status, 0, stray);
    assert.match(stderr, /^the argument ".*" is not known and ignored\n$/);
  }
});

test('options of GStreamer are tolerated, malformed values are not', () => {
  assert.equal(rivero(['--version', '-f', main.json, '--gst-debug=3', '--gst-debug-no-color']).status, 0);
  for (const args of [['--number-log-files', 'many'], ['--log-file-size=-1']]) {
    const { status, stderr } = rivero(args);
    assert.equal(status, 1);
    assert.match(stderr, /invalid|unexpected/);
  }
});

test('without a readable main file the server does not start', () => {
  for (const path of [join(home, 'missing.conf.json'), file('broken.conf.json', '{'), file('a.yaml', 'a: 1\n')]) {
    const { status, stderr } = rivero(['-f', path]);
    assert.equal(status, 1, path);
    assert.match(stderr, /^Error reading configuration: .*\n$/);
  }
});
