// The runner itself, in a folder of two small suites and with a cargo that only reports: it runs
// what SUITES names, says what took longest, and ends with the count of all tests.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = mkdtempSync(join(tmpdir(), 'rivero-runner-'));
after(() => rmSync(root, { recursive: true, force: true }));

const JUNIT = `<testsuites>
    <testsuite name="rivero">
        <testcase name="core::slow" classname="rivero" timestamp="2026-01-01T00:00:00Z" time="12.345">
        </testcase>
        <testcase name="core::quick" classname="rivero" timestamp="2026-01-01T00:00:00Z" time="0.008">
        </testcase>
    </testsuite>
</testsuites>
`;
/** What nextest and the documentation tests say, and the report that the former leaves. */
const CARGO = `#!/bin/sh
case $1 in
nextest) mkdir -p target/nextest/default && cp junit.xml target/nextest/default/
         echo '     Summary [  12.4s] 2 tests run: 2 passed, 0 skipped' ;;
test) echo 'test result: ok. 3 passed; 0 failed; 0 ignored' ;;
esac
`;

function program(name, text) {
  writeFileSync(join(root, name), text);
  chmodSync(join(root, name), 0o755);
}

for (const folder of ['bin', 'tests', 'tests/calls', 'tests/rtp']) mkdirSync(join(root, folder));
copyFileSync(fileURLToPath(new URL('../run-all.sh', import.meta.url)), join(root, 'tests/run-all.sh'));
program('tests/netns.sh', '#!/bin/sh\nexec "$@"\n');
program('bin/cargo', CARGO);
writeFileSync(join(root, 'junit.xml'), JUNIT);
const good = "import { test } from 'node:test';\ntest('good', () => {});\n";
const bad = "import { test } from 'node:test';\ntest('bad', () => { throw new Error('as it should'); });\n";
writeFileSync(join(root, 'tests/calls/good.test.mjs'), good);
writeFileSync(join(root, 'tests/rtp/bad.test.mjs'), bad);
writeFileSync(join(root, 'tests/rtp/good.test.mjs'), good);

/** Runs the suites; the runner of these tests is none of their business. */
function run(suites) {
  const { NODE_TEST_CONTEXT, CARGO_TARGET_DIR, SUITES, ...inherited } = process.env;
  const env = { ...inherited, SUITES: suites, PATH: join(root, 'bin') + delimiter + process.env.PATH };
  const { status, stdout, stderr } = spawnSync(join(root, 'tests/run-all.sh'), { env, encoding: 'utf8' });
  return { status, lines: stdout.trimEnd().split('\n'), stderr };
}

test('every suite runs by default, and the longest tests are named before the count', () => {
  const { status, lines } = run('');
  assert.equal(status, 1);
  assert.equal(lines.at(-1), '7 passed, 1 failed');
  const [rust, files] = ['== the longest Rust tests', '== the longest test files'].map((line) => lines.indexOf(line));
  assert.deepEqual(lines.slice(rust + 1, files), ['  12.3 s  rivero core::slow', '   0.0 s  rivero core::quick']);
  const named = lines.slice(files + 1, -1);
  assert.ok(named.every((line) => /^ +\d+\.\d s  tests\/(calls|rtp)\/(good|bad)\.test\.mjs$/.test(line)), named.join('\n'));
  // What failed ran once more, alone.
  assert.deepEqual(named.map((line) => line.split('  ').at(-1)).sort(), [
    'tests/calls/good.test.mjs',
    'tests/rtp/bad.test.mjs',
    'tests/rtp/bad.test.mjs',
    'tests/rtp/good.test.mjs',
  ]);
});

test('only the suites that are named run', () => {
  const { status, lines } = run('calls');
  assert.equal(status, 0);
  assert.equal(lines.at(-1), '1 passed, 0 failed');
  assert.ok(lines.includes('-- tests/calls/good.test.mjs') && !lines.some((line) => line.includes('tests/rtp')), lines.join('\n'));
  assert.equal(run('crates').lines.at(-1), '5 passed, 0 failed');
});

test('an unknown suite is refused with the names of those there are', () => {
  const { status, lines, stderr } = run('calls hubs');
  assert.equal(status, 2);
  assert.deepEqual(lines, ['']);
  assert.match(stderr, /no suite 'hubs'.* crates calls rtp$/m);
});
