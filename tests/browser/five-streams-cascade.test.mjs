// Five streams from one server to another, each over a connection of its own,
// though the servers have one port a core: nobody's media is taken for another's.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { connectClient, iceCandidate, invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { hearsTone, isConnected, seesColour, seesMotion } from '../lib/media.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { nextEvent } from '../lib/wait.mjs';

const STREAMS = [
  [[200, 30, 30], 600],
  [[30, 200, 30], 800],
  [[30, 30, 200], 1000],
  [[200, 200, 30], 1300],
  [[200, 30, 200], 1600],
].map(([colour, toneHz], number) => ({ name: `stream${number}`, colour, toneHz }));

const other = {};
const rivero = live({}, async () => {
  other.server = await startRivero();
  other.client = await connectClient(other.server.url);
});
after(async () => {
  other.client?.close();
  await other.server?.stop();
});

const trickle = (from, to) =>
  from.on('IceCandidateFound', ({ candidate }) => to.addIceCandidate(iceCandidate(candidate)));

const isUp = (endpoint) => nextEvent(endpoint, 'ConnectionStateChanged', ({ newState }) => newState === 'CONNECTED');

async function connectTrunk(from, to) {
  trickle(from, to);
  trickle(to, from);
  const connected = [from, to].map(isUp);
  const offer = await invoke(from, 'generateOffer');
  const answer = await invoke(to, 'processOffer', offer);
  await invoke(from, 'processAnswer', answer);
  await Promise.all([from, to].map((end) => invoke(end, 'gatherCandidates')));
  await Promise.all(connected);
}

test('each viewer sees and hears its own stream, also when a trunk was replaced', async () => {
  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  const [here, there] = [await rivero.client.create('MediaPipeline'), await other.client.create('MediaPipeline')];
  const trunks = await Promise.all(
    STREAMS.map(async (stream) => {
      const trunk = {
        ...stream,
        presenter: await here.create('WebRtcEndpoint'),
        from: await here.create('WebRtcEndpoint'),
        to: await there.create('WebRtcEndpoint'),
        viewer: await there.create('WebRtcEndpoint'),
      };
      await invoke(trunk.presenter, 'connect', trunk.from);
      await invoke(trunk.to, 'connect', trunk.viewer);
      return trunk;
    }),
  );
  await Promise.all(trunks.map(({ from, to }) => connectTrunk(from, to)));

  for (const { name, colour, toneHz, presenter, viewer } of trunks) {
    const settings = { colour, toneHz, scale: 0.5 };
    await page.evaluate(([source, its]) => probe.createSource(source, its), [name, settings]);
    await calls.open(`presents-${name}`, presenter, { send: name, receive: false, codecs: { video: 'VP8' } });
    await calls.open(name, viewer, {});
  }
  const arrives = async ({ name, colour, toneHz }) => {
    await isConnected(page, name);
    await seesColour(page, name, colour);
    await seesMotion(page, name);
    await hearsTone(page, name, toneHz);
  };
  for (const trunk of trunks) await arrives(trunk);

  // Whoever comes next may have the ports of one that is gone.
  const [first, ...rest] = trunks;
  await Promise.all([first.from.release(), first.to.release()]);
  first.from = await here.create('WebRtcEndpoint');
  first.to = await there.create('WebRtcEndpoint');
  await invoke(first.presenter, 'connect', first.from);
  await invoke(first.to, 'connect', first.viewer);
  await connectTrunk(first.to, first.from);
  for (const trunk of [first, ...rest]) await arrives(trunk);
  assert.deepEqual(page.troubles, []);
  await Promise.all([here.release(), there.release()]);
});
