// The author's kit as `make install` leaves it, and projects out of the tree that are built with it.

import { execFile } from 'node:child_process';
import { copyFileSync, linkSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { artefacts } from './rivero.mjs';

const run = promisify(execFile);
const repository = fileURLToPath(new URL('../../', import.meta.url));
/** Kept, so that only the first run compiles what all projects need. */
const target = join(dirname(artefacts.server), '..', 'kit');

/** An installed kit, in a directory of its own. */
export async function installKit() {
  const home = mkdtempSync(join(tmpdir(), 'rivero-kit-'));
  const kit = new Kit(home);
  // At a place that stays: cargo knows what it has compiled by the paths of its sources.
  await run(join(repository, 'plugin-api/sdk/install.sh'), [kit.sdk]);
  mkdirSync(kit.programs, { recursive: true });
  for (const [name, from] of [['kmd', artefacts.kmd], ['rivero', artefacts.server]]) {
    const to = join(kit.programs, name);
    rmSync(to, { force: true });
    try {
      linkSync(realpathSync(from), to);
    } catch {
      copyFileSync(from, to); // another file system
    }
  }
  return kit;
}

class Kit {
  constructor(home) {
    /** For projects. */
    this.home = home;
    const prefix = join(target, 'prefix');
    this.sdk = join(prefix, 'share', 'rivero', 'sdk');
    this.programs = join(prefix, 'bin');
    this.env = { ...process.env, CARGO_TARGET_DIR: target, CARGO_NET_OFFLINE: 'true', PATH: `${this.programs}${delimiter}${process.env.PATH}` };
    // What is built here is not measured, and takes half as long so.
    this.env.CARGO_PROFILE_RELEASE_OPT_LEVEL = '0';
    delete this.env.RIVERO_SDK;
  }

  /** Runs a program in a directory below the kit's; resolves to what it printed. */
  async run(program, args, directory = '.') {
    try {
      const { stdout, stderr } = await run(program, args, { cwd: join(this.home, directory), env: this.env, maxBuffer: 1 << 26 });
      return stdout + stderr;
    } catch (error) {
      throw new Error(`${program} ${args.join(' ')}: ${error.message}\n${error.stdout}`);
    }
  }

  kmd(...args) {
    return this.run('kmd', args);
  }

  /** Makes a project, runs its test, builds it, and gives the library. Tests are built like the module, so that what both need is compiled once. */
  async built(kind, name, ...options) {
    const [module] = name.split('.');
    await this.kmd('new', kind, name, ...options);
    await this.run('cargo', ['test', '--release', '--quiet'], module);
    await this.run('cargo', ['build', '--release', '--quiet'], module);
    return readFileSync(this.library(module));
  }

  library(module) {
    return join(target, 'release', `lib${module}.so`);
  }

  remove() {
    rmSync(this.home, { recursive: true, force: true });
  }
}
