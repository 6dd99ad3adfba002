// A07, A08, C10, D10: `transaction`. The transaction code of kurento-client for
// JavaScript does not run on today's Node (it calls a class without `new`), so this is
// what it, and Java's, would send: client objects as they serialise included.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import { MANAGER } from '../lib/model.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { until } from '../lib/wait.mjs';

/** A client and a media object of JavaScript's client, as JSON. */
const CLIENT = { _events: { disconnect: [null, null] }, _eventsCount: 1, domain: null };
const OBJECT = { _events: {}, _eventsCount: 2, _maxListeners: null };

let server;
let rpc;
before(async () => (server = await startRivero()));
beforeEach(async () => (rpc = await connectRpc(server.url)));
afterEach(() => rpc.close());
after(() => server?.stop());

const create = (type, constructorParams = {}) => ({ method: 'create', params: { type, constructorParams, properties: {}, object: OBJECT } });
const invoke = (object, operation, operationParams) => ({ method: 'invoke', params: { object, operation, operationParams } });
const numbered = (operations) => operations.map((operation, id) => ({ ...operation, jsonrpc: '2.0', id }));

const commit = (...operations) => rpc.request('transaction', { object: CLIENT, operations: numbered(operations) });
const responses = async (...operations) => (await commit(...operations)).result.value;
const pipelines = () => rpc.invoke(MANAGER, 'getPipelines');

test('A07 a reference to a pipeline that does not exist is a result with the error in it', async () => {
  const nowhere = '00000000-0000-0000-0000-000000000000_kurento.MediaPipeline';
  const { result } = await commit({ ...create('PassThrough', { mediaPipeline: nowhere }), junk: { a: [1, null] } });
  assert.equal(result.value.length, 1);
  assert.equal(result.value[0].id, 0);
  assert.deepEqual(result.value[0].error, { code: 40101, data: { type: 'MEDIA_OBJECT_NOT_FOUND' }, message: `Object '${nowhere}' not found` });
});

test('A08 D10 pipeline, two elements and their connection in one', async () => {
  const { factories } = (await rpc.invoke(MANAGER, 'getInfo')).modules.find(({ name }) => name === 'elements');
  const source = factories.includes('PlayerEndpoint') ? create('PlayerEndpoint', { mediaPipeline: 'newref:0', uri: 'file:///nonexistent/x.webm' }) : create('PassThrough', { mediaPipeline: 'newref:0' });
  const { result } = await commit(create('MediaPipeline'), source, create('WebRtcEndpoint', { mediaPipeline: 'newref:0' }), invoke('newref:1', 'connect', { sink: 'newref:2' }));
  assert.equal(result.sessionId, rpc.sessionId);
  assert.equal(result.value.length, 4);
  assert.deepEqual(result.value.map(({ id, jsonrpc, error }) => [id, jsonrpc, error]), [0, 1, 2, 3].map((id) => [id, '2.0', undefined]));
  assert.equal(result.value[3].result.value, null);
  const [pipeline, player, endpoint] = result.value.map((entry) => entry.result.value);
  assert.ok(player.startsWith(`${pipeline}/`));
  const connections = await rpc.invoke(endpoint, 'getSourceConnections');
  assert.deepEqual(new Set(connections.map(({ source: from }) => from)), new Set([player]));
});

test('D10 C10 ids after the commit are those of objects that live on', async () => {
  const [{ result }] = await responses(create('MediaPipeline'));
  assert.equal(await rpc.invoke(result.value, 'getName'), result.value);
  const described = await rpc.request('describe', { object: result.value });
  assert.equal(described.result.qualifiedType, 'kurento.MediaPipeline');
});

test('D10 C10 mixed creations and calls on objects of this transaction and of before', async () => {
  const before_ = await rpc.create('MediaPipeline');
  const answers = await responses(
    create('PassThrough', { mediaPipeline: before_ }),
    invoke('newref:0', 'setName', { name: 'made in a transaction' }),
    invoke('newref:0', 'getName'),
    invoke(before_, 'getChildren'),
    { method: 'describe', params: { object: 'newref:0' } },
  );
  const values = answers.map(({ result }) => result.value);
  assert.deepEqual(values.slice(1, 4), [null, 'made in a transaction', [values[0]]]);
  assert.equal(answers[4].result.type, 'PassThrough');
});

test('D10 C10 several transactions in a row and at once', async () => {
  const first = await responses(create('MediaPipeline'));
  const pipeline = first[0].result.value;
  const all = await Promise.all(Array.from({ length: 10 }, () => responses(create('PassThrough', { mediaPipeline: pipeline }), invoke('newref:0', 'getParent'))));
  const made = all.map(([element, parent]) => (assert.equal(parent.result.value, pipeline), element.result.value));
  assert.equal(new Set(made).size, 10);
  assert.deepEqual(new Set(await rpc.invoke(pipeline, 'getChildren')), new Set(made));
});

test('D10 C10 the first error ends it: what was made stays, what follows is not executed', async () => {
  const count = (await pipelines()).length;
  const answers = await responses(create('MediaPipeline'), create('NoSuchClass'), create('MediaPipeline'));
  assert.equal(answers.length, 2);
  assert.equal(answers[1].error.code, 40108);
  assert.equal(answers[1].error.data.type, 'MEDIA_OBJECT_NOT_AVAILABLE');
  assert.equal((await pipelines()).length, count + 1);
});

test('D10 C10 a rollback is the client’s own: nothing was sent, so nothing exists', async () => {
  // A rollback by the user never reaches the server; an object without commit has no id there.
  const { error } = await rpc.request('invoke', { object: 'newref:0', operation: 'getName' });
  assert.equal(error.code, 40109);
  assert.equal(error.data.type, 'MEDIA_OBJECT_NOT_FOUND_TRANSACTION_NO_COMMIT');
  const sink = await rpc.create('PassThrough', { mediaPipeline: await rpc.create('MediaPipeline') });
  const operand = await rpc.request('invoke', { object: sink, operation: 'connect', operationParams: { sink: 'newref:3' } });
  assert.equal(operand.error.code, 40109);
});

test('D10 an empty transaction is a list without entries', async () => {
  assert.deepEqual(await responses(), []);
});

test('D10 references in a subscription, a release, lists and maps', async () => {
  const answers = await responses(
    create('MediaPipeline'),
    create('PassThrough', { mediaPipeline: 'newref:0' }),
    { method: 'subscribe', params: { object: 'newref:1', type: 'ElementConnected' } },
    invoke('newref:1', 'connect', { sink: 'newref:1', mediaType: 'VIDEO' }),
    create('PassThrough', { mediaPipeline: 'newref:0' }),
    { method: 'release', params: { object: 'newref:4' } },
    invoke('newref:0', 'getChildren'),
  );
  const element = answers[1].result.value;
  assert.equal(typeof answers[2].result.value, 'string');
  assert.deepEqual(answers[6].result.value, [element]);
  await until(() => rpc.events.length > 0, 'the event arrives');
  assert.deepEqual([rpc.events[0].object, rpc.events[0].data.sink], [element, element]);
});

test('D10 a list of creations, as from a list of descriptors', async () => {
  const count = 200;
  const answers = await responses(create('MediaPipeline'), ...Array.from({ length: count }, () => create('PassThrough', { mediaPipeline: 'newref:0' })));
  assert.equal(answers.length, count + 1);
  assert.equal((await rpc.invoke(answers[0].result.value, 'getChildren')).length, count);
});

test('D10 a transaction before anything else on the connection begins the session', async () => {
  const early = await connectRpc(server.url);
  const { result } = await early.request('transaction', { operations: numbered([create('MediaPipeline')]) });
  assert.equal(typeof result.sessionId, 'string');
  assert.equal(await early.invoke(result.value[0].result.value, 'getName'), result.value[0].result.value);
  await early.close();
});

test('C10 operations belong to the session of the transaction, whatever they say', async () => {
  const foreign = { ...create('MediaPipeline') };
  foreign.params.sessionId = 'another';
  const { result } = await rpc.request('transaction', { operations: numbered([foreign]), sessionId: 'of the transaction' });
  assert.equal(result.sessionId, 'of the transaction');
  await rpc.request('closeSession', { sessionId: 'another' });
  const pipeline = result.value[0].result.value;
  assert.equal((await rpc.request('describe', { object: pipeline, sessionId: 'of the transaction' })).result.type, 'MediaPipeline');
});

test('ids are the places in the list, as numbers or texts; otherwise nothing is executed', async () => {
  const count = (await pipelines()).length;
  const asText = await rpc.request('transaction', { operations: [{ ...create('MediaPipeline'), jsonrpc: '2.0', id: '0' }] });
  assert.equal(asText.result.value[0].id, '0');
  const { error } = await rpc.request('transaction', { operations: [{ ...create('MediaPipeline'), jsonrpc: '2.0', id: 5 }] });
  assert.deepEqual(error, { code: 40008, data: { type: 'MALFORMED_TRANSACTION' }, message: "Id of request '0' should be '0'" });
  assert.equal((await pipelines()).length, count + 1);
});

for (const [reference, message] of [['newref:abc', "Invalid index of newref 'abc'"], ['newref:7', 'Result not found on request 7'], ['newref:1', 'Result not found on request 1']]) {
  test(`a reference to ${reference} fails the transaction with 40008`, async () => {
    const { error } = await commit(create('MediaPipeline'), invoke(reference, 'getName'));
    assert.deepEqual(error, { code: 40008, data: { type: 'MALFORMED_TRANSACTION' }, message });
  });
}
