// What the documents name is there: pages and headings that they link to, files, targets of make, settings, metrics, alerts, options and
// variables; every page, module and example has its place in the index, and the pages of examples name the calls that these make.

import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';

import { documents, read, readmes, repository } from '../lib/documents.mjs';

const PAGES = [...documents(), ...readmes()];
/** Of earlier versions as well, whose files may have gone. */
const HISTORY = 'CHANGELOG.md';

/** A page without its blocks of code. */
const proseOf = (file) => read(file).replace(/^```[\s\S]*?^```$/gm, '');
/** What stands in backticks, and lines of blocks, fenced or indented. */
function codeOf(file) {
  const text = read(file);
  const fenced = [...text.matchAll(/^```\w*[^\n]*\n([\s\S]*?)^```$/gm)].flatMap(([, body]) => body.split('\n'));
  const indented = proseOf(file).split('\n').filter((line) => line.startsWith('    '));
  return [...[...proseOf(file).matchAll(/`([^`\n]+)`/g)].map(([, span]) => span), ...fenced, ...indented.map((line) => line.trim())];
}

/** As GitHub makes an anchor of a heading. */
const anchorOf = (heading) => heading.trim().toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-');

const anchors = new Map();
function anchorsOf(file) {
  if (!anchors.has(file)) {
    const headings = [...proseOf(file).matchAll(/^#{1,6} (.*)$/gm)].map(([, heading]) => anchorOf(heading));
    anchors.set(file, new Set(headings));
  }
  return anchors.get(file);
}

/** Relative links of a page: the file, from the repository's root, and the anchor. */
function linksOf(file) {
  const targets = [...proseOf(file).replace(/`[^`\n]+`/g, '').matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target);
  return targets.filter((target) => !/^[a-z]+:/.test(target)).map((target) => {
    const [path, anchor] = target.split('#');
    return { target, path: path ? normalize(join(dirname(file), path)) : file, anchor };
  });
}

const none = (found, what) => assert.deepEqual(found, [], what);

test('every link leads somewhere, and every anchor to a heading', () => {
  const links = PAGES.flatMap((file) => linksOf(file).map((link) => ({ file, ...link })));
  assert.ok(links.length > 200, `${links.length} links are found`);
  none(links.filter(({ path }) => !existsSync(join(repository, path))).map(({ file, target }) => `${file}: ${target}`));
  const wanted = links.filter(({ path, anchor }) => anchor && path.endsWith('.md'));
  assert.ok(wanted.length > 20, 'links to headings are found');
  none(wanted.filter(({ path, anchor }) => !anchorsOf(path).has(anchor)).map(({ file, target }) => `${file}: ${target}`));
});

test('every file that is named is there', () => {
  const path = /^(?:docs|tests|plugins|host|idl|examples|packaging|plugin-api)\/[\w./-]*\w$/;
  /** What installing, building and running leave there. */
  const made = /^(tests\/\.|examples\/(vendor|node_modules)|host\/console\/node_modules)/;
  const named = PAGES.filter((file) => file !== HISTORY).flatMap((file) =>
    codeOf(file).flatMap((code) => code.split(/[\s"',;:()]+/)).filter((word) => path.test(word) && !made.test(word)).map((word) => ({ file, word })),
  );
  assert.ok(named.length > 150, `${named.length} files are named`);
  const isThere = (file, word) => existsSync(join(repository, word)) || existsSync(join(repository, dirname(file), word));
  none(named.filter(({ file, word }) => !isThere(file, word)).map(({ file, word }) => `${file}: ${word}`));
});

test('every target of make is one', () => {
  const targets = new Set([...read('Makefile').matchAll(/^([\w-]+(?: [\w-]+)*):/gm)].flatMap(([, names]) => names.split(' ')));
  const named = PAGES.flatMap((file) => codeOf(file).flatMap((code) => [...code.matchAll(/(?:^|[;&|] *|sudo |time )make ([a-z][\w-]*)/g)].map(([, target]) => ({ file, target }))));
  assert.ok(named.length > 30, `${named.length} targets are named`);
  none(named.filter(({ target }) => !targets.has(target)).map(({ file, target }) => `${file}: make ${target}`));
});

test('every key of the main configuration is known to the server', () => {
  const list = /const MAIN: &\[&str\] = &\[([\s\S]*?)\];/.exec(read('host/src/config/keys.rs'))[1];
  const known = [...list.matchAll(/"([^"]+)"/g)].map(([, key]) => key);
  assert.ok(known.length > 20);
  const isKnown = (key) => known.some((one) => (one.endsWith('.*') ? `${key}.`.startsWith(one.slice(0, -1)) : one === key) || one.startsWith(`${key}.`));
  assert.ok(isKnown('mediaServer.net') && isKnown('mediaServer.limits.sessions') && !isKnown('mediaServer.net.websoket'));
  const named = PAGES.flatMap((file) => codeOf(file).flatMap((code) => [...code.matchAll(/\bmediaServer(?:\.\w+)+/g)].map(([key]) => ({ file, key }))));
  assert.ok(named.length > 20, `${named.length} keys are named`);
  none(named.filter(({ key }) => !isKnown(key)).map(({ file, key }) => `${file}: ${key}`));
});

test('every metric is in the list of metrics, every alert among the rules', () => {
  // That list is compared with a server's page by host/tests/metrics_are_documented.rs.
  const list = new Set([...read('docs/log-and-metrics.md').matchAll(/^\| `(rivero_\w+)`/gm)].map(([, name]) => name));
  assert.ok(list.size > 40);
  // Crates, and what C calls.
  const folders = ['host', 'host/media', 'idl', 'plugin-api', 'plugin-api/c', 'plugin-api/sdk', ...['plugins/lib', 'plugins'].flatMap((parent) => readdirSync(join(repository, parent)).map((name) => `${parent}/${name}`))];
  const manifests = folders.map((folder) => `${folder}/Cargo.toml`).filter((manifest) => existsSync(join(repository, manifest)));
  const crates = manifests.map((manifest) => /^name = "([^"]+)"/m.exec(read(manifest))[1].replaceAll('-', '_'));
  const functions = read('plugin-api/c/include/rivero.h').match(/\brivero_\w+/g);
  const libraries = ['rivero_module', 'rivero_opencv'];
  const others = new Set([...crates, ...functions, ...libraries]);
  const named = PAGES.filter((file) => file !== HISTORY).flatMap((file) => [...read(file).matchAll(/\brivero_[a-z]\w*[a-z](?![\w<])/g)].map(([name]) => ({ file, name })));
  none(named.filter(({ name }) => !list.has(name) && !others.has(name)).map(({ file, name }) => `${file}: ${name}`));
  const rules = new Set([...read('packaging/prometheus/rivero-alerts.yml').matchAll(/alert: (\w+)/g)].map(([, name]) => name));
  const alerts = PAGES.flatMap((file) => codeOf(file).filter((code) => /^Rivero[A-Z]\w+$/.test(code)).map((name) => ({ file, name })));
  assert.ok(rules.size > 10 && alerts.length >= rules.size, 'alerts are found');
  none(alerts.filter(({ name }) => !rules.has(name)).map(({ file, name }) => `${file}: ${name}`));
});

test('every option and command of the programs is in their manual pages', () => {
  // Which are compared with `--help` by tests/packages.
  const manuals = { rivero: 'packaging/man/rivero.8', kmd: 'packaging/man/kmd.1', 'rivero-gallery': 'packaging/man/rivero-gallery.1' };
  const named = PAGES.flatMap((file) => codeOf(file).map((code) => ({ file, code: code.replace(/ +#.*$/, '') }))).filter(({ code }) => /^(sudo )?(rivero|kmd|rivero-gallery)( |$)/.test(code));
  assert.ok(named.length > 50, `${named.length} commands are named`);
  for (const { file, code } of named) {
    const [program, ...words] = code.replace(/^sudo /, '').split(/ \|\|? | && |; /)[0].split(/\s+/);
    const page = read(manuals[program]);
    for (const option of words.map((word) => word.split('=')[0]).filter((word) => /^--[\w-]+$/.test(word))) {
      assert.ok(page.includes(`Fl Fl ${option.slice(2)}`), `${file}: '${code}': ${program} has no ${option}`);
    }
    const [command] = words;
    if (program === 'kmd' && /^[a-z][a-z|]*$/.test(command ?? '')) for (const name of command.split('|')) assert.match(page, new RegExp(`^\\.Cm ${name}\\b`, 'm'), `${file}: '${code}'`);
  }
  // Elsewhere options of other programs are named: of the load generator, of tests.
  const ours = documents().filter((file) => file.startsWith('docs/') && !['docs/benchmarks.md', 'docs/profile.md'].includes(file));
  const alone = ours.flatMap((file) => codeOf(file).filter((code) => /^--[a-z-]+( [A-Z]+)?$/.test(code)).map((code) => ({ file, option: code.split(' ')[0].slice(2) })));
  const all = Object.values(manuals).map(read).join('\n');
  assert.ok(alone.length > 20, `${alone.length} options are named`);
  none(alone.filter(({ option }) => !all.includes(`Fl Fl ${option}`)).map(({ file, option }) => `${file}: --${option}`));
});

test('every variable of the environment is one that something reads', () => {
  const sources = ['Makefile'];
  const walk = (folder) => {
    for (const entry of readdirSync(join(repository, folder), { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory() && !['node_modules', 'target', 'vendor', 'corpus', 'captures'].includes(entry.name) && !entry.name.startsWith('.')) walk(path);
      else if (entry.isFile() && !/\.(md|png|json|csv)$/.test(entry.name)) sources.push(path);
    }
  };
  ['host/src', 'idl/src', 'idl/tests', 'plugin-api', 'plugins', 'packaging', 'tests'].forEach(walk);
  const found = new Set(sources.flatMap((file) => read(file).match(/\b(?:RIVERO|KURENTO|KMS)_[A-Z_0-9]+\b/g) ?? []));
  const named = documents().flatMap((file) => (read(file).match(/\b(?:RIVERO|KURENTO|KMS)_[A-Z_0-9]*[A-Z0-9](?![\w…])/g) ?? []).map((name) => ({ file, name })));
  assert.ok(named.length > 20);
  // A profile of Kurento's, which is a value.
  none(named.filter(({ name }) => !found.has(name) && name !== 'KURENTO_SPLIT_RECORDER').map(({ file, name }) => `${file}: ${name}`));
});

test('the index has every page, every module and every example', () => {
  const linked = new Set(linksOf('docs/README.md').map(({ path }) => path));
  none(documents().filter((file) => file.startsWith('docs/') && file !== 'docs/README.md' && !linked.has(file)), 'pages that docs/README.md does not have');
  const modules = readdirSync(join(repository, 'plugins')).filter((name) => existsSync(join(repository, 'plugins', name, 'Cargo.toml')));
  none(modules.filter((name) => !linked.has(`plugins/${name}/README.md`)), 'modules that docs/README.md does not have');
  const examples = readdirSync(join(repository, 'examples')).filter((name) => name !== 'gallery' && existsSync(join(repository, 'examples', name, 'index.html')));
  none(examples.filter((name) => !existsSync(join(repository, `docs/examples/${name}.md`))), 'examples without a page');
  const fromReadme = new Set(linksOf('README.md').map(({ path }) => path));
  const top = documents().filter((file) => /^docs\/[^/]+$/.test(file));
  none(top.filter((file) => !fromReadme.has(file)), 'pages that README.md does not have');
});

for (const file of documents().filter((name) => name.startsWith('docs/examples/'))) {
  const name = /([\w-]+)\.md$/.exec(file)[1];
  test(`${name}: the page has the calls that the example makes`, () => {
    const scripts = (folder) => readdirSync(join(repository, folder)).filter((one) => one.endsWith('.js')).map((one) => read(`${folder}/${one}`)).join('\n');
    const own = scripts(`examples/${name}`);
    const imported = [...`${own}${/takePart/.test(own) ? read('examples/common/composite.js') : ''}`.matchAll(/from '\.\.\/common\/(\w+\.js)'/g)].map(([, one]) => read(`examples/common/${one}`));
    const code = [own, ...imported, read('examples/common/call.js')].join('\n');
    const rows = [...read(file).matchAll(/^\| (`.*`) \| .* \|$/gm)].map(([, calls]) => calls);
    const calls = rows.flatMap((row) => [...row.matchAll(/`([^`]+)`/g)].map(([, call]) => call));
    assert.ok(calls.length > 5, calls.join());
    for (const call of calls) {
      const [, method, text] = /^(\w+)(?:\('([\w.]+)'\))?$/.exec(call) ?? assert.fail(`${call} is no call`);
      const isMade = text ? code.includes(`${method}('${text}'`) || (method === 'on' && code.includes(`${text}: (`)) : new RegExp(`\\.${method}\\(|'${method}'`).test(code);
      assert.ok(isMade, `${call} is nowhere in the example`);
    }
    for (const [, type] of own.matchAll(/\.create\('([\w.]+)'/g)) assert.ok(calls.includes(`create('${type}')`), `the page does not have create('${type}')`);
    const events = new Set([...own.matchAll(/\.on\('(\w+)'/g)].map(([, event]) => event));
    none([...events].filter((event) => !read(file).includes(event)), 'events that the page does not have');
  });
}
