// Applications written for Kurento 6.x: kurento-client 6.18.0 finds what it had, on
// the server that a client of generation 7 uses at the same time.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';

import { connectClient, invoke, kurentoClient } from '../lib/client.mjs';
import { connectClient6, kurentoClient6 } from '../lib/client-6.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { nextEvent } from '../lib/wait.mjs';

let server;
let old;
let pipeline;

before(async () => {
  server = await startRivero();
  old = await connectClient6(server.url);
});
beforeEach(async () => (pipeline = await old.create('MediaPipeline')));
after(async () => {
  old?.close();
  await server?.stop();
});

/** kurento-client subscribes when a listener comes, and tells nobody when that is done; calls are answered in order. */
async function listen(object, name, listener) {
  object.on(name, listener);
  await invoke(object, 'getName');
}

test('it is another client than that of generation 7, and connects in strict mode', async () => {
  assert.notEqual(kurentoClient6, kurentoClient);
  const pair = (client) => client.getComplexType('IceCandidatePair')({ streamID: '0' });
  assert.ok('streamID' in pair(kurentoClient6));
  assert.ok(!('streamID' in pair(kurentoClient)));
  const info = await (await old.getServerManager()).getInfo();
  assert.equal(info.type, 'KMS');
});

test('candidates come as OnIceCandidate until OnIceGatheringDone', async () => {
  const [caller, callee] = [await pipeline.create('WebRtcEndpoint'), await pipeline.create('WebRtcEndpoint')];
  const candidates = [];
  await listen(caller, 'OnIceCandidate', (event) => candidates.push(event));
  const offer = await invoke(caller, 'generateOffer');
  await invoke(caller, 'processAnswer', await invoke(callee, 'processOffer', offer));
  const done = nextEvent(caller, 'OnIceGatheringDone');
  await invoke(caller, 'gatherCandidates');
  const event = await done;
  assert.equal(event.type, 'OnIceGatheringDone');
  assert.equal(event.timestamp, String(Math.floor(Number(event.timestampMillis) / 1000)));
  assert.ok(candidates.length > 0);
  for (const { type, source, candidate } of candidates) {
    assert.equal(type, 'OnIceCandidate');
    assert.equal(source, caller.id);
    assert.match(candidate.candidate, /^candidate:/);
    assert.equal(typeof candidate.sdpMLineIndex, 'number');
  }
  await pipeline.release();
});

test('every event of generation 6 can be subscribed to', async () => {
  const endpoint = await pipeline.create('WebRtcEndpoint');
  const { events } = endpoint.constructor;
  assert.ok(events.includes('OnDataChannelOpened') && events.includes('MediaFlowInStateChange'));
  // A refused subscription is an 'error' event that has no listener, and fails the test.
  for (const event of events) await listen(endpoint, event, () => {});
  await pipeline.release();
});

test('both generations see the same candidates, each under its names', async () => {
  const endpoint = await pipeline.create('WebRtcEndpoint');
  const modern = await connectClient(server.url);
  const same = await modern.getMediaobjectById(endpoint.id);
  const [seenByOld, seenByNew] = [[], []];
  await listen(endpoint, 'OnIceCandidate', (event) => seenByOld.push(event));
  await listen(same, 'IceCandidateFound', (event) => seenByNew.push(event));
  const done = [nextEvent(endpoint, 'OnIceGatheringDone'), nextEvent(same, 'IceGatheringDone')];
  await invoke(endpoint, 'getName');
  await invoke(same, 'getName');
  await invoke(endpoint, 'generateOffer');
  await invoke(endpoint, 'gatherCandidates');
  await Promise.all(done);
  assert.deepEqual(
    seenByOld.map(({ candidate }) => candidate.candidate),
    seenByNew.map(({ candidate }) => candidate.candidate),
  );
  assert.ok(seenByNew.length > 0);
  for (const event of seenByNew) {
    assert.equal(event.type, 'IceCandidateFound');
    assert.ok(!('timestamp' in event));
  }
  modern.close();
  await pipeline.release();
});

test('childs are the children', async () => {
  const element = await pipeline.create('PassThrough');
  assert.deepEqual(
    (await pipeline.getChilds()).map(({ id }) => id),
    [element.id],
  );
  await pipeline.release();
});

test('output bitrates are encoder bitrates, however they are spelt', async () => {
  const element = await pipeline.create('PassThrough');
  const modern = await connectClient(server.url);
  const same = await modern.getMediaobjectById(element.id);
  await invoke(element, 'setOutputBitrate', 640_000);
  await invoke(element, 'setMinOuputBitrate', 100_000);
  await invoke(element, 'setMaxOutputBitrate', 900_000);
  assert.equal(await invoke(same, 'getEncoderBitrate'), 640_000);
  assert.equal(await invoke(same, 'getMinEncoderBitrate'), 100_000);
  assert.equal(await invoke(same, 'getMaxEncoderBitrate'), 900_000);
  assert.equal(await invoke(element, 'getMinOutputBitrate'), 100_000);
  assert.equal(await invoke(element, 'getMaxOuputBitrate'), 900_000);
  modern.close();
  await pipeline.release();
});

test('the external address is that of its form', async () => {
  const endpoint = await pipeline.create('WebRtcEndpoint');
  const modern = await connectClient(server.url);
  const same = await modern.getMediaobjectById(endpoint.id);
  await invoke(endpoint, 'setExternalAddress', '2001:db8::1');
  assert.equal(await invoke(same, 'getExternalIPv6'), '2001:db8::1');
  assert.equal(await invoke(same, 'getExternalIPv4'), '');
  assert.equal(await invoke(endpoint, 'getExternalAddress'), '2001:db8::1');
  await invoke(endpoint, 'setExternalAddress', '192.0.2.1');
  assert.equal(await invoke(same, 'getExternalIPv4'), '192.0.2.1');
  await invoke(endpoint, 'setExternalAddress', '');
  assert.equal(await invoke(endpoint, 'getExternalAddress'), '');
  modern.close();
  await pipeline.release();
});
