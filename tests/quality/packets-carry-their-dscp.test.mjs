// qosDscp and its setting: the mark in the IP headers of all that an endpoint sends.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { startCapture } from '../lib/capture.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, decodesFrames } from '../lib/media.mjs';
import { until } from '../lib/wait.mjs';

const [AF41, CS1, UNMARKED] = [34 << 2, 8 << 2, 0];
const PACKETS = 100;

let capture;
const rivero = live({ moduleConfig: { 'kurento/WebRtcEndpoint.conf.ini': 'qos-dscp=CS1\n' } });
before(async () => {
  capture = await startCapture();
});
after(() => capture.stop());

const of = (family, transport) => (text) => {
  const [, , protocol, , address] = text.split(' ');
  return protocol.toLowerCase() === transport && address.includes(':') === (family === 'v6') && !address.endsWith('.local');
};

/** Protocol and ports of what an endpoint sends. */
async function flowOf(endpoint) {
  const [{ localCandidate, remoteCandidate }] = await until(async () => {
    const pairs = await invoke(endpoint, 'getICECandidatePairs');
    return pairs.length > 0 && pairs;
  }, 'a pair is selected');
  const words = (candidate) => candidate.split(' ');
  return { transport: words(localCandidate)[2].toLowerCase(), from: Number(words(localCandidate)[5]), to: Number(words(remoteCandidate)[5]) };
}

const cases = [
  { title: 'chosen, IPv4', parameters: { qosDscp: 'AF41' }, allows: of('v4', 'udp'), expected: AF41 },
  { title: 'chosen, IPv6', parameters: { qosDscp: 'AF41' }, allows: of('v6', 'udp'), expected: AF41 },
  { title: 'chosen, TCP', parameters: { qosDscp: 'AF41' }, allows: of('v4', 'tcp'), expected: AF41 },
  { title: 'configured', parameters: {}, allows: of('v4', 'udp'), expected: CS1 },
  { title: 'refused', parameters: { qosDscp: 'NO_DSCP' }, allows: of('v4', 'udp'), expected: UNMARKED },
];

test('every packet of an endpoint carries its mark, beside others with other marks', async () => {
  const pipeline = await rivero.client.create('MediaPipeline');
  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  await page.evaluate((colour) => probe.createSource('source', { colour }), COLOURS.green);
  for (const [number, one] of cases.entries()) {
    one.name = `peer-${number}`;
    one.endpoint = await pipeline.create('WebRtcEndpoint', one.parameters);
    await invoke(one.endpoint, 'connect', one.endpoint);
    await calls.open(one.name, one.endpoint, { send: 'source', codecs: { video: 'VP8' }, allows: one.allows });
  }
  for (const { title, name, endpoint, expected } of cases) {
    await decodesFrames(page, name, 20);
    const flow = await flowOf(endpoint);
    assert.equal(flow.transport, title.includes('TCP') ? 'tcp' : 'udp');
    await until(async () => ((await capture.classes(flow))[expected] ?? 0) >= PACKETS, `${title}: ${PACKETS} packets are marked`);
    const classes = await capture.classes(flow);
    // Before a TCP connection has said whose it is, the system answers on its own.
    if (flow.transport === 'tcp') delete classes[UNMARKED];
    assert.deepEqual(Object.keys(classes), [String(expected)], title);
  }
  await pipeline.release();
});
