// Runs `kmd gen`, and makes what comes out usable.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after } from 'node:test';
import { tmpdir } from 'node:os';

import { artefacts } from '../lib/rivero.mjs';

export const repository = fileURLToPath(new URL('../../', import.meta.url));
export const LENS = join(repository, 'idl/tests/data/lens.kmd.json');
export const HOSTILE = fileURLToPath(new URL('hostile.kmd.json', import.meta.url));
const kmd = join(dirname(artefacts.server), 'kmd');

/** `kmd gen …`; rejects what it refuses. */
export function generate(target, modules, output, ...options) {
  return execFileSync(kmd, ['gen', target, ...options, ...modules, '--output', output], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** What `kmd` answers, as `{status, stdout, stderr}`. */
export function run(...args) {
  return spawnSync(kmd, args, { encoding: 'utf8' });
}

/** A folder for the file's tests, in whose node_modules packages find kurento-client and each other. */
export function scratch() {
  const folder = mkdtempSync(join(tmpdir(), 'rivero-clients-'));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(join(repository, 'tests/node_modules/kurento-client'), join(folder, 'node_modules/kurento-client'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
