// Files in the modules directory that are no usable module: each is refused with
// one line that names it and says why, and the rest of the server works.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { cLibrary, claims, needsAbsentLibrary, runsWhenLoaded } from '../lib/c-library.mjs';
import { connectClient, invoke } from '../lib/client.mjs';
import * as elf from '../lib/elf.mjs';
import { artefacts, builtModules, startRivero } from '../lib/rivero.mjs';

const webrtc = readFileSync(join(artefacts.modules, 'webrtc.so'));
const passthrough = readFileSync(join(artefacts.modules, 'passthrough.so'));
const counter = readFileSync(join(artefacts.examples, 'counter.so'));
const manifest = elf.manifestOf(passthrough);
const ofCounter = elf.manifestOf(counter);

const MACHINE = { x64: 62, arm64: 183 };
const foreignMachine = process.arch === 'arm64' ? MACHINE.x64 : MACHINE.arm64;
const cut = (library, share) => library.subarray(0, Math.floor(library.length * share));

/** A shared library of the system that has nothing to do with Rivero: the C library in use. */
function foreignLibrary() {
  return readFileSync('/proc/self/maps', 'utf8').match(/\/\S*\/libc\.so\.6$/m)[0];
}

/** The manifest of the counter example with its descriptor changed. */
function describing(change) {
  const descriptor = structuredClone(ofCounter.descriptor);
  change(descriptor);
  return elf.withManifest(counter, { ...ofCounter, name: descriptor.name, descriptor });
}

/** The library with every occurrence of a name replaced by another of the same length. */
function renamed(library, from, to) {
  const copy = Buffer.from(library);
  for (let at = copy.indexOf(from); at >= 0; at = copy.indexOf(from, at + 1)) copy.write(to, at);
  assert.notDeepEqual(copy, library, `'${from}' is in the library`);
  return copy;
}

const noLibrary = /it is no shared library/;
const files = {
  // What is no library at all.
  'empty.so': ['', noLibrary],
  'text.so': ['This is not a library.\n', noLibrary],
  'zeros.so': [Buffer.alloc(65_536), noLibrary],
  'noise.so': [randomBytes(65_536), noLibrary],
  'noise-after-magic.so': [Buffer.concat([webrtc.subarray(0, 20), randomBytes(65_536)]), /./],
  'archive.so': ['!<arch>\nx.o/            0           0     0     644     4         `\nabcd', noLibrary],
  'script.so': ['/* GNU ld script */\nGROUP ( libx.so.1 )\n', noLibrary],

  // Cut off.
  'header-only.so': [webrtc.subarray(0, 64), noLibrary],
  'half-header.so': [webrtc.subarray(0, 40), noLibrary],
  'first-page.so': [webrtc.subarray(0, 4096), noLibrary],
  'first-half.so': [cut(webrtc, 0.5), noLibrary],
  'without-its-last-byte.so': [webrtc.subarray(0, webrtc.length - 1), noLibrary],

  // Damaged headers.
  'wrong-magic-byte.so': [elf.withHeaderBytes(passthrough, { 3: 0x47 }), noLibrary],
  'wrong-class.so': [elf.withHeaderBytes(passthrough, { 4: 9 }), noLibrary],
  'section-table-outside.so': [elf.withSectionTableAt(passthrough, 2 ** 40), noLibrary],
  'section-table-in-code.so': [elf.withSectionTableAt(passthrough, 4097), /./],
  'no-sections.so': [elf.withSectionTableAt(elf.withSectionCount(passthrough, 0), 0), /not a Rivero module/],
  'too-many-sections.so': [elf.withSectionCount(passthrough, 0xfe00), noLibrary],
  'names-outside.so': [elf.withNamesIn(passthrough, 200), noLibrary],
  'relocatable.so': [elf.ofType(passthrough, 1), /no shared library: its ELF header says/],
  'core-dump.so': [elf.ofType(passthrough, 4), /no shared library: its ELF header says/],

  // Of other systems.
  'other-machine.so': [elf.forMachine(passthrough, foreignMachine), /it is built for \w+ \(64 bit, little-endian\), this server for/],
  'arm-32.so': [elf.elfHeader({ bits: 32, order: 'LE', machine: 40 }), /it is built for Arm \(32 bit, little-endian\)/],
  'x86-32.so': [elf.elfHeader({ bits: 32, order: 'LE', machine: 3 }), /it is built for I386 \(32 bit, little-endian\)/],
  's390x.so': [elf.elfHeader({ bits: 64, order: 'BE', machine: 22 }), /it is built for S390x \(64 bit, big-endian\)/],

  // Libraries of others.
  'foreign.so': [readFileSync(foreignLibrary()), /not a Rivero module/],
  'program.so': [readFileSync(process.execPath), /not a Rivero module|no shared library/],
  'kurento.so': [cLibrary('void *getFactoryRegistrar(void) { return 0; }\nconst char *getModuleName(void) { return "chroma"; }\n'), /one of Kurento's own modules/],

  // Sections.
  'no-magic.so': [elf.withoutMagic(passthrough), /does not begin with the magic/],
  'cut-section.so': [elf.withCutSection(passthrough), /section is cut off/],
  'tiny-section.so': [elf.withSectionHeader(passthrough, { size: 7 }), /section is cut off/],
  'section-over-the-end.so': [elf.withSectionHeader(passthrough, { offset: passthrough.length - 8, size: 4096 }), /section cannot be read/],
  'section-outside.so': [elf.withSectionHeader(passthrough, { offset: 2 ** 40 }), /section cannot be read/],
  'huge-section.so': [elf.withSectionHeader(passthrough, { size: 2 ** 33 }), /larger than \d+ bytes/],
  'section-without-data.so': [elf.withSectionHeader(passthrough, { type: 8 }), /section is cut off/],
  'two-sections.so': [elf.withSecondSection(passthrough), /it has 2 sections/],

  // Manifests.
  'no-json.so': [elf.withoutManifest(passthrough), /manifest is malformed/],
  'no-unicode.so': [elf.withManifest(passthrough, Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d])), /manifest is malformed/],
  'deep-manifest.so': [elf.withManifest(passthrough, Buffer.from(`{"descriptor":${'['.repeat(100_000)}`)), /manifest is malformed/],
  'list-manifest.so': [elf.withManifest(passthrough, []), /manifest is malformed/],
  'no-classes.so': [elf.withManifest(passthrough, { name: 'x', version: '1.0.0' }), /manifest is malformed: missing field `classes`/],
  'nameless.so': [elf.withManifest(passthrough, { ...manifest, name: ' ' }), /manifest has no name/],
  'class-twice.so': [elf.withManifest(passthrough, { ...manifest, classes: ['PassThrough', 'PassThrough'] }), /names the class 'PassThrough' twice/],
  'unknown-class.so': [elf.withManifest(passthrough, { ...manifest, classes: ['Nowhere'] }), /names the class Nowhere, which/],
  'class-it-does-not-make.so': [elf.withManifest(passthrough, { ...manifest, classes: ['PassThrough', 'Mixer'] }), /names the class Mixer, which export_module! does not/],

  // Versions of the ABI.
  'other-major.so': [elf.withAbi(passthrough, 3, 0), /it speaks ABI 3\.0, this server 2\.\d+: rebuild it/],
  'older-major.so': [elf.withAbi(passthrough, 1, 2), /it speaks ABI 1\.2, this server 2\.\d+: rebuild it with this server's plugin-api \(it was built with rivero-plugin-api \d/],

  // What a panic in it does.
  'aborting.so': [elf.aborting(passthrough), /panic = "abort".*rebuild it with panic = "unwind"/],
  'without-flags.so': [elf.withoutFlags(passthrough), /older plugin-api.*rebuild it/],

  // Descriptors.
  'descriptor-of-no-kind.so': [elf.withManifest(counter, { ...ofCounter, descriptor: 7 }), /./],
  'unknown-type.so': [describing((d) => { d.name = 'lost'; d.remoteClasses[0].properties[0].type = 'Nowhere'; }), /type 'Nowhere' is not known/],
  'unknown-parent.so': [describing((d) => { d.name = 'orphan'; d.remoteClasses[0].extends = 'Nobody'; }), /Nobody/],
  'no-version.so': [describing((d) => { d.name = 'unversioned'; delete d.version; }), /has a version/],
  'other-definition.so': [describing((d) => d.remoteClasses[0].properties.push({ name: 'more', type: 'int', doc: '' })), /counter\.so.*Counter|Counter.*counter\.so/],
  'standard-class-redefined.so': [describing((d) => { d.name = 'thief'; d.remoteClasses[0].name = 'WebRtcEndpoint'; }), /./],

  // What the system's loader, or loading itself, has to say.
  'aborts.so': [runsWhenLoaded('abort();'), /ended a trial process with signal 6/],
  'faults.so': [runsWhenLoaded('*(volatile int *)8 = 1;'), /ended a trial process with signal 11/],
  'exits.so': [runsWhenLoaded('_exit(0);'), /ended a trial process with exit status 0/],
  'claims-success.so': [runsWhenLoaded('puts("usable 0"); fflush(stdout); _exit(0);'), /ended a trial process with exit status 0/],
  'floods.so': [runsWhenLoaded('for (int i = 0; i < 200000; i++) fputs("noise ", stderr); abort();'), /signal 6/],
  'leaves-a-process.so': [runsWhenLoaded('if (fork() == 0) { sleep(20); _exit(0); } abort();'), /signal 6/],
  'undefined-symbol.so': [cLibrary(`${claims()}void nowhere(void);\nvoid user(void) { nowhere(); }\n`), /undefined symbol: nowhere/],
  'needs-absent-library.so': [needsAbsentLibrary(), /libriveroabsent\.so/],
  'no-root.so': [cLibrary(claims()), /_1as_0lib_1header|could not (load|be loaded)|undefined symbol/],
  'empty-root.so': [cLibrary(`${claims()}const long _1as_0lib_1header_0root_bmodule_bloader[64];\n`), /./],
  'other-layout.so': [renamed(passthrough, 'set_encodings', 'set_encodinqs'), /set_encod|layout|incompatible/i],
  'zeroed-code.so': [withoutCode(passthrough), /./],
};

/** The library with the middle of its code overwritten: it loads, if at all, until that is reached. */
function withoutCode(library) {
  const copy = Buffer.from(library);
  copy.fill(0, Math.floor(copy.length * 0.2), Math.floor(copy.length * 0.9) & ~0xfff);
  return copy;
}

const refused = Object.entries(files);

let server;
let client;
before(async () => {
  const extraFiles = Object.fromEntries(Object.entries(files).map(([name, [content]]) => [name, content]));
  server = await startRivero({ modules: [...builtModules(), 'counter'], extraFiles });
  client = await connectClient(server.url);
});
after(async () => {
  client?.close();
  await server?.stop();
});

test('there are at least 30 kinds of them', () => assert.ok(refused.length >= 30));

for (const [name, [, reason]] of refused) {
  test(`${name} is refused in one line`, () => {
    const lines = server.log.split('\n').filter((line) => line.includes(`/${name}`) && line.includes('module refused'));
    assert.equal(lines.length, 1, `lines about ${name}:\n${lines.join('\n')}`);
    assert.match(lines[0], /WARN.*module refused: /);
    assert.match(lines[0], reason);
    assert.ok(lines[0].length < 900, `the line is short enough to read: ${lines[0].length}`);
  });
}

test('every line of the log begins with a time: no reason spreads over several', () => {
  const odd = server.log.split('\n').filter((line) => line && !/^\S*\d{4}-\d\d-\d\dT/.test(line));
  assert.deepEqual(odd, []);
});

test('getInfo lists what the good ones offer, and nothing else', async () => {
  const manager = await client.getServerManager();
  const { modules } = await manager.getInfo();
  assert.deepEqual(modules.map(({ name }) => name).sort(), ['chroma', 'core', 'counter', 'crowddetector', 'datachannelexample', 'elements', 'filters', 'gstreamerexample', 'markerdetector', 'opencvexample', 'platedetector', 'pointerdetector', 'rtmp', 'videosampler']);
  const alone = await startRivero({ modules: [...builtModules(), 'counter'] });
  const guest = await connectClient(alone.url);
  const expected = (await (await guest.getServerManager()).getInfo()).modules;
  guest.close();
  await alone.stop();
  assert.deepEqual(modules.map(({ factories }) => factories), expected.map(({ factories }) => factories));
});

test('--list and --version print what serves, and the refusals on standard error', () => {
  for (const [option, wanted] of [['--list', '\tcounter.Counter\n'], ['--version', "\t'counter' version 1.0.0\n"]]) {
    const data = server.modulesPath.replace(/modules$/, 'data');
    const { status, stdout, stderr } = spawnSync(artefacts.server, ['-p', server.modulesPath, '--data-path', data, option], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    assert.ok(stdout.includes(wanted), stdout);
    assert.ok(!stdout.includes('refused') && !stdout.includes('thief'));
    const lines = stderr.trimEnd().split('\n');
    for (const [name, [, reason]] of refused) {
      const about = lines.filter((line) => line.startsWith('module refused: ') && line.includes(`/${name}: `));
      assert.equal(about.length, 1, `${option}: ${name}`);
      assert.match(about[0], reason);
    }
    assert.equal(lines.length, refused.length, `${option} prints nothing else`);
  }
});

test('the modules beside them work', async () => {
  const pipeline = await client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  assert.match(await invoke(endpoint, 'generateOffer'), /^v=0/);
  const passThrough = await pipeline.create('PassThrough');
  await invoke(endpoint, 'connect', passThrough);
  await pipeline.release();
});

test('a newer minor version is served', async () => {
  const newer = await startRivero({ modules: [], extraFiles: { 'passthrough.so': elf.withAbi(passthrough, 2, 77) } });
  const guest = await connectClient(newer.url);
  const pipeline = await guest.create('MediaPipeline');
  assert.ok((await pipeline.create('PassThrough')).id);
  guest.close();
  await newer.stop();
});

test('a library that hangs is given up, and the others serve', async () => {
  const hangs = runsWhenLoaded('for (;;) sleep(60);');
  const patient = await startRivero({ modules: ['passthrough'], extraFiles: { 'hangs.so': hangs } });
  try {
    assert.match(patient.log, /refused: it was not loaded within 10 s file=\S*hangs\.so/);
    const guest = await connectClient(patient.url);
    const pipeline = await guest.create('MediaPipeline');
    assert.ok((await pipeline.create('PassThrough')).id);
    guest.close();
  } finally {
    await patient.stop();
  }
});
