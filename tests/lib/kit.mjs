// The author's kit as `make install` leaves it, and projects out of the tree that are built with it.

import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { artefacts } from './rivero.mjs';

const run = promisify(execFile);
const repository = fileURLToPath(new URL('../../', import.meta.url));
/** Kept, so that only the first run compiles what all projects need. */
const target = join(dirname(artefacts.server), '..', 'kit');

/** Installs what is new of the kit. Several test files may do so at a time, and cargo takes files that are written anew for changed ones. */
const INSTALL = `
  new=$(mktemp -d "$TARGET/new.XXXXXX")
  trap 'rm -rf "$new"' EXIT
  plugin-api/sdk/install.sh "$new/prefix/share/rivero/sdk"
  mkdir "$new/prefix/bin"
  for program in "$KMD" "$SERVER"; do
    ln -L "$program" "$new/prefix/bin/" 2>/dev/null || cp "$program" "$new/prefix/bin/"
  done
  if ! diff -rq "$new/prefix" "$TARGET/prefix" >/dev/null 2>&1; then
    rm -rf "$TARGET/prefix"
    mv "$new/prefix" "$TARGET/prefix"
  fi`;

/** An installed kit, and a directory for projects. */
export async function installKit() {
  mkdirSync(target, { recursive: true });
  const env = { ...process.env, TARGET: target, KMD: artefacts.kmd, SERVER: artefacts.server };
  await run('flock', [join(target, 'install.lock'), 'bash', '-euc', INSTALL], { cwd: repository, env });
  return new Kit(mkdtempSync(join(tmpdir(), 'rivero-kit-')));
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
