// Bundles the console: `node build.mjs DIRECTORY` (../../target/release/console without one).

import { copyFileSync, mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const directory = resolve(process.argv[2] ?? join(here, '../../target/release/console'));

mkdirSync(directory, { recursive: true });
await build({
  absWorkingDir: here,
  // The server knows these names.
  entryPoints: { console: 'src/main.jsx', layout: 'src/layout.js' },
  outdir: directory,
  bundle: true,
  minify: true,
  format: 'esm',
  target: ['es2020'],
  jsx: 'automatic',
  jsxImportSource: 'preact',
  legalComments: 'eof',
  logLevel: 'warning',
});
copyFileSync(join(here, 'index.html'), join(directory, 'index.html'));
