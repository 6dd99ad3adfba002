// E08: events carry the tags of the object that sends them if it is told to, and not otherwise.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { isConnected } from '../lib/media.mjs';
import { until } from '../lib/wait.mjs';

const rivero = live();
const EVENTS = ['IceCandidateFound', 'IceComponentStateChanged', 'MediaStateChanged', 'MediaFlowOutStateChanged'];

/** A loop with a tagged endpoint; the tags of each of its events by their names. */
async function tagsOf(name, enabled) {
  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  const pipeline = await rivero.client.create('MediaPipeline');
  const endpoint = await pipeline.create('WebRtcEndpoint');
  await invoke(endpoint, 'addTag', 'room', 'blue');
  await invoke(endpoint, 'addTag', 'user', name);
  if (enabled !== undefined) await invoke(endpoint, 'setSendTagsInEvents', enabled);
  const told = Object.fromEntries(EVENTS.map((event) => [event, []]));
  for (const event of EVENTS) endpoint.on(event, ({ tags }) => told[event].push(tags));
  await invoke(endpoint, 'connect', endpoint);
  await page.evaluate(() => probe.createSource('camera'));
  await calls.open('me', endpoint, { send: 'camera' });
  await isConnected(page, 'me');
  await until(() => EVENTS.every((event) => told[event].length > 0), 'all events are told');
  await pipeline.release();
  await page.close();
  return Object.values(told).flat();
}

test('E08: events of an endpoint that is told so carry its tags', async () => {
  const plain = (tags) => tags.map(({ key, value }) => [key, value]).sort();
  for (const tags of await tagsOf('alice', true)) {
    assert.deepEqual(plain(tags), [['room', 'blue'], ['user', 'alice']]);
  }
});

for (const enabled of [undefined, false]) {
  test(`E08: with sendTagsInEvents ${enabled ?? 'as it is at first'} they carry none`, async () => {
    for (const tags of await tagsOf('bob', enabled)) assert.deepEqual(tags ?? [], []);
  });
}
