// The declarations are what TypeScript's compiler takes in its strictest mode, and say what can be called.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { HOSTILE, LENS, generate, repository, scratch } from './generate.mjs';

const folder = scratch();
const plugins = readdirSync(join(repository, 'plugins')).map((module) => join(repository, 'plugins', module));
const descriptors = plugins.flatMap((module) => readdirSync(module).filter((file) => file.endsWith('.kmd.json')).map((file) => join(module, file)));

generate('ts', [LENS, HOSTILE, ...descriptors], folder);
generate('ts', descriptors, folder, '--rivero');

writeFileSync(
  join(folder, 'right.ts'),
  `
    import { Lens, LensParams, Mode, complexTypes, SeenEvent } from './kurento-module-lens';
    import { Composite, RtmpPublisher, CompositeLayout } from './kurento-module-rivero';
    import * as native from './kurento-module-native';
    export async function use(lens: Lens, composite: Composite, publisher: RtmpPublisher, other: native.Promise) {
      const params: LensParams = { size: 3, mode: 'OPEN', points: [{ x: 1, y: 2 }], weights: { a: 1 } };
      const depth: number = await lens.focus({ x: 1, y: 2 }, 2);
      await lens.focus();
      lens.focus({ x: 1, y: 2 }, (error, value: number) => error ?? value);
      const found: { [name: string]: { x: number } } = await lens.create();
      await lens.setPartner(lens); await lens.setPartner(lens.id); await lens.setPartner({ id: 'x' });
      const partner = await lens.getPartner();
      await partner.connect(lens);
      lens.on('Seen', (event: SeenEvent) => event.marker.x + event.certainty!);
      lens.once('Error', ({ description }) => description.length);
      const point = complexTypes.Point({ x: 1, y: 2 }); new complexTypes.Marker({ ...point, type: 'OPEN' });
      const mode: Mode = 'closed';
      const layout: CompositeLayout = { name: 'GRID' };
      await composite.setLayout(layout);
      await composite.setPort('id', { label: 'x' });
      const connected: boolean = await publisher.getConnected();
      publisher.on('Disconnected', ({ reason }) => reason.toUpperCase());
      const text: string = await other.then_('x');
      const map: { [key: string]: native.Promise } = await other.constructor_();
      return { params, depth, found, mode, connected, text, map, made: native.Promise.events };
    }`,
);
const WRONG = ["lens.focus('near')", 'lens.focus({ x: 1 })', "lens.on('Nothing', () => {})", "lens.setMatch('yes')", 'lens.setSerial(1)', 'lens.setLevels({})', "composite.setLayout({ name: 'ROUND' })"];
writeFileSync(
  join(folder, 'wrong.ts'),
  `
    import { Lens } from './kurento-module-lens';
    import { Composite } from './kurento-module-rivero';
    declare const lens: Lens; declare const composite: Composite;
    ${WRONG.map((call) => `void ${call};`).join('\n    ')}`,
);

/** What the compiler says of both files and of all declarations, a line each: `file(line,column): error …`. */
function compile() {
  // Its own libraries are not checked again.
  const compilerOptions = { noEmit: true, strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipDefaultLibCheck: true, types: [], lib: ['es2022'], target: 'es2022', module: 'node16' };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['right.ts', 'wrong.ts'] }));
  const { stdout } = spawnSync(process.execPath, [join(repository, 'tests/node_modules/typescript/bin/tsc'), '--project', folder], { cwd: folder, encoding: 'utf8' });
  return stdout.split('\n').filter((line) => /error TS/.test(line));
}

const said = compile();

test('the declarations, and calls that the descriptor allows, compile', () => {
  assert.deepEqual(said.filter((line) => !line.startsWith('wrong.ts')), []);
});

test('calls that it does not allow do not', () => {
  const lines = new Set(said.map((line) => line.match(/^wrong\.ts\((\d+),/)?.[1]).filter(Boolean));
  assert.equal(lines.size, WRONG.length, said.join('\n'));
});
