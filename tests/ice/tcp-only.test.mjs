// No UDP leaves the server's machine: browsers connect by TCP (RFC 6544).

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';

import { invoke } from '../lib/client.mjs';
import { COLOURS, decodesFrames, hearsTone, isConnected, seesColour, seesMotion } from '../lib/media.mjs';
import { arrangement, pairOf } from '../lib/traversal.mjs';
import { nextEvent, within } from '../lib/wait.mjs';

const parts = arrangement({ browserNat: true }, {}, ({ internet }) => internet.block(undefined, 'meta l4proto udp'));

test('a browser sends and another views by TCP', async () => {
  const { page, client, calls } = parts;
  const pipeline = await client.create('MediaPipeline');
  const [sender, viewer] = [await pipeline.create('WebRtcEndpoint'), await pipeline.create('WebRtcEndpoint')];
  await invoke(sender, 'connect', viewer);
  await calls.open('sender', sender, { send: 'both', receive: false, codecs: { video: 'VP8' } });
  await calls.open('viewer', viewer, {});
  await isConnected(page, 'sender');
  await seesColour(page, 'viewer', COLOURS.red);
  await seesMotion(page, 'viewer');
  await hearsTone(page, 'viewer', 1000);
  for (const endpoint of [sender, viewer]) {
    const { local, remote } = await pairOf(endpoint);
    assert.equal(local.transport, 'tcp', local.text);
    assert.match(local.text, /typ host tcptype passive/);
    assert.equal(remote.transport, 'tcp', remote.text);
  }
  // Other calls go on while one ends.
  await calls.close('viewer');
  await viewer.release();
  assert.equal(await page.evaluate(() => probe.connectionState('sender')), 'connected');
  await pipeline.release();
});

test('strangers at the port harm nobody', async () => {
  const { page, client, calls } = parts;
  const pipeline = await client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  const found = [];
  endpoint.on('IceCandidateFound', ({ candidate }) => found.push(candidate.candidate));
  await invoke(endpoint, 'connect', endpoint);
  await calls.open('among-strangers', endpoint, { send: 'both', codecs: { video: 'VP8' } });
  await seesColour(page, 'among-strangers', COLOURS.red);
  const passive = found.find((text) => text.includes('tcptype passive') && text.includes('198.51.100.10'));
  const port = Number(passive.split(' ')[5]);

  const strangers = [];
  const closed = [];
  for (let number = 0; number < 400; number += 1) {
    const stranger = connect(port, '198.51.100.10');
    strangers.push(stranger);
    // Half of them say nothing, the others nonsense.
    if (number % 2 === 1) {
      closed.push(new Promise((resolve) => stranger.once('close', resolve)));
      stranger.once('connect', () => stranger.write(Buffer.from([0, 20, ...Array(18).fill(number), 0, 0])));
    }
    stranger.on('error', () => {});
  }
  await within(Promise.all(closed), 'who talks nonsense is shown the door');
  await calls.open('newcomer', await pipeline.create('WebRtcEndpoint'), { send: 'both', receive: false, codecs: { video: 'VP8' } });
  await isConnected(page, 'newcomer');
  const { video } = await page.evaluate(() => probe.statistics('among-strangers'));
  await decodesFrames(page, 'among-strangers', video.framesDecoded + 20);
  strangers.forEach((stranger) => stranger.destroy());
  await pipeline.release();
});

test('a server connects to another by TCP, and carries media on', async () => {
  const { page, client, calls } = parts;
  const pipeline = await client.create('MediaPipeline');
  const make = () => pipeline.create('WebRtcEndpoint');
  const [source, offering, answering, viewer] = [await make(), await make(), await make(), await make()];
  const pass = (from, to) =>
    from.on('IceCandidateFound', ({ candidate }) => {
      if (candidate.candidate.includes(' TCP ')) to.addIceCandidate(candidate, () => {});
    });
  pass(offering, answering);
  pass(answering, offering);
  await invoke(source, 'connect', offering);
  await invoke(answering, 'connect', viewer);
  const ready = nextEvent(offering, 'IceComponentStateChanged', ({ state }) => state === 'READY');
  const answer = await invoke(answering, 'processOffer', await invoke(offering, 'generateOffer'));
  await invoke(offering, 'processAnswer', answer);
  await invoke(offering, 'gatherCandidates');
  await invoke(answering, 'gatherCandidates');
  await calls.open('far-source', source, { send: 'both', receive: false, codecs: { video: 'VP8' } });
  await calls.open('far-viewer', viewer, { codecs: { video: 'VP8' } });
  await ready;
  const types = [];
  for (const endpoint of [offering, answering]) {
    const { local } = await pairOf(endpoint);
    assert.equal(local.transport, 'tcp', local.text);
    types.push(local.text.match(/tcptype (\w+)/)[1]);
  }
  assert.deepEqual(types.sort(), ['active', 'passive']);
  await seesColour(page, 'far-viewer', COLOURS.red);
  await seesMotion(page, 'far-viewer');
  await hearsTone(page, 'far-viewer', 1000);
  await pipeline.release();
});

test('iceTcp=false offers no TCP', async () => {
  const pipeline = await parts.client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  assert.equal(await invoke(endpoint, 'getIceTcp'), true);
  await invoke(endpoint, 'setIceTcp', false);
  const found = [];
  endpoint.on('IceCandidateFound', ({ candidate }) => found.push(candidate.candidate));
  const done = nextEvent(endpoint, 'IceGatheringDone');
  await invoke(endpoint, 'generateOffer');
  await invoke(endpoint, 'gatherCandidates');
  await done;
  assert.ok(found.length > 0);
  assert.ok(found.every((text) => text.includes(' UDP ')), found.join('\n'));
  await pipeline.release();
});
