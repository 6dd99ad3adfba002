import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { serveCameras, makePicture } from '../lib/camera.mjs';
import { Calls } from '../lib/calls.mjs';
import { connectClient, invoke } from '../lib/client.mjs';
import { fixtureDirectory, playerOf, playInto, viewerOf } from '../lib/fixtures.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, hearsTone, seesColour } from '../lib/media.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { nextEvent, until } from '../lib/wait.mjs';

const TONE_HZ = 1000;
/** Pictures and packets of sound that a second has to have, of 15 and 50. */
const PICTURES = 10;
const PACKETS = 45;
const SECONDS = 6;

const directory = fixtureDirectory();
const settings = (more) => ({ moduleConfig: { 'kurento/PlayerEndpoint.conf.ini': `noDataTimeout=2\n${more}` } });
let page, calls, pipeline, cameras;
live(settings(''), async ({ client, browser }) => {
  page = await browser.openProbe();
  calls = await Calls.on(page);
  pipeline = await client.create('MediaPipeline');
  cameras = await serveCameras(await makePicture(directory, [COLOURS.blue]), [TONE_HZ]);
});
after(() => cameras?.close());

const uri = (oddity) => `rtsp://127.0.0.1:${cameras.port}/${oddity}`;
const sections = { plain: true, 404: false, 500: false, mute: false, metadata: true, clock: true, timeout: true };

/** Pictures decoded and packets of sound of each viewer until now. */
async function counts(names) {
  const statistics = await Promise.all(names.map((name) => page.evaluate((peer) => probe.statistics(peer), name)));
  const sound = await Promise.all(names.map((name) => page.evaluate((peer) => probe.rawStatistics(peer, 'inbound-rtp', 'audio'), name)));
  return names.map((_, index) => [statistics[index].video?.framesDecoded ?? 0, sound[index]?.packetsReceived ?? 0]);
}

test('pictures and sound come whole, whatever is odd about a camera', async () => {
  const names = Object.keys(sections);
  const players = await Promise.all(
    names.map(async (name) => {
      const viewer = await viewerOf(pipeline, calls, name);
      const player = await playerOf(pipeline, uri(name));
      player.ended = false;
      player.on('EndOfStream', () => (player.ended = true));
      await playInto(player, viewer);
      return player;
    }),
  );
  await Promise.all(names.map((name) => seesColour(page, name, COLOURS.blue)));
  await Promise.all(names.filter((name) => sections[name]).map((name) => hearsTone(page, name, TONE_HZ)));
  const [began, first] = [performance.now(), await counts(names)];
  await until(() => performance.now() - began > SECONDS * 1000, 'some seconds pass');
  const seconds = (performance.now() - began) / 1000;
  const last = await counts(names);
  for (const [index, name] of names.entries()) {
    const [pictures, packets] = last[index].map((count, kind) => (count - first[index][kind]) / seconds);
    assert.ok(pictures >= PICTURES, `${name}: ${pictures} pictures a second`);
    assert.ok(!sections[name] || packets >= PACKETS, `${name}: ${packets} packets of sound a second`);
    assert.deepEqual([players[index].errors, players[index].ended], [[], false], name);
  }
  assert.ok(cameras.requests.includes('GET_PARAMETER /timeout'));
  await Promise.all(players.map((player) => player.release()));
});

test('a camera that falls silent is an error', async () => {
  const player = await playerOf(pipeline, uri('silent'));
  const error = nextEvent(player, 'Error');
  await invoke(player, 'play');
  assert.equal((await error).type, 'RESOURCE_ERROR_READ');
  await until(async () => (await invoke(player, 'getState')) === 'STOP', 'it stops');
  await player.release();
});

test('it is asked again where that is set', async () => {
  const server = await startRivero(settings('reconnect=1\n'));
  const client = await connectClient(server.url);
  const player = await playerOf(await client.create('MediaPipeline'), uri('silent'));
  const plays = () => cameras.requests.filter((request) => request === 'PLAY /silent').length;
  const before = plays();
  await invoke(player, 'play');
  await until(() => plays() >= before + 2, 'the camera is asked again');
  assert.equal(await invoke(player, 'getState'), 'START');
  assert.deepEqual(player.errors, []);
  client.close();
  await server.stop();
});
