import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { fixtureDirectory, makeMedia, playerOf, viewerOf } from '../lib/fixtures.mjs';
import { hearsTones, portOf } from '../lib/hubs.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, seesColour, seesColourAt } from '../lib/media.mjs';
import { until } from '../lib/wait.mjs';

const { red, green, blue } = COLOURS;
const FILES = [
  ['red.webm', red, 400, '640x480'],
  ['green.webm', green, 800, '320x240'],
  ['blue.webm', blue, 1200, '320x240'],
];
const TONES = FILES.map(([, , tone]) => tone);

const directory = fixtureDirectory();
const parts = live({}, async (arranged) => {
  arranged.page = await arranged.browser.openProbe();
  arranged.calls = await Calls.on(arranged.page);
  arranged.pipeline = await arranged.client.create('MediaPipeline');
  arranged.players = [];
  for (const [name, colour, toneHz, size] of FILES) {
    const path = await makeMedia(directory, name, { colours: [colour], seconds: 120, toneHz, size });
    const player = await playerOf(arranged.pipeline, `file://${path}`);
    await invoke(player, 'play');
    arranged.players.push(player);
  }
});
after(() => parts.pipeline?.release());

const seesColours = (page, name, places) => Promise.all(places.map(([place, colour]) => seesColourAt(page, name, place, colour)));
const hasSize = (page, name, size) => until(async () => String(await page.evaluate((sink) => probe.pictureSize(sink), name)) === String(size), `${name} is ${size}`);

test('H03: pictures lie over the master where they were put, cut at its edge', async () => {
  const { page, calls, pipeline, players } = parts;
  const hub = await pipeline.create('AlphaBlending');
  const ports = [];
  for (const player of players) ports.push(await portOf(hub, player));
  const viewer = await viewerOf(pipeline, calls, 'blended');
  await invoke(await portOf(hub), 'connect', viewer);
  await invoke(hub, 'setMaster', ports[0].id, 1);
  await invoke(hub, 'setPortProperties', 0.1, 0.1, 2, 0.5, 0.5, ports[1].id);
  await invoke(hub, 'setPortProperties', 0.5, 0.5, 3, 1, 1, ports[2].id);
  await seesColours(page, 'blended', [[[0.05, 0.5], red], [[0.3, 0.3], green], [[0.55, 0.55], blue], [[0.95, 0.95], blue], [[0.8, 0.2], red]]);
  await hasSize(page, 'blended', [640, 480]);
  await hearsTones(page, 'blended', TONES, TONES);
  // Nearer: the green one is over the blue one.
  await invoke(hub, 'setPortProperties', 0.1, 0.1, 4, 0.5, 0.5, ports[1].id);
  await seesColours(page, 'blended', [[[0.55, 0.55], green]]);
  // The master leaves; another one has another size.
  await ports[0].release();
  await invoke(hub, 'setMaster', ports[1].id, 0);
  await seesColours(page, 'blended', [[[0.2, 0.2], green], [[0.75, 0.75], blue]]);
  await hasSize(page, 'blended', [320, 240]);
  await hub.release();
  await viewer.release();
});

test('H06: a Mixer gives each port the video of one and the sound of those it is connected to', async () => {
  const { page, calls, pipeline, players } = parts;
  const hub = await pipeline.create('Mixer');
  const ports = [];
  for (const player of players) ports.push(await portOf(hub, player));
  const out = await portOf(hub);
  // Before anybody listens, twice, and to itself.
  await invoke(hub, 'connect', 'AUDIO', ports[0], out);
  await invoke(hub, 'connect', 'AUDIO', ports[0], out);
  await invoke(hub, 'connect', 'AUDIO', out, out);
  await invoke(hub, 'connect', 'VIDEO', ports[0], out);
  const viewer = await viewerOf(pipeline, calls, 'mixed');
  await invoke(out, 'connect', viewer);
  await seesColour(page, 'mixed', red);
  await hearsTones(page, 'mixed', [400], TONES);

  await invoke(hub, 'connect', 'AUDIO', ports[1], out);
  await hearsTones(page, 'mixed', [400, 800], TONES);
  await invoke(hub, 'connect', 'VIDEO', ports[2], out);
  await seesColour(page, 'mixed', blue);
  await invoke(hub, 'disconnect', 'AUDIO', ports[0], out);
  await hearsTones(page, 'mixed', [800], TONES);
  await invoke(hub, 'connect', 'AUDIO', ports[2], out);
  await hearsTones(page, 'mixed', [800, 1200], TONES);

  // Video is disconnected from the one it came from, and from no other.
  await invoke(hub, 'disconnect', 'VIDEO', ports[0], out);
  await seesColour(page, 'mixed', blue);
  await invoke(hub, 'disconnect', 'VIDEO', ports[2], out);
  await invoke(hub, 'connect', 'VIDEO', ports[1], out);
  await seesColour(page, 'mixed', green);

  // A port that goes while it is connected is silent, and no trouble.
  await ports[2].release();
  await hearsTones(page, 'mixed', [800], TONES);
  await assert.rejects(invoke(hub, 'connect', 'DATA', ports[0], out), (error) => error.code === 40005);
  assert.deepEqual(page.troubles, []);
  await hub.release();
  await viewer.release();
});
