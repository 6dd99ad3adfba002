// E06: two browsers whose data channels are joined by the pipeline.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Calls } from '../lib/calls.mjs';
import { invoke } from '../lib/client.mjs';
import { live } from '../lib/live.mjs';
import { COLOURS, seesColour } from '../lib/media.mjs';
import { nextEvent, until } from '../lib/wait.mjs';

const CHANNELS = {
  chat: {},
  game: { ordered: false, maxRetransmits: 0, protocol: 'moves' },
  files: { ordered: true },
};

const MEGABYTE = 1_000_000;

let alice;
let bob;
let pipeline;
const rivero = live({}, async () => {
  pipeline = await rivero.client.create('MediaPipeline');
  alice = await party('alice', COLOURS.red);
  bob = await party('bob', COLOURS.blue);
  await invoke(alice.endpoint, 'connect', bob.endpoint);
  await invoke(bob.endpoint, 'connect', alice.endpoint);
});

async function party(name, colour) {
  const page = await rivero.browser.openProbe();
  const calls = await Calls.on(page);
  const endpoint = await pipeline.create('WebRtcEndpoint', { useDataChannels: true });
  const opened = [];
  const closed = [];
  endpoint.on('DataChannelOpened', ({ channelId }) => opened.push(channelId));
  endpoint.on('DataChannelClosed', ({ channelId }) => closed.push(channelId));
  await page.evaluate((shown) => probe.createSource('camera', { colour: shown }), colour);
  await calls.open('me', endpoint, { send: 'camera', channels: CHANNELS });
  return { name, page, calls, endpoint, opened, closed };
}

const state = ({ page }, label) => page.evaluate((channel) => probe.channelState('me', channel), label);
const texts = ({ page }, label) => page.evaluate((channel) => probe.texts('me', channel), label);
const say = ({ page }, label, text) => page.evaluate(([channel, said]) => probe.sendText('me', channel, said), [label, text]);

test('E06: every channel opens, and is told once', async () => {
  for (const person of [alice, bob]) {
    await until(() => person.opened.length === 3, `${person.name}'s channels are told`);
    for (const label of Object.keys(CHANNELS)) {
      await until(async () => (await state(person, label)).readyState === 'open', `${label} opens`);
    }
    const ids = await Promise.all(Object.keys(CHANNELS).map(async (label) => (await state(person, label)).id));
    assert.deepEqual([...person.opened].sort(), ids.sort());
  }
});

test('E06: texts go both ways, each to the channel of its name, in order', async () => {
  for (const [from, to] of [[alice, bob], [bob, alice]]) {
    const said = Array.from({ length: 20 }, (_, number) => `${number} from ${from.name} ✓`);
    for (const text of said) await say(from, 'chat', text);
    await say(from, 'game', 'e2e4');
    await say(from, 'chat', '');
    await until(async () => (await texts(to, 'chat')).length === 21, `${to.name} gets the chat`);
    assert.deepEqual(await texts(to, 'chat'), [...said, '']);
    await until(async () => (await texts(to, 'game')).length === 1, `${to.name} gets the move`);
    assert.deepEqual(await texts(to, 'files'), []);
  }
});

test('E06: a megabyte of binary data arrives intact, in large messages', async () => {
  const piece = 200_000;
  await alice.page.evaluate(([size, length]) => probe.sendBinary('me', 'files', size, length), [MEGABYTE, piece]);
  const received = () => bob.page.evaluate(() => probe.binary('me', 'files'));
  await until(async () => (await received()).size >= MEGABYTE, 'all of it arrives');
  assert.deepEqual(await received(), { size: MEGABYTE, intact: true, messages: MEGABYTE / piece });
});

test('E06: pictures go on beside it', async () => {
  await seesColour(alice.page, 'me', COLOURS.blue);
  await seesColour(bob.page, 'me', COLOURS.red);
});

test('E06: statistics count channels and messages', async () => {
  const stats = Object.values(await invoke(bob.endpoint, 'getStats'));
  const session = stats.find(({ type }) => type === 'session');
  assert.deepEqual([session.dataChannelsOpened, session.dataChannelsClosed], [3, 0]);
  const files = stats.find(({ type, label }) => type === 'datachannel' && label === 'files');
  assert.deepEqual([files.state, files.messagesSent, files.bytesSent], ['open', 5, MEGABYTE]);
});

test('E06: the server opens a channel, and closes it', async () => {
  const opened = nextEvent(alice.endpoint, 'DataChannelOpened');
  await invoke(alice.endpoint, 'createDataChannel', 'from server', false, -1, 3, 'proto');
  const { channelId } = await opened;
  await until(async () => (await state(alice, 'from server'))?.readyState === 'open', 'the browser has it');
  const { id, ordered, maxRetransmits, protocol } = await state(alice, 'from server');
  assert.deepEqual([id, ordered, maxRetransmits, protocol], [channelId, false, 3, 'proto']);
  const closed = nextEvent(alice.endpoint, 'DataChannelClosed', (event) => event.channelId === channelId);
  await invoke(alice.endpoint, 'closeDataChannel', channelId);
  await closed;
  await until(async () => (await state(alice, 'from server')).readyState === 'closed', 'the browser closes it');
});

test('E06: a channel that the browser closes is told once, others go on', async () => {
  const { id } = await state(alice, 'game');
  await alice.page.evaluate(() => probe.closeChannel('me', 'game'));
  await until(() => alice.closed.includes(id), 'the end is told');
  await say(alice, 'chat', 'still here');
  await until(async () => (await texts(bob, 'chat')).includes('still here'), 'the chat goes on');
  assert.equal(alice.closed.filter((channel) => channel === id).length, 1);
  assert.equal(alice.opened.length, 4);
});

test('E06: impossible wishes are refused', async () => {
  await assert.rejects(invoke(alice.endpoint, 'createDataChannel', 'both', true, 100, 3, ''), (error) => error.code === 40107);
  const plain = await pipeline.create('WebRtcEndpoint');
  await assert.rejects(invoke(plain, 'createDataChannel'), (error) => error.code === 40111);
});
