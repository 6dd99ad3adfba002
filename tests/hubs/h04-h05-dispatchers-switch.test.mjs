import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { fixtureDirectory, makeMedia, playerOf, viewerOf } from '../lib/fixtures.mjs';
import { portOf } from '../lib/hubs.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, hearsTone, isConnected, seesColour, seesMotion } from '../lib/media.mjs';
import { conversions } from '../lib/metrics.mjs';
import { until } from '../lib/wait.mjs';

const { red, green, blue } = COLOURS;
const CODECS = { video: 'VP8', audio: 'opus' };
const PEERS = [['one', red, 600], ['two', green, 1000]];

const directory = fixtureDirectory();
const parts = live({}, async (arranged) => {
  const { client, browser } = arranged;
  arranged.page = await browser.openProbe();
  arranged.calls = await Calls.on(arranged.page);
  arranged.pipeline = await client.create('MediaPipeline');
  arranged.sources = [];
  for (const [name, colour, toneHz] of PEERS) {
    const endpoint = await arranged.pipeline.create('WebRtcEndpoint', { useDataChannels: true });
    await arranged.page.evaluate(([source, options]) => probe.createSource(source, options), [name, { colour, toneHz }]);
    await arranged.calls.open(name, endpoint, { send: name, receive: false, codecs: CODECS, channels: { chat: {} } });
    await isConnected(arranged.page, name);
    arranged.sources.push(endpoint);
  }
});
after(() => parts.pipeline?.release());

const shows = async (page, name, colour, toneHz) => {
  await Promise.all([seesColour(page, name, colour), hearsTone(page, name, toneHz)]);
  await seesMotion(page, name);
};

/** Asserts that pictures of `name` never stood still for long, and begins to look anew. */
async function neverFroze(page, name) {
  const { longestGap } = await page.evaluate((sink) => probe.shownPictures(sink), name);
  assert.ok(longestGap < 2000, `pictures of ${name} stood still for ${longestGap} ms`);
  await page.evaluate((sink) => probe.watchPictures(sink), name);
}

test('H04: a Dispatcher switches a viewer between peers, and nothing is decoded', async () => {
  const { page, calls, pipeline, sources, server } = parts;
  const dispatcher = await pipeline.create('Dispatcher');
  const ports = [await portOf(dispatcher, sources[0]), await portOf(dispatcher, sources[1])];
  const out = await portOf(dispatcher);
  const viewer = await pipeline.create('WebRtcEndpoint', { useDataChannels: true });
  await calls.open('viewer', viewer, { codecs: CODECS, channels: { chat: {} } });
  await invoke(out, 'connect', viewer);

  await invoke(dispatcher, 'connect', ports[0], out);
  await shows(page, 'viewer', red, 600);
  await page.evaluate((sink) => probe.watchPictures(sink), 'viewer');
  for (const [port, colour, toneHz] of [[ports[1], green, 1000], [ports[0], red, 600], [ports[1], green, 1000]]) {
    await invoke(dispatcher, 'connect', port, out);
    await shows(page, 'viewer', colour, toneHz);
    await neverFroze(page, 'viewer');
  }
  assert.deepEqual(await conversions(server), {}, 'both sides have the same formats');

  // Messages come from the same port.
  await until(async () => (await page.evaluate(() => probe.channelState('viewer', 'chat')))?.readyState === 'open', 'the channel opens');
  await page.evaluate(() => probe.sendText('one', 'chat', 'from one'));
  await page.evaluate(() => probe.sendText('two', 'chat', 'from two'));
  await until(async () => (await page.evaluate(() => probe.texts('viewer', 'chat'))).length > 0, 'a message arrives');
  assert.deepEqual(await page.evaluate(() => probe.texts('viewer', 'chat')), ['from two']);

  // A source that leaves takes nothing with it but itself.
  await ports[1].release();
  await invoke(dispatcher, 'connect', ports[0], out);
  await shows(page, 'viewer', red, 600);
  await assert.rejects(invoke(dispatcher, 'connect', ports[1], out), (error) => error.code === 40101);
  await dispatcher.release();
  await viewer.release();
});

test('H04: a Dispatcher switches between players of other codecs', async () => {
  const { page, calls, pipeline } = parts;
  const dispatcher = await pipeline.create('Dispatcher');
  const out = await portOf(dispatcher);
  const viewer = await viewerOf(pipeline, calls, 'watcher');
  await invoke(out, 'connect', viewer);
  const players = [];
  for (const [name, colour, toneHz] of [['a.webm', red, 700], ['b.mp4', blue, 1400]]) {
    const path = await makeMedia(directory, name, { colours: [colour], seconds: 60, toneHz });
    const player = await playerOf(pipeline, `file://${path}`);
    players.push({ player, port: await portOf(dispatcher, player), colour, toneHz });
    await invoke(player, 'play');
  }
  for (const { port, colour, toneHz } of [...players, ...players]) {
    await invoke(dispatcher, 'connect', port, out);
    await Promise.all([seesColour(page, 'watcher', colour), hearsTone(page, 'watcher', toneHz)]);
  }
  // What comes out goes in again, while it is switched: the server goes on, and so does the viewer.
  const [{ player, port, colour, toneHz }, other] = players;
  const passThrough = await pipeline.create('PassThrough');
  await invoke(out, 'connect', passThrough);
  await invoke(dispatcher, 'connect', port, out);
  await invoke(passThrough, 'connect', port);
  await invoke(dispatcher, 'connect', other.port, out);
  await invoke(dispatcher, 'connect', port, out);
  await invoke(player, 'connect', port);
  await Promise.all([seesColour(page, 'watcher', colour), hearsTone(page, 'watcher', toneHz)]);
  assert.deepEqual(players.flatMap(({ player }) => player.errors), []);
  for (const { player } of players) await player.release();
  await dispatcher.release();
  await viewer.release();
});

test('H05: all ports of a DispatcherOneToMany get what is chosen, and those that come later', async () => {
  const { page, calls, pipeline, sources } = parts;
  const hub = await pipeline.create('DispatcherOneToMany');
  const ports = [await portOf(hub, sources[0]), await portOf(hub, sources[1])];
  const viewers = [];
  const watch = async (name) => {
    const viewer = await pipeline.create('WebRtcEndpoint');
    await calls.open(name, viewer, { codecs: CODECS });
    await invoke(await portOf(hub), 'connect', viewer);
    viewers.push(viewer);
  };
  await watch('first');
  await invoke(hub, 'setSource', ports[0].id);
  await shows(page, 'first', red, 600);
  await watch('second');
  await shows(page, 'second', red, 600);
  await page.evaluate(() => probe.watchPictures('first'));
  await invoke(hub, 'setSource', ports[1].id);
  await Promise.all(['first', 'second'].map((name) => shows(page, name, green, 1000)));
  await neverFroze(page, 'first');

  await invoke(hub, 'removeSource');
  let [count, since] = [-1, 0];
  await until(async () => {
    const former = count;
    ({ count } = await page.evaluate(() => probe.shownPictures('first')));
    if (count !== former) since = performance.now();
    return performance.now() - since > 1500;
  }, 'nothing is shown any more');
  await invoke(hub, 'setSource', ports[0].id);
  await Promise.all(['first', 'second'].map((name) => shows(page, name, red, 600)));
  await hub.release();
  for (const viewer of viewers) await viewer.release();
});
