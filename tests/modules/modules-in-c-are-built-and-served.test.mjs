// examples/modules/c-filter and opencv-cpp, built by their own Makefiles outside of the tree, against what `make install` brings.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, test } from 'node:test';

import { fixtureDirectory } from '../lib/fixtures.mjs';
import { artefacts } from '../lib/rivero.mjs';
import { drawFilm, looking, pictureAt, throughFilter } from '../lib/vision.mjs';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const include = join(repository, 'plugin-api/c/include');
const release = dirname(artefacts.server);

/** Builds an example in a folder of its own. */
function built(name) {
  const folder = mkdtempSync(join(tmpdir(), 'rivero-c-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(join(repository, 'examples/modules', name), folder, { recursive: true, filter: (path) => basename(path) !== 'build' });
  const settings = [`KMD=${join(release, 'kmd')}`, `INCLUDE=${include}`, `LIBRARY=${release}`, ...['CFLAGS', 'CXXFLAGS'].map((flags) => `${flags}=-O2 -Wall -Wextra -Werror`)];
  execFileSync('make', settings, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  return readFileSync(join(folder, 'build', `${name}.so`));
}

const parts = looking({ extraFiles: { 'c-filter.so': built('c-filter'), 'opencv-cpp.so': built('opencv-cpp') } });
const directory = fixtureDirectory();

async function created(parameters) {
  const pipeline = await parts.rpc.create('MediaPipeline');
  return parts.rpc.create('CInvert', { mediaPipeline: pipeline, ...parameters });
}

test('a class in C is listed, created, called and released', async () => {
  const { modules } = await parts.rpc.invoke('manager_ServerManager', 'getInfo');
  assert.deepEqual(modules.find(({ name }) => name === 'cfilter').factories, ['CInvert']);
  const object = await created({});
  assert.equal(await parts.rpc.invoke(object, 'getStrength'), 255);
  await parts.rpc.invoke(object, 'setStrength', { strength: 100 });
  assert.equal(await parts.rpc.invoke(object, 'describe', { prefix: 'Grün:' }), 'Grün: inverts by 100');
  assert.equal(await parts.rpc.invoke(object, 'getPictures'), 0);
  await parts.rpc.value('release', { object });
});

test('what C refuses has its code and text', async () => {
  const refusal = { code: 40107, message: /strength must be from 0 to 255/ };
  await assert.rejects(created({ strength: 256 }), refusal);
  const object = await created({ strength: 3 });
  await assert.rejects(parts.rpc.invoke(object, 'setStrength', { strength: -1 }), refusal);
  assert.equal(await parts.rpc.invoke(object, 'getStrength'), 3);
  // The descriptor is checked before C sees anything.
  await assert.rejects(parts.rpc.invoke(object, 'setStrength', { strength: 'much' }), { code: 40001 });
});

test('pictures and an event go through C', async () => {
  const film = await drawFilm(directory, 'bright', 'color=c=0xd0d0d0:s=160x120:r=30', { seconds: 2 });
  let pictures;
  const during = async (filter, { reaches }) => {
    await reaches(1);
    pictures = await parts.rpc.invoke(filter, 'getPictures');
  };
  const { events, recorded } = await throughFilter(parts, 'CInvert', {}, film, { events: ['FirstPicture'], during, directory });
  assert.deepEqual(events.map(({ type, width, height }) => [type, width, height]), [['FirstPicture', 160, 120]]);
  assert.ok(pictures > 5, `${pictures} pictures`);
  const shown = (await pictureAt(recorded, 0.5)).at(0.5, 0.5);
  for (const value of shown) assert.ok(value < 90, `${shown} is dark`);
});

test('a filter that was written for Kurento in C++ runs with its descriptor', async () => {
  const bars = 'color=c=0x202020:s=160x120:r=30,drawbox=x=0:y=0:w=80:h=120:c=0xd03030:t=fill';
  const film = await drawFilm(directory, 'bars', bars, { seconds: 3 });
  const during = async (filter, { reaches }) => {
    await parts.rpc.invoke(filter, 'setEdgeThreshold', { edgeValue: 60 });
    await reaches(1.5);
    await parts.rpc.invoke(filter, 'setFilterType', { filterType: 1 });
  };
  const { events, recorded } = await throughFilter(parts, 'EdgesFilter', {}, film, { during, directory });
  assert.deepEqual(events, []);
  // A white line where the colours meet, black beside it; later both sides grey.
  const early = await pictureAt(recorded, 0.5);
  const [edge, beside] = [0.5, 0.2].map((x) => early.at(x, 0.5)[1]);
  assert.ok(edge > 60 && beside < 40, `${edge} at the edge, ${beside} beside it`);
  const [red, green, blue] = (await pictureAt(recorded, 2.5)).at(0.2, 0.5);
  assert.ok(Math.max(Math.abs(red - green), Math.abs(green - blue)) < 20 && green > 50, `${[red, green, blue]} is grey`);
});
