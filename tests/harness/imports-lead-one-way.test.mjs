// Which crate may know which, and which folder and file: read from Cargo.toml and from imports.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** What may not be longer or larger without a reason. */
const LONGEST_FILE = 500;
const MOST_FIELDS = 12;

/**
 * Folders of host/src that know each other all the same, each pair with its reason:
 * `'a b': 'why'`. None is left.
 */
const KNOWN_CIRCLES = {};

const read = (file) => readFileSync(join(root, file), 'utf8');

function rustFiles(folder) {
  const entries = readdirSync(join(root, folder), { withFileTypes: true });
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'target' ? [] : rustFiles(path);
    return entry.name.endsWith('.rs') ? [path] : [];
  });
}

// ---- Crates

/** The names in a section of a Cargo.toml. */
function names(manifest, section) {
  const lines = read(manifest).split('\n');
  const begin = lines.indexOf(`[${section}]`);
  if (begin < 0) return [];
  const rest = lines.slice(begin + 1);
  const end = rest.findIndex((line) => line.startsWith('['));
  const body = end < 0 ? rest : rest.slice(0, end);
  return body.map((line) => line.match(/^([\w-]+)(\.workspace)? *=/)?.[1]).filter(Boolean);
}

const nameOf = (manifest) => read(manifest).match(/^name = "([^"]+)"/m)[1];

function manifestsBelow(folder) {
  const folders = readdirSync(join(root, folder), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return folders.map((entry) => join(folder, entry.name, 'Cargo.toml')).filter((manifest) => existsSync(join(root, manifest)));
}

const ours = (manifest) => names(manifest, 'dependencies').filter((name) => /^rivero(-|$)/.test(name));

test('what modules share knows no module and no server', () => {
  const libraries = manifestsBelow('plugins/lib');
  const modules = new Set(manifestsBelow('plugins').map(nameOf));
  assert.ok(modules.has('rivero-webrtc') && libraries.length > 5, [...modules].join(' '));
  const forbidden = (name) => modules.has(name) || ['rivero', 'rivero-media'].includes(name);
  for (const manifest of libraries) {
    assert.deepEqual(ours(manifest).filter(forbidden), [], manifest);
  }
});

test('the bodies of the RTP classes know no transport', () => {
  const manifest = 'plugins/lib/endpoint/Cargo.toml';
  assert.ok(manifestsBelow('plugins/lib').includes(manifest));
  const transports = names(manifest, 'dependencies').filter((name) => /^(rtc-|rivero-(net|srtp)$|mio$|socket2$)/.test(name));
  assert.deepEqual(transports, []);
});

test('the media plane knows the boundary to modules and nothing else of ours, and no protocol', () => {
  assert.deepEqual(ours('host/media/Cargo.toml'), ['rivero-plugin-api']);
  const foreign = ['serde', 'serde_json', 'tokio', 'hyper', 'tokio-tungstenite', 'prometheus-client'];
  const all = ['dependencies', 'dev-dependencies'].flatMap((section) => names('host/media/Cargo.toml', section));
  assert.deepEqual(all.filter((name) => foreign.includes(name)), []);
});

test('the boundary and the descriptors know no crate of ours', () => {
  assert.deepEqual(ours('plugin-api/Cargo.toml'), []);
  // kmd reads what a build has written about a module, and runs modules; the library does neither.
  const ofProgram = ['rivero-plugin-api', 'rivero-testing'];
  assert.deepEqual(ours('idl/Cargo.toml'), ofProgram);
  for (const name of ofProgram) assert.match(read('idl/Cargo.toml'), new RegExp(`^${name} = .* optional = true`, 'm'));
  const library = rustFiles('idl/src').filter((file) => !file.includes('/bin/'));
  assert.ok(library.length > 20);
  assert.deepEqual(library.filter((file) => /^use rivero_/m.test(codeOf(file))), []);
});

// ---- Files

const isTest = (file) => /(^|\/)(tests?|testbench)(\.rs|\/)/.test(file);

/** Rust without comments and without its unit tests. */
function codeOf(file) {
  const text = read(file).replace(/^#\[cfg\(test\)\]\n(pub )?mod \w+ \{[\s\S]*$/m, '');
  return text.replace(/\/\/.*$/gm, '');
}

/** Paths of `a::{b, c::{d, e}}`, written out. */
function expanded(tree) {
  const brace = tree.indexOf('{');
  if (brace < 0) return [tree.trim().replace(/ as \w+$/, '')];
  const prefix = tree.slice(0, brace).trim();
  const parts = [];
  let depth = 0;
  let part = '';
  for (const character of tree.slice(brace + 1, tree.lastIndexOf('}'))) {
    if (character === '{') depth += 1;
    if (character === '}') depth -= 1;
    if (character === ',' && depth === 0) {
      parts.push(part);
      part = '';
    } else {
      part += character;
    }
  }
  parts.push(part);
  return parts.filter((one) => one.trim()).flatMap((one) => expanded(one).map((path) => prefix + path));
}

/** Everything that a file names by a path. */
function pathsIn(code) {
  const uses = [...code.matchAll(/^\s*(?:pub(?:\([^)]*\))? )?use ([^;]+);/gm)];
  const imported = uses.flatMap(([, tree]) => expanded(tree.replace(/\s+/g, ' ')));
  const rest = code.replace(/^\s*(?:pub(?:\([^)]*\))? )?use [^;]+;/gm, '');
  const named = [...rest.matchAll(/\b(?:crate|super)(?:::\w+)+/g)].map(([path]) => path);
  return [...imported, ...named].map((path) => path.split('::').map((name) => name.trim()));
}

/** Modules of a crate by name (`a::b`, the root is empty), each with the file that it is in. */
function modulesOf(folder) {
  const modules = new Map();
  for (const file of rustFiles(folder)) {
    const path = relative(folder, file).replace(/\.rs$/, '');
    if (isTest(file) || path === 'main' || path.startsWith('bin/')) continue;
    const own = path === 'lib' ? '' : basename(path) === 'mod' ? dirname(path) : path;
    modules.set(own.replaceAll('/', '::'), file);
  }
  return modules;
}

/** Which module of a crate imports which others. A name that a module only passes on counts for where it is from. */
function importsOf(folder) {
  const modules = modulesOf(folder);
  const codes = new Map([...modules].map(([module, file]) => [module, codeOf(file)]));
  const parts = (module) => module.split('::').filter(Boolean);
  const isModule = (names) => modules.has(names.join('::'));

  /** A path as the names from the root of the crate on, if it leads into the crate. */
  const absolute = (module, path) => {
    if (path[0] === 'crate') return path.slice(1);
    let base = parts(module);
    const names = path[0] === 'self' ? path.slice(1) : [...path];
    if (path[0] !== 'self' && path[0] !== 'super' && !isModule([...base, names[0]])) return undefined;
    while (names[0] === 'super') {
      base = base.slice(0, -1);
      names.shift();
    }
    return [...base, ...names];
  };

  /** What each module passes on: the name, and where it is from. */
  const passedOn = new Map();
  for (const [module, code] of codes) {
    const uses = [...code.matchAll(/^\s*pub(?:\([^)]*\))? use ([^;]+);/gm)];
    const paths = uses.flatMap(([, tree]) => expanded(tree.replace(/\s+/g, ' '))).map((path) => path.split('::').map((name) => name.trim()));
    const known = paths.map((path) => [path.at(-1), absolute(module, path)]).filter(([, names]) => names);
    passedOn.set(module, new Map(known));
  }

  const home = (names, depth = 0) => {
    let length = names.length;
    while (!isModule(names.slice(0, length))) length -= 1;
    const module = names.slice(0, length).join('::');
    const next = passedOn.get(module).get(names[length]);
    return next && depth < 8 ? home([...next, ...names.slice(length + 1)], depth + 1) : module;
  };

  const edges = new Map();
  for (const [module, code] of codes) {
    const targets = pathsIn(code).map((path) => absolute(module, path)).filter(Boolean).map((names) => home(names));
    edges.set(module, new Set(targets.filter((target) => target !== module)));
  }
  return edges;
}

/** Groups of nodes of which each leads to each other (Tarjan). */
function circles(edges) {
  const [index, low, stack, result] = [new Map(), new Map(), [], []];
  const visit = (node) => {
    index.set(node, index.size);
    low.set(node, index.get(node));
    stack.push(node);
    for (const next of edges.get(node) ?? []) {
      if (!index.has(next)) visit(next);
      if (stack.includes(next)) low.set(node, Math.min(low.get(node), low.get(next)));
    }
    if (low.get(node) !== index.get(node)) return;
    const group = stack.splice(stack.indexOf(node));
    if (group.length > 1) result.push(group.sort());
  };
  for (const node of edges.keys()) if (!index.has(node)) visit(node);
  return result;
}

/** The same between what `group` makes of the modules; without those that it makes nothing of. */
function between(edges, group) {
  const merged = new Map();
  for (const [from, targets] of edges) {
    const own = group(from);
    if (own === undefined) continue;
    const all = merged.get(own) ?? new Set();
    for (const target of targets) if (group(target) !== undefined && group(target) !== own) all.add(group(target));
    merged.set(own, all);
  }
  return merged;
}

test('imports are read as they are written', () => {
  assert.deepEqual(expanded('crate::{a::B, c::{self, D as E}}'), ['crate::a::B', 'crate::c::self', 'crate::c::D']);
  const code = 'use super::link::Link;\npub(crate) use a::{b, c};\nlet x = crate::d::e(super::f);';
  const paths = pathsIn(code).map((path) => path.join('::'));
  assert.deepEqual(paths, ['super::link::Link', 'a::b', 'a::c', 'crate::d::e', 'super::f']);
  const ring = new Map([['a', new Set(['b'])], ['b', new Set(['c'])], ['c', new Set(['b'])]]);
  assert.deepEqual(circles(ring), [['b', 'c']]);
  const media = importsOf('host/media/src');
  assert.ok(media.get('source').has('fanout') && media.get('convert::stage').has('sink'), 'edges that are there');
  const host = between(importsOf('host/src'), (module) => module.split('::')[0] || undefined);
  assert.ok(host.get('events').has('registry') && host.get('server').has('protocol'), 'edges that are there');
});

test('no file of the media plane imports one that imports it, whatever lies between', () => {
  assert.deepEqual(circles(importsOf('host/media/src')), []);
});

test('no folder of the server imports one that imports it, but for those with a reason', () => {
  const folders = between(importsOf('host/src'), (module) => module.split('::')[0] || undefined);
  const pairs = Object.keys(KNOWN_CIRCLES).map((pair) => pair.split(' '));
  for (const [a, b] of pairs) {
    assert.ok(folders.get(a)?.has(b) && folders.get(b)?.has(a), `${a} and ${b} know each other no more`);
    folders.get(a).delete(b);
  }
  assert.deepEqual(circles(folders), []);
});

test('what a module exports, the host that it knows and its log lead one way', () => {
  for (const circle of circles(importsOf('plugin-api/src'))) {
    const named = circle.filter((module) => ['abi::module', 'host', 'log'].includes(module));
    assert.ok(named.length < 2, circle.join(' '));
  }
});

test('the files that serve modules lead one way', () => {
  const files = between(importsOf('host/src'), (module) => {
    const [folder, file] = module.split('::');
    return folder === 'modules' ? file : undefined;
  });
  assert.ok(files.get('converters').has('provider'));
  assert.deepEqual(circles(files), []);
});

// ---- Sizes

test('no file of the media plane is long, and no structure has many fields', () => {
  for (const file of rustFiles('host/media')) {
    const text = read(file);
    assert.ok(text.trimEnd().split('\n').length <= LONGEST_FILE, `${file} is too long`);
    for (const [, name, body] of text.matchAll(/^(?:pub(?:\([^)]*\))? )?struct (\w+)[^;{]*\{\n([\s\S]*?)^\}/gm)) {
      const fields = body.split('\n').filter((line) => /^ {4}(pub(\([^)]*\))? )?\w+:/.test(line));
      assert.ok(fields.length <= MOST_FIELDS, `${name} in ${file} has ${fields.length} fields`);
    }
  }
});
