// What Java's client (netty) needs of the transport, frame by frame: a short handshake
// without extensions, frames of at most 1,000,000 bytes that split no character, no
// pings, and no need for pongs.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { connectFrames, OPCODES } from '../lib/frames.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { until } from '../lib/wait.mjs';

const FRAME_LIMIT = 1_000_000;
const HANDSHAKE_LIMIT = 8_192;

let server;
// Names and tags are the longest texts that a client gets back as it gave them.
before(async () => (server = await startRivero({ config: { limits: { object: { labelBytes: 16_000_000 } } } })));
after(() => server?.stop());

test('the response to the handshake is short, and declines permessage-deflate', async () => {
  const wire = await connectFrames(server.port, ['Sec-WebSocket-Extensions: permessage-deflate', 'Sec-WebSocket-Protocol: x', `Origin: http://127.0.0.1:1`]);
  assert.match(wire.handshake, /^HTTP\/1\.1 101 /);
  assert.ok(wire.handshake.length < HANDSHAKE_LIMIT);
  assert.doesNotMatch(wire.handshake, /Sec-WebSocket-(Extensions|Protocol)/i);
  assert.equal((await wire.request(1, 'ping', { interval: 240_000 })).result.value, 'pong');
  const [frame] = wire.frames;
  assert.deepEqual([frame.final, frame.reserved, frame.masked, frame.opcode], [true, 0, false, OPCODES.text]);
  wire.close();
});

// Characters of one to four bytes, so that 1,000,000 falls inside one at some place.
for (const [width, character] of [[1, 'a'], [2, 'é'], [3, '€'], [4, '\u{1f600}']]) {
  test(`a reply of 3 MB in characters of ${width} bytes comes in frames that can be decoded one by one`, async () => {
    const wire = await connectFrames(server.port);
    const pipeline = (await wire.request(1, 'create', { type: 'MediaPipeline', constructorParams: {}, properties: {} })).result.value;
    const name = `x${character.repeat(3_000_000 / width)}`;
    await wire.request(2, 'invoke', { object: pipeline, operation: 'setName', operationParams: { name } });
    wire.send(OPCODES.text, JSON.stringify({ jsonrpc: '2.0', id: 3, method: 'invoke', params: { object: pipeline, operation: 'getName' } }));
    const frames = await wire.message();
    assert.ok(frames.length > 3);
    assert.deepEqual(frames.map(({ opcode }) => opcode), [OPCODES.text, ...frames.slice(1).map(() => OPCODES.continuation)]);
    const decoder = new TextDecoder('utf-8', { fatal: true });
    const texts = frames.map(({ payload }) => (assert.ok(payload.length <= FRAME_LIMIT, `${payload.length} bytes`), decoder.decode(payload)));
    assert.equal(JSON.parse(texts.join('')).result.value, name);
    wire.close();
  });
}

test('events are split like replies', async () => {
  const wire = await connectFrames(server.port);
  const pipeline = (await wire.request(1, 'create', { type: 'MediaPipeline' })).result.value;
  const element = (await wire.request(2, 'create', { type: 'PassThrough', constructorParams: { mediaPipeline: pipeline } })).result.value;
  await wire.request(3, 'subscribe', { object: element, type: 'ElementConnected' });
  const value = '€'.repeat(700_000);
  await wire.request(4, 'invoke', { object: element, operation: 'addTag', operationParams: { key: 'k', value } });
  await wire.request(5, 'invoke', { object: element, operation: 'setSendTagsInEvents', operationParams: { sendTagsInEvents: true } });
  const params = { object: element, operation: 'connect', operationParams: { sink: element, mediaType: 'AUDIO' } };
  wire.send(OPCODES.text, JSON.stringify({ jsonrpc: '2.0', id: 6, method: 'invoke', params }));
  const messages = [await wire.message(), await wire.message()];
  const event = messages.find((frames) => frames.length > 1);
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const text = event.map(({ payload }) => (assert.ok(payload.length <= FRAME_LIMIT), decoder.decode(payload))).join('');
  assert.equal(JSON.parse(text).params.value.data.tags[0].value, value);
  wire.close();
});

test('a request in fragments and a request in a binary frame are requests', async () => {
  const wire = await connectFrames(server.port);
  const text = Buffer.from('{"jsonrpc":"2.0","id":"é","method":"ping"}');
  const inside = text.indexOf('é') + 1;
  wire.send(OPCODES.text, text.subarray(0, inside), false);
  wire.send(OPCODES.continuation, text.subarray(inside, inside + 5), false);
  wire.send(OPCODES.continuation, text.subarray(inside + 5));
  assert.equal((await wire.json()).id, 'é');
  wire.send(OPCODES.binary, '{"jsonrpc":"2.0","id":2,"method":"ping"}');
  assert.equal((await wire.json()).id, 2);
  wire.close();
});

test('31 MB are taken, 33 MB are closed with 1009', async () => {
  const wire = await connectFrames(server.port);
  const ping = (bytes) => `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"${'x'.repeat(bytes)}"}}`;
  wire.send(OPCODES.text, ping(31_000_000));
  assert.equal((await wire.json()).result.value, 'pong');
  wire.send(OPCODES.text, ping(33_000_000));
  const { opcode, payload } = await wire.frame();
  assert.deepEqual([opcode, payload.readUInt16BE()], [OPCODES.close, 1009]);
  wire.close();
  const other = await connectRpc(server.url);
  assert.equal((await other.request('ping')).result.value, 'pong');
  await other.close();
});

test('an idle connection that answers no ping outlives the collector, and is sent none', async () => {
  const eager = await startRivero({ config: { resources: { garbageCollectorPeriod: 1 } } });
  const wire = await connectFrames(eager.port);
  const pipeline = (await wire.request(1, 'create', { type: 'MediaPipeline' })).result.value;
  const before = wire.frames.length;

  // The collector's passes are seen by the end of sessions that went away one after the other.
  const observer = await connectRpc(eager.url);
  for (let pass = 0; pass < 3; pass++) {
    const gone = await connectRpc(eager.url);
    await gone.create('MediaPipeline');
    const { sessionId } = gone;
    await gone.close();
    await until(async () => !(await observer.invoke('manager_ServerManager', 'getSessions')).includes(sessionId), 'a session ends');
  }
  assert.ok(!wire.closed);
  assert.equal((await wire.request(2, 'invoke', { object: pipeline, operation: 'getName' })).result.value, pipeline);
  assert.equal(wire.frames.length, before + 1, 'nothing came unasked');
  wire.close();
  await observer.close();
  await eager.stop();
});

test('the server answers a ping frame, and a closing handshake', async () => {
  const wire = await connectFrames(server.port);
  wire.send(OPCODES.ping, 'are you there');
  const pong = await wire.frame();
  assert.deepEqual([pong.opcode, pong.payload.toString()], [OPCODES.pong, 'are you there']);
  wire.send(OPCODES.close, Buffer.from([3, 232]));
  assert.equal((await wire.frame()).opcode, OPCODES.close);
});
