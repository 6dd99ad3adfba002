// A01 and what Kurento's suites do not ask: malformed messages are answered, and the
// connection goes on.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';

let server;
before(async () => (server = await startRivero()));
after(() => server?.stop());

/** The replies to messages that name no request, and proof that the connection goes on. */
async function repliesTo(rpc, ...texts) {
  for (const text of texts) rpc.sendText(text);
  assert.equal((await rpc.request('ping')).result.value, 'pong');
  return rpc.nameless.splice(0);
}

/** On a connection without a session, and on one that has created a pipeline. */
for (const state of ['fresh', 'in a session']) {
  const connect = async () => {
    const rpc = await connectRpc(server.url);
    if (state === 'in a session') await rpc.create('MediaPipeline');
    return rpc;
  };

  test(`A01 a request with jsonrpc "1" is -32600 with a message (${state})`, async () => {
    const rpc = await connect();
    const [{ error, id }] = await repliesTo(rpc, '{"jsonrpc":"1","id":1,"method":"ping","params":{}}');
    assert.deepEqual([id, error.code], [null, -32600]);
    assert.ok(error.message.length > 0);
    await rpc.close();
  });

  test(`what is no JSON is -32700, what is no request -32600 (${state})`, async () => {
    const rpc = await connect();
    const noJson = ['', '{', '\u{feff}{}', '{"a":1,}', '\u0001\u0002'];
    const noRequest = ['[]', '[{"jsonrpc":"2.0","id":1,"method":"ping"}]', '"x"', '5', 'true', 'null', '{}', '{"jsonrpc":"2.0","id":1,"method":5}'];
    const codes = (await repliesTo(rpc, ...noJson, ...noRequest)).map(({ error }) => error.code);
    assert.deepEqual(codes, [...noJson.map(() => -32700), ...noRequest.map(() => -32600)]);
    await rpc.close();
  });

  test(`params that are no object are -32603 with the id of the request (${state})`, async () => {
    const rpc = await connect();
    for (const params of ['x', 5, [1], true]) {
      const { error } = await rpc.request('create', params);
      assert.equal(error.code, -32603);
    }
    await rpc.close();
  });

  test(`B01 a notification without a result is answered with an empty message, others with an error (${state})`, async () => {
    const rpc = await connect();
    const [odd] = await repliesTo(rpc, '{"jsonrpc":"2.0","method":"ping"}');
    assert.equal(odd.error.code, -32000);
    assert.equal(odd.error.message, 'Ignoring response because of a notification request');
    assert.deepEqual(await repliesTo(rpc, '{"jsonrpc":"2.0","method":"closeSession","params":{"sessionId":"nobody"}}'), [undefined]);
    await rpc.close();
  });

  test(`comments, duplicate members, text behind the value and binary messages are accepted (${state})`, async () => {
    const rpc = await connect();
    const texts = ['{"jsonrpc":"2.0",/* c */"id":1,"method":"ping"} // c', '{"jsonrpc":"2.0","id":0,"id":2,"method":"ping"}', '{"jsonrpc":"2.0","id":3,"method":"ping"} rest'];
    const answered = rpc.next(texts.length + 1);
    for (const text of texts) rpc.sendText(text);
    rpc.sendText(Buffer.from('{"jsonrpc":"2.0","id":4,"method":"ping"}'));
    assert.deepEqual((await answered).map(({ id, result }) => [id, result.value]), [1, 2, 3, 4].map((id) => [id, 'pong']));
    await rpc.close();
  });
}

test('an unknown method is -32601 without data', async () => {
  const rpc = await connectRpc(server.url);
  const { error } = await rpc.request('noSuchMethod');
  assert.deepEqual(error, { code: -32601, message: 'Method not found.' });
  await rpc.close();
});

test('missing params are -32602 on a fresh connection, missing members -32000', async () => {
  const rpc = await connectRpc(server.url);
  const { error } = await rpc.request('create', null);
  assert.deepEqual(error, { code: -32602, data: { type: 'INVALID_PARAMS' }, message: "'params' is required" });
  const missing = await rpc.request('describe', {});
  assert.deepEqual(missing.error, { code: -32000, message: "'object' parameter is required" });
  const wrong = await rpc.request('describe', { object: [] });
  assert.deepEqual(wrong.error, { code: -32000, message: "'object' parameter should be a string" });
  await rpc.close();
});
