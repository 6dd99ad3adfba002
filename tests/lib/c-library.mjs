// Libraries in C, built by the test that needs them: what the system's loader says to them is real.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { sectionBytes } from './elf.mjs';

/** What a library in C claims to be when it claims to be a module. */
export const CLAIM = { name: 'elements', version: '1.0.0', classes: ['PassThrough'], descriptor: null };

/** Compiles C to a shared library; `args` go to the compiler. The result is its bytes. */
export function cLibrary(source, args = []) {
  const directory = mkdtempSync(join(tmpdir(), 'rivero-c-'));
  try {
    const [input, output] = [join(directory, 'library.c'), join(directory, 'library.so')];
    writeFileSync(input, source);
    execFileSync('cc', ['-shared', '-fPIC', '-o', output, input, ...args], { cwd: directory, stdio: ['ignore', 'ignore', 'inherit'] });
    return readFileSync(output);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** C that puts a module's section into a library. */
export function claims(manifest = CLAIM) {
  const bytes = [...sectionBytes(manifest)];
  return `__attribute__((section(".rivero.module"), used)) static const unsigned char claim[] = {${bytes.join(',')}};\n`;
}

/** A library that claims to be a module, and runs `statements` when it is loaded. */
export function runsWhenLoaded(statements) {
  return cLibrary(`#include <signal.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\n${claims()}
__attribute__((constructor)) static void begin(void) { ${statements} }\n`);
}

/** A library that needs another one, which is nowhere. */
export function needsAbsentLibrary() {
  const directory = mkdtempSync(join(tmpdir(), 'rivero-c-'));
  try {
    writeFileSync(join(directory, 'absent.c'), 'int absent(void) { return 1; }\n');
    execFileSync('cc', ['-shared', '-fPIC', '-o', 'libriveroabsent.so', 'absent.c'], { cwd: directory });
    return cLibrary(`${claims()}int absent(void);\nint user(void) { return absent(); }\n`, [`-L${directory}`, '-lriveroabsent']);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
