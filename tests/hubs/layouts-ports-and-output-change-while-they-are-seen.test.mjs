// What Composite has beyond Kurento's: layouts, ports as the client wants them, output that changes, and events.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { fixtureDirectory, makeMedia, playerOf, viewerOf } from '../lib/fixtures.mjs';
import { hearsTones, portOf } from '../lib/hubs.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, seesColourAt } from '../lib/media.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { until } from '../lib/wait.mjs';

const { red, green, blue } = COLOURS;
const WHITE = [255, 255, 255];
const GREY = [37, 37, 37];
const FILES = [
  ['red.webm', red, 400],
  ['green.webm', green, 800],
  ['blue.webm', blue, 1200],
];
const TONES = FILES.map(([, , tone]) => tone);

const directory = fixtureDirectory();
const parts = live({}, async (arranged) => {
  arranged.page = await arranged.browser.openProbe();
  arranged.calls = await Calls.on(arranged.page);
  arranged.pipeline = await arranged.client.create('MediaPipeline');
  // Pages call what is Rivero's own by `invoke`.
  arranged.rpc = await connectRpc(arranged.server.url);
  arranged.players = [];
  for (const [name, colour, toneHz] of FILES) {
    const path = await makeMedia(directory, name, { colours: [colour], seconds: 120, toneHz });
    const player = await playerOf(arranged.pipeline, `file://${path}`);
    await invoke(player, 'play');
    arranged.players.push(player);
  }
});
after(async () => {
  await parts.rpc?.close();
  await parts.pipeline?.release();
});

const seesColours = (page, name, places) => Promise.all(places.map(([place, colour]) => seesColourAt(page, name, place, colour)));

test('layouts, hidden and muted ports, own views and another size, while it is seen', async () => {
  const { page, calls, pipeline, players, rpc } = parts;
  const composite = await pipeline.create('Composite', { width: 400, height: 300, framerate: 15 });
  for (const type of ['LayoutChanged', 'ActiveSpeakerChanged', 'PortStalled', 'PortResumed']) {
    await rpc.value('subscribe', { object: composite.id, type });
  }
  const raised = (wanted, matches = () => true) =>
    until(() => rpc.events.find(({ type, data }) => type === wanted && matches(data)), `event ${wanted}`);
  const call = (operation, parameters) => rpc.invoke(composite.id, operation, parameters);
  const ports = [];
  for (const player of players) ports.push(await portOf(composite, player));
  const out = await portOf(composite);
  const viewer = await viewerOf(pipeline, calls, 'seen');
  await invoke(out, 'connect', viewer);
  await seesColours(page, 'seen', [[[0.25, 0.25], red], [[0.75, 0.25], green], [[0.25, 0.75], blue]]);

  // Whoever is heard alone has the floor, and the large place.
  for (const port of [ports[0], ports[2]]) await call('setPort', { port: port.id, settings: { muted: true } });
  await hearsTones(page, 'seen', [800], TONES);
  await call('setLayout', { layout: { name: 'SPEAKER' } });
  await raised('LayoutChanged', ({ layout }) => layout === 'SPEAKER');
  await raised('ActiveSpeakerChanged', ({ port }) => port === ports[1].id);
  await seesColours(page, 'seen', [[[0.5, 0.3], green], [[0.25, 0.87], red], [[0.75, 0.87], blue]]);

  const tiles = [
    { x: 0, y: 0, width: 0.5, height: 1, fit: 'FILL' },
    { x: 0.25, y: 0.25, width: 0.25, height: 0.5, fit: 'COVER', zOrder: 1, reservation: 'guest' },
  ];
  await call('setPort', { port: ports[2].id, settings: { reservation: 'guest', muted: false, volume: 0.5 } });
  await call('setLayout', { layout: { name: 'CUSTOM', tiles, background: '#ffffff' } });
  await seesColours(page, 'seen', [[[0.1, 0.1], red], [[0.37, 0.5], blue], [[0.75, 0.5], WHITE]]);
  await hearsTones(page, 'seen', [800, 1200], TONES);

  await call('setPort', { port: ports[0].id, settings: { hidden: true } });
  await seesColours(page, 'seen', [[[0.1, 0.1], green]]);

  // What lies behind is seen through a tile, and its title lies on a dark bar.
  const [half, shaded] = [1, 2].map((part) => green.map((value) => Math.round((value + 255) / 2 / part)));
  const title = '<b>Ada</b> & 漢字 '.repeat(10);
  await call('setLayout', { layout: { name: 'CUSTOM', tiles: [{ ...tiles[0], opacity: 0.5, label: 'A' }], background: '#ffffff' } });
  await seesColours(page, 'seen', [[[0.1, 0.1], half], [[0.45, 0.96], shaded], [[0.75, 0.5], WHITE]]);
  await call('setPort', { port: ports[1].id, settings: { label: title } });
  await call('setPortLayout', { port: out.id, layout: { name: 'GRID' } });
  await seesColours(page, 'seen', [[[0.25, 0.5], green], [[0.75, 0.5], blue]]);
  await call('setPort', { port: ports[1].id, settings: { label: '' } });

  // Who has no picture is seen by an image.
  const guest = await portOf(composite);
  const image = join(directory, 'guest.svg');
  writeFileSync(image, '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="3"><rect width="4" height="3" fill="#c82828"/></svg>');
  await call('setPort', { port: guest.id, settings: { fallbackImage: image } });
  await seesColours(page, 'seen', [[[0.25, 0.25], green], [[0.75, 0.25], blue], [[0.25, 0.75], red]]);
  await call('setPort', { port: guest.id, settings: { fallbackImage: '' } });
  await seesColours(page, 'seen', [[[0.25, 0.5], green], [[0.75, 0.5], blue]]);

  await call('setOutput', { width: 320, height: 180 });
  await until(async () => String(await page.evaluate(() => probe.pictureSize('seen'))) === '320,180', 'it has another size');

  // Who sends nothing any more turns grey; whoever takes the place is seen there.
  const camera = await pipeline.create('WebRtcEndpoint');
  await page.evaluate((options) => probe.createSource('camera', options), { colour: red, audio: false });
  await calls.open('camera', camera, { send: 'camera', receive: false });
  await invoke(camera, 'connect', ports[1]);
  await seesColours(page, 'seen', [[[0.25, 0.5], red]]);
  await calls.close('camera');
  await raised('PortStalled', ({ port }) => port === ports[1].id);
  await seesColours(page, 'seen', [[[0.25, 0.5], GREY], [[0.75, 0.5], blue]]);
  await call('setPort', { port: ports[1].id, settings: { fallbackImage: image } });
  await seesColours(page, 'seen', [[[0.25, 0.5], red]]);
  const { age, late, drift } = await call('getPortStats', { port: ports[1].id });
  assert.ok(age >= 5000 && late >= 0 && Math.abs(drift) <= 500, `${age} ${late} ${drift}`);
  await invoke(players[1], 'connect', ports[1]);
  await raised('PortResumed', ({ port }) => port === ports[1].id);
  await seesColours(page, 'seen', [[[0.25, 0.5], green]]);

  for (const [operation, parameters] of [
    ['setLayout', { layout: { name: 'CUSTOM' } }],
    ['setLayout', { layout: { name: 'GRID', background: 'white' } }],
    ['setPort', { port: out.id, settings: { volume: 99 } }],
    ['setOutput', { width: 100_000 }],
    ['setLayout', { layout: { name: 'CUSTOM', tiles: [{ ...tiles[0], opacity: 2 }] } }],
    ['setPort', { port: out.id, settings: { fallbackImage: 'rtsp://127.0.0.1/x' } }],
  ]) {
    await assert.rejects(call(operation, parameters), { code: 40107 }, operation);
  }
  assert.deepEqual(page.troubles, []);
  await composite.release();
  await viewer.release();
});
