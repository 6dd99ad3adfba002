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

/** Compiles `text`; what the compiler has to say, a line each. */
function compile(name, text) {
  writeFileSync(join(folder, name), text);
  const tsc = join(repository, 'tests/node_modules/typescript/bin/tsc');
  const compilerOptions = { noEmit: true, strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, types: [], target: 'es2022', module: 'node16' };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [name] }));
  const { stdout } = spawnSync(process.execPath, [tsc, '--project', folder], { cwd: folder, encoding: 'utf8' });
  return stdout.trim().split('\n').filter(Boolean);
}

generate('ts', [LENS, HOSTILE, ...descriptors], folder);
generate('ts', descriptors, folder, '--rivero');

test('calls that the descriptor allows compile', () => {
  const said = compile('right.ts', `
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
    }`);
  assert.deepEqual(said, []);
});

test('calls that it does not allow do not', () => {
  const wrong = ["lens.focus('near')", 'lens.focus({ x: 1 })', "lens.on('Nothing', () => {})", "lens.setMatch('yes')", 'lens.setSerial(1)', 'lens.setLevels({})', "composite.setLayout({ name: 'ROUND' })"];
  const said = compile('wrong.ts', `
    import { Lens } from './kurento-module-lens';
    import { Composite } from './kurento-module-rivero';
    declare const lens: Lens; declare const composite: Composite;
    ${wrong.map((call) => `void ${call};`).join('\n    ')}`);
  const lines = new Set(said.filter((line) => /error TS/.test(line)).map((line) => line.match(/\((\d+),/)[1]));
  assert.equal(lines.size, wrong.length, said.join('\n'));
});
