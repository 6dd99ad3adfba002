// The documents: which there are, what their blocks of code say, and commands of theirs that are tried.

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const repository = fileURLToPath(new URL('../../', import.meta.url));

export const read = (file) => readFileSync(join(repository, file), 'utf8');

/** Pages that people read: those at the top, and all of docs/. */
export function documents() {
  const top = readdirSync(repository).filter((file) => file.endsWith('.md'));
  const inner = readdirSync(join(repository, 'docs'), { recursive: true }).filter((file) => file.endsWith('.md'));
  return [...top, ...inner.map((file) => `docs/${file}`)].sort();
}

/** READMEs of modules and examples of modules. */
export function readmes() {
  const folders = ['plugins', 'plugins/lib', 'examples/modules'].flatMap((parent) => readdirSync(join(repository, parent)).map((name) => `${parent}/${name}/README.md`));
  return [...folders, 'packaging/README.md', 'idl/README.md'].filter((file) => existsSync(join(repository, file))).sort();
}

/** The fenced blocks of a page: `{language, tried, text}`. A block that begins with ```` ```sh tried ```` is run by a test. */
export function blocks(file) {
  const found = [...read(file).matchAll(/^```(\w*)( tried)?[^\n]*\n([\s\S]*?)^```$/gm)];
  return found.map(([, language, tried, text]) => ({ language, tried: Boolean(tried), text }));
}

/**
 * Runs the blocks of a page that are to be tried, one after the other, in `directory`, and answers how many these are. Installed files are those of
 * the sources; `places` has others in place of what the page names.
 */
export function follow(file, directory, env = {}, places = {}) {
  const commands = blocks(file).filter(({ tried }) => tried);
  for (const { text } of commands) {
    const moved = { '/usr/share/rivero/': join(repository, 'packaging/'), ...places };
    const here = Object.entries(moved).reduce((left, [from, to]) => left.replaceAll(from, to), text);
    execFileSync('bash', ['-euo', 'pipefail', '-c', here], { cwd: directory, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'], timeout: 60_000 });
  }
  return commands.length;
}
