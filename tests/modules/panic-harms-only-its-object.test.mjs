// The fixture module panics in every callback that the host can make. The caller
// gets 40003, the object an Error event, and everybody else notices nothing.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';

import { metric } from '../lib/metrics.mjs';
import { builtModules, startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { until } from '../lib/wait.mjs';

const UNEXPECTED_ERROR = 40003;
const NOT_FOUND = 40101;

let server;
let rpc;
let pipeline;
before(async () => {
  server = await startRivero({ modules: [...builtModules(), 'panics'] });
  rpc = await connectRpc(server.url);
});
beforeEach(async () => {
  rpc.events.length = 0;
  pipeline = await rpc.create('MediaPipeline');
});
after(async () => {
  await rpc?.close();
  await server?.stop();
});

/** An element of the fixture with its Error events subscribed; without `where` it behaves. */
async function panics(where = '') {
  const element = await rpc.create('fixturepanics.Panics', { mediaPipeline: pipeline, where });
  await rpc.value('subscribe', { object: element, type: 'Error' });
  return element;
}

function connect(source, sink) {
  return rpc.invoke(source, 'connect', { sink });
}

/** A way through which packets flow: source -> PassThrough -> sink, and a peer beside it. */
async function neighbours() {
  const [source, sink] = [await panics(), await panics()];
  const between = await rpc.create('PassThrough', { mediaPipeline: pipeline });
  const peer = await rpc.create('WebRtcEndpoint', { mediaPipeline: pipeline });
  await connect(source, between);
  await connect(between, sink);
  return { source, sink, peer };
}

/**
 * Packets get through, elements answer and can be made, and nobody but `culprit` raised an error. `isNew`: the sink has just
 * joined, and is shown the keyframe before as well, if that is fresh.
 */
async function areWell({ source, sink, peer }, culprit, isNew = false) {
  assert.ok(server.running);
  await rpc.invoke(source, 'send', { count: 5 });
  if (isNew) await until(async () => [5, 6].includes(await rpc.invoke(sink, 'getReceived')), '5 packets at the sink');
  else await received(sink, 5);
  assert.match(await rpc.invoke(peer, 'generateOffer'), /^v=0/);
  const fresh = await rpc.create('PassThrough', { mediaPipeline: pipeline });
  await connect(source, fresh);
  const others = rpc.events.filter((event) => event.type === 'Error' && event.object !== culprit);
  assert.deepEqual(others, []);
}

async function received(sink, count) {
  await until(async () => (await rpc.invoke(sink, 'getReceived')) === count, `${count} packets at the sink`);
}

async function errorEvent(element, place) {
  const isTold = (event) => event.type === 'Error' && event.object === element && event.data.description.includes(`panicked in ${place}`);
  const event = await until(() => rpc.events.find(isTold), `Error event about ${place}`);
  assert.equal(event.data.type, 'UNEXPECTED_ELEMENT_ERROR');
  assert.equal(event.data.errorCode, UNEXPECTED_ERROR);
}

/** Log lines that have both texts: where the host met the panic, and what the fixture says of it. */
const logLines = (place, told) => server.log.split('\n').filter((line) => line.includes(place) && line.includes(`told to, in ${told}`));

/** There is no listener for the panic: the log tells it. */
async function isLogged(place, told, count = 1) {
  await until(() => logLines(place, told).length >= count, `${count} log lines about ${place}`);
}

/** Calls an operation that panics. */
async function refused(object, operation, operationParams = {}) {
  const { error } = await rpc.request('invoke', { object, operation, operationParams });
  assert.equal(error?.code, UNEXPECTED_ERROR);
  assert.equal(error.data.type, 'UNEXPECTED_ERROR');
  assert.match(error.message, /the module panicked in /);
}

test('in its constructor: no object comes of it', async () => {
  const others = await neighbours();
  const constructorParams = { mediaPipeline: pipeline, where: 'create' };
  const { error } = await rpc.request('create', { type: 'fixturepanics.Panics', constructorParams });
  assert.equal(error?.code, UNEXPECTED_ERROR);
  assert.match(error.message, /the module panicked in the constructor/);
  const children = await rpc.invoke(pipeline, 'getChildren');
  assert.equal(children.length, Object.keys(others).length + 1);
  await areWell(others);
});

test('in a method: the object goes on answering', async () => {
  const others = await neighbours();
  const element = await panics();
  await refused(element, 'panic');
  await errorEvent(element, 'panic');
  assert.equal(await rpc.invoke(element, 'echo', { text: 'still here' }), 'still here');
  await areWell(others, element);
});

test('in every method of an object', async () => {
  const others = await neighbours();
  const element = await panics('invoke');
  await refused(element, 'echo', { text: 'x' });
  await refused(element, 'getReceived');
  await errorEvent(element, 'echo');
  await areWell(others, element);
});

test('in statistics', async () => {
  const others = await neighbours();
  const element = await panics('stats');
  await refused(element, 'getStats');
  await errorEvent(element, 'stats');
  await areWell(others, element);
});

for (const where of ['packets', 'group']) {
  test(`when packets arrive (${where}): the producer and its other consumers go on`, async () => {
    const others = await neighbours();
    const element = await panics(where);
    await connect(others.source, element);
    const second = await panics();
    await connect(others.source, second);
    await rpc.invoke(others.source, 'send', { count: 3 });
    if (where === 'packets') await errorEvent(element, 'packets');
    else await isLogged('push_batch', 'Group');
    await received(second, 3);
    await received(others.sink, 3);
    assert.equal(await rpc.invoke(element, 'getReceived'), 3);
    await rpc.invoke(others.source, 'disconnect', { sink: others.sink });
    others.sink = await panics();
    await connect(others.source, others.sink);
    await areWell(others, element, true);
  });
}

test('when it is told the format that will arrive', async () => {
  const others = await neighbours();
  const element = await panics('format');
  await connect(others.source, element);
  await errorEvent(element, 'format');
  await areWell(others, element);
});

for (const where of ['upstream', 'consumers']) {
  test(`when it gets a consumer (${where})`, async () => {
    const others = await neighbours();
    const element = await panics(where);
    const consumer = await panics();
    await connect(element, consumer);
    await errorEvent(element, where);
    await rpc.invoke(element, 'send', { count: 2 });
    await received(consumer, 2);
    await areWell(others, element);
  });
}

test('in a timer of the module: later timers run', async () => {
  const others = await neighbours();
  for (const count of [1, 2]) {
    const element = await panics('timer');
    await isLogged('a timer', 'Timer', count);
    assert.equal(await rpc.invoke(element, 'echo', { text: 'x' }), 'x');
  }
  await areWell(others);
});

test('in a timer of an object: it hears of it, each time', async () => {
  const others = await neighbours();
  const element = await panics('timer');
  for (let round = 0; round < 2; round += 1) {
    rpc.events.length = 0;
    await rpc.invoke(element, 'send', { count: 0 });
    await errorEvent(element, 'a timer');
  }
  await areWell(others, element);
});

test('in the destructor of a cancelled timer', async () => {
  const others = await neighbours();
  const element = await panics('timerDrop');
  await isLogged('in a destructor', 'TimerDrop');
  assert.equal(await rpc.invoke(element, 'echo', { text: 'x' }), 'x');
  await areWell(others);
});

test('all of them are counted by place', async () => {
  assert.ok((await metric(server, 'rivero_panics_total', { place: 'a module' })) > 0);
  for (const place of ['a timer', 'a destructor', 'push_batch']) {
    assert.ok((await metric(server, 'rivero_fixturepanics_panics_total', { place })) > 0, place);
  }
});

for (const [where, place, told] of [
  ['released', 'place=released', 'Released'],
  ['drop', 'in a destructor', 'Drop'],
  ['handlerDrop', 'in a destructor', 'HandlerDrop'],
]) {
  test(`when it ends (${where}): it is gone, and its links with it`, async () => {
    const others = await neighbours();
    const element = await panics(where);
    await connect(others.source, element);
    const sinks = async () => (await rpc.invoke(others.source, 'getSinkConnections', { mediaType: 'VIDEO' })).map(({ sink }) => sink);
    const before = await sinks();
    assert.ok(before.includes(element));
    await rpc.value('release', { object: element });
    await isLogged(place, told);
    const { error } = await rpc.request('invoke', { object: element, operation: 'getName', operationParams: {} });
    assert.equal(error.code, NOT_FOUND);
    assert.deepEqual(await sinks(), before.filter((sink) => sink !== element));
    await areWell(others, element);
  });
}

test('in a hub, when a port comes, which is refused for that', async () => {
  const others = await neighbours();
  const hub = await rpc.create('fixturepanics.PanicsHub', { mediaPipeline: pipeline, where: 'portAdded' });
  await rpc.value('subscribe', { object: hub, type: 'Error' });
  const { error } = await rpc.request('create', { type: 'HubPort', constructorParams: { hub } });
  assert.equal(error.code, 40003);
  assert.match(error.message, /panicked in port_added/);
  await errorEvent(hub, 'port_added');
  await areWell(others, hub);
});

test('in a hub, when a port goes', async () => {
  const others = await neighbours();
  const hub = await rpc.create('fixturepanics.PanicsHub', { mediaPipeline: pipeline, where: 'portRemoved' });
  await rpc.value('subscribe', { object: hub, type: 'Error' });
  const port = await rpc.create('HubPort', { hub });
  await rpc.value('release', { object: port });
  await errorEvent(hub, 'port_removed');
  await areWell(others, hub);
});

test('the pipeline is released with all its objects', async () => {
  for (const where of ['released', 'drop', 'handlerDrop', 'format', 'consumers']) await panics(where);
  const others = await neighbours();
  await rpc.value('release', { object: pipeline });
  const { error } = await rpc.request('invoke', { object: others.source, operation: 'getName', operationParams: {} });
  assert.equal(error.code, NOT_FOUND);
  pipeline = await rpc.create('MediaPipeline');
  await areWell(await neighbours());
});
