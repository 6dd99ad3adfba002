// Elements that give out what they get, connected in a ring while media flows through them: the server goes on.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { connectClient, invoke } from '../lib/client.mjs';
import { fixtureDirectory, makeMedia, playerOf } from '../lib/fixtures.mjs';
import { COLOURS } from '../lib/media.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { until, within } from '../lib/wait.mjs';

const directory = fixtureDirectory();
let server, client, pipeline, player;
before(async () => {
  server = await startRivero();
  client = await connectClient(server.url);
  pipeline = await client.create('MediaPipeline');
  const file = await makeMedia(directory, 'a.webm', { colours: [COLOURS.red], seconds: 60, toneHz: 1000 });
  player = await playerOf(pipeline, `file://${file}`);
});
after(async () => {
  client?.close();
  await server?.stop();
});

const flows = (element, kind) => until(() => invoke(element, 'isMediaFlowingIn', kind), `${kind} flows in`);

/** What flows into a row that is open at its end: a filter that nobody consumes decodes no pictures. */
const kindsOf = (types) => (types.at(-1) === 'FaceOverlayFilter' ? ['AUDIO'] : ['AUDIO', 'VIDEO']);

/** The elements of these classes in a row behind the player, with sound and pictures flowing. */
async function row(types) {
  const elements = [];
  for (const type of types) elements.push(await pipeline.create(type));
  for (const [index, element] of elements.entries()) await (elements[index - 1] ?? player).connect(element);
  await invoke(player, 'play');
  for (const kind of kindsOf(types)) await flows(elements.at(-1), kind);
  return elements;
}

async function answers() {
  const other = await connectClient(server.url);
  const created = await other.create('MediaPipeline');
  await within(created.release(), 'another client is answered');
  other.close();
}

for (const types of [
  ['PassThrough'],
  ['PassThrough', 'PassThrough'],
  ['PassThrough', 'PassThrough', 'PassThrough'],
  ['FaceOverlayFilter'],
  ['PassThrough', 'FaceOverlayFilter'],
  ['FaceOverlayFilter', 'PassThrough'],
]) {
  test(`${types.join(' → ')} and back to the first`, async () => {
    const elements = await row(types);
    const [first] = elements;
    await within(elements.at(-1).connect(first), 'the ring is closed');
    await answers();
    const links = await within(invoke(first, 'getSourceConnections'), 'the ring is looked at');
    assert.ok(links.length > 0 && links.every(({ source }) => (source.id ?? source) === elements.at(-1).id));

    await within(player.connect(first), 'the ring is opened again');
    for (const kind of kindsOf(types)) await flows(first, kind);
    await within(elements.at(-1).connect(first), 'and closed again');
    for (const element of elements) await within(element.release(), 'it is released');
  });
}

test('a server with a ring in it ends when it is told to', async () => {
  const elements = await row(['PassThrough', 'PassThrough']);
  await elements[1].connect(elements[0]);
  process.kill(server.pid, 'SIGTERM');
  assert.deepEqual(await within(server.exit, 'the process ends'), { code: 0, signal: null });
});
