// The configuration of modules: keys that nobody reads and values that nobody can use are
// told with file, key and the nearest key. They are warnings, and errors where asked for.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { artefacts, startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';

const scratch = mkdtempSync(join(tmpdir(), 'rivero-settings-'));
after(() => rmSync(scratch, { recursive: true, force: true }));
let cases = 0;

const MAIN = { mediaServer: { net: { websocket: { port: 0 } } } };

/** Runs the server to its end with these files; the result has `status`, `stdout` and `stderr`. */
function rivero(files, args, main = MAIN) {
  const home = join(scratch, `${(cases += 1)}`);
  mkdirSync(home);
  writeFileSync(join(home, 'kurento.conf.json'), JSON.stringify(main));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(home, 'modules', name, '..'), { recursive: true });
    writeFileSync(join(home, 'modules', name), text);
  }
  const all = ['-f', join(home, 'kurento.conf.json'), '-p', artefacts.modules, '--data-path', home, ...args];
  return spawnSync(artefacts.server, all, { encoding: 'utf8', timeout: 20_000 });
}

const check = (files, main) => rivero(files, ['check-config'], main);

const mistakes = {
  'a misspelt key': [{ 'kurento/WebRtcEndpoint.conf.ini': 'stunServerPrt=3478\n' },
    /WebRtcEndpoint\.conf\.ini: 'kurento\.WebRtcEndpoint\.stunServerPrt' is an unknown key; did you mean 'stunServerPort'\?/],
  'a key of another class': [{ 'kurento/BaseRtpEndpoint.conf.ini': 'stunServerPort=3478\n' },
    /'kurento\.BaseRtpEndpoint\.stunServerPort' is an unknown key; did you mean '\w+'\?/],
  'text in place of a number': [{ 'kurento/BaseRtpEndpoint.conf.ini': 'minPort=low\n' },
    /BaseRtpEndpoint\.conf\.ini: 'kurento\.BaseRtpEndpoint\.minPort' is "low", and should be a whole number from 0 to 65535/],
  'a number out of range, in JSON': [{ 'kurento/BaseRtpEndpoint.conf.json': '{"mtu": 100000}' }, /BaseRtpEndpoint\.conf\.json: .*mtu' is 100000, and should be/],
  'text in place of a list, in XML': [{ 'kurento/SdpEndpoint.conf.xml': '<SdpEndpoint><videoCodecs>VP8</videoCodecs></SdpEndpoint>' }, /SdpEndpoint\.conf\.xml/],
  'a misspelt key, in INFO': [{ 'kurento/WebRtcEndpoint.conf.info': 'turnUrl "user:secret@127.0.0.1:3478"\n' }, /turnUrl' is an unknown key; did you mean 'turnURL'\?/],
  "a key of the server's own class": [{ 'kurento/MediaElement.conf.ini': 'encoderBitRate=1\n' }, /encoderBitRate' is an unknown key; did you mean 'encoderBitrate'\?/],
  'a file for a class that is none': [{ 'kurento/WebRtcEndpont.conf.ini': 'iceTcp=1\n' }, /no class 'kurento\.WebRtcEndpont' is installed; did you mean 'kurento\.WebRtcEndpoint'\?/],
  'a file that cannot be parsed': [{ 'kurento/WebRtcEndpoint.conf.json': '{' }, /WebRtcEndpoint\.conf\.json: line 1: .*the file is skipped/],
};

for (const [what, [files, line]] of Object.entries(mistakes)) {
  test(`check-config tells ${what}`, () => {
    const { status, stderr } = check(files);
    assert.equal(status, 1, stderr);
    assert.match(stderr, line);
    assert.match(stderr, /1 problem\(s\) found/);
  });
}

test('the keys that modules know are fine, in every format', () => {
  const { status, stdout, stderr } = check({
    'kurento/BaseRtpEndpoint.conf.ini': '; comment\nminPort=20000\nmaxPort=30000\nmtu=1200\n',
    'kurento/WebRtcEndpoint.conf.ini': 'stunServerPort=3478\nturnURL=a:b@127.0.0.1:1?transport=udp\niceTcp=0\nqos-dscp=LE\nenable-h265=true\nexternalIPv4=127.0.0.1\n',
    'kurento/SdpEndpoint.conf.json': '{"numAudioMedias": 1, /* order */ "videoCodecs": [{"name": "VP8/90000"}]}',
    'kurento/MediaElement.conf.info': 'encoderBitrate 400000\n',
    // Its module may be missing here: what it reads is not known.
    'kurento/AlphaBlending.conf.ini': 'anything=goes\n',
    'kurento/README': 'no configuration',
  });
  assert.equal(stderr, '');
  assert.equal(status, 0);
  assert.match(stdout, /The configuration is fine/);
});

test('several mistakes are all told, each with its file', () => {
  const { stderr } = check({ 'kurento/WebRtcEndpoint.conf.ini': 'a=1\nstunServerPort=x\n', 'kurento/MediaElement.conf.ini': 'b=1\n' });
  assert.match(stderr, /3 problem\(s\) found/);
});

test('the main file may carry settings of modules, checked alike', () => {
  const { stderr } = check({}, { ...MAIN, modules: { kurento: { WebRtcEndpoint: { stunServerAdress: 'x' } } } });
  assert.match(stderr, /kurento\.conf\.json: .*stunServerAdress' is an unknown key; did you mean 'stunServerAddress'\?/);
});

test("a misspelt key of Rivero's own is an error, strict or not", () => {
  for (const args of [['check-config'], []]) {
    const { status, stderr } = rivero({}, args, { ...MAIN, rivero: { consle: true } });
    assert.equal(status, 1);
    assert.match(stderr, /kurento\.conf\.json: unknown key 'rivero/);
  }
});

test('--strict-config makes them errors', () => {
  const { status, stderr } = rivero({ 'kurento/WebRtcEndpoint.conf.ini': 'iceTpc=1\n' }, ['--strict-config']);
  assert.equal(status, 1);
  assert.match(stderr, /iceTpc' is an unknown key; did you mean 'iceTcp'\?/);
  assert.match(stderr, /--strict-config is given/);
});

test('without it they are warnings: the server starts', async () => {
  const server = await startRivero({ moduleConfig: { 'kurento/WebRtcEndpoint.conf.ini': 'iceTpc=1\n' } });
  try {
    assert.match(server.log, /WARN.*iceTpc' is an unknown key; did you mean 'iceTcp'\?/);
    const rpc = await connectRpc(server.url);
    const pipeline = await rpc.create('MediaPipeline');
    assert.ok(await rpc.create('WebRtcEndpoint', { mediaPipeline: pipeline }));
    await rpc.close();
  } finally {
    await server.stop();
  }
});

test('--list-settings prints what can be set', () => {
  const { status, stdout } = rivero({}, ['--list-settings']);
  assert.equal(status, 0);
  assert.match(stdout, /^kurento\.WebRtcEndpoint\.stunServerPort: a whole number from 0 to 65535 \[default: 3478\]\n\t\S/m);
  assert.match(stdout, /^kurento\.MediaElement\.encoderBitrate: /m);
});
