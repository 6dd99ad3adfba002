// The hostile loads: each is what one client, or a page that got hold of the socket, can send.

import { createServer } from 'node:http';

import { MANAGER, pause } from './aim.mjs';

/** Just below the largest message that is taken. */
const LARGE = 31_000_000;
const HANDSHAKE = 'GET /kurento HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n';

const kmd = { object: MANAGER, operation: 'getKmd', operationParams: { moduleName: 'core' } };
const repeated = (text) => text.repeat(Math.floor(LARGE / text.length));

/** Values that make a message large. */
const CONTENTS = {
  objects: () => `[${repeated('{"":0},')}0]`,
  zeros: () => `[${repeated('0,')}0]`,
  lists: () => `[${repeated('[],')}0]`,
  nesting: () => '['.repeat(LARGE / 2) + ']'.repeat(LARGE / 2),
  string: () => `"${'x'.repeat(LARGE)}"`,
  escapes: () => `"${repeated('\\u00e9')}"`,
  number: () => '7'.repeat(LARGE),
  keys: () => `{${Array.from({ length: LARGE / 13 }, (_, index) => `"k${index}":0`).join(',')}}`,
};

/** Large messages, of each content at two connections at once. */
function messages(contents) {
  return async (aim) => {
    for (const content of contents) {
      const value = CONTENTS[content]();
      const shots = await aim.openMany(2);
      await Promise.all(
        shots.map(async (shot) => {
          await shot.send(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":${value}}}`);
          await shot.answered();
          shot.socket.terminate();
        }),
      );
    }
  };
}

/** A transaction of so many bytes of getKmd, each of which has a large answer. */
function transaction(bytes) {
  return async (aim) => {
    const [shot] = await aim.openMany(1);
    const operation = (id) => ({ id, jsonrpc: '2.0', method: 'invoke', params: kmd });
    const count = Math.floor(bytes / JSON.stringify(operation(1_000)).length);
    await shot?.request('transaction', { operations: Array.from({ length: count }, (_, id) => operation(id)) });
    await shot?.answered();
    // A refusal comes at once, and the load would be over before anybody else was served beside it.
    await pause(1_000);
  };
}

async function unfinishedMessages(aim) {
  const piece = Buffer.alloc(1_000_000, 'x');
  const shots = await aim.openMany(20);
  await Promise.all(
    shots.map(async ({ socket }) => {
      socket.send('{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"', { fin: false });
      for (let sent = 0; sent < LARGE - piece.length && socket.readyState === socket.OPEN && !aim.isOver; sent += piece.length) {
        await new Promise((resolve) => socket.send(piece, { fin: false }, resolve));
      }
    }),
  );
  await pause(5_000);
}

/**
 * A reply stays with its session for whoever asks again: sixty in as many sessions, of a name and of a transaction, as
 * large as either may be.
 */
async function repeatedIds(aim) {
  const [shot] = await aim.openMany(1);
  const object = await shot?.create('MediaPipeline');
  if (!object) return;
  for (const length of [LARGE, 1_000_000, 10_000]) {
    await shot.request('invoke', { object, operation: 'setName', operationParams: { name: 'x'.repeat(length) } });
    await shot.answered();
  }
  const operations = (count) => Array.from({ length: count }, (_, id) => ({ id, jsonrpc: '2.0', method: 'invoke', params: kmd }));
  for (let session = 0; session < 60 && shot.isOpen && !aim.isOver; session += 1) {
    const sessionId = `chosen ${session}`;
    await shot.request('invoke', { object, operation: 'getName', sessionId });
    for (const count of [200, 50]) await shot.request('transaction', { operations: operations(count), sessionId });
    await shot.answered();
  }
}

async function deafClients(aim) {
  const shots = await aim.openMany(1_000);
  for (const shot of shots) shot.socket.pause();
  for (let round = 0; round < 50 && !aim.isOver; round += 1) {
    for (const shot of shots) if (shot.isOpen) shot.socket.send(shot.text('invoke', kmd));
    await pause(20);
  }
  await pause(3_000);
}

/** More connections than the server may have files: silent ones, halves of heads, and WebSockets. */
async function idleConnections(aim) {
  const sockets = [];
  for (let round = 0; round < 80 && !aim.isOver; round += 1) {
    for (let index = 0; index < 50; index += 1) sockets.push(aim.raw(round % 4 === 0 ? HANDSHAKE : ''));
    await pause(30);
  }
  await aim.openMany(1_000);
  await pause(5_000);
  for (const socket of sockets) socket.destroy();
}

async function sessions(aim) {
  const [shot] = await aim.openMany(1);
  await shot?.volley(100_000, (index) => ['describe', { object: MANAGER, sessionId: `chosen ${index}` }]);
}

/** Every session that names a pipeline holds it and all that is in it; then it is released. */
async function heldByManySessions(aim) {
  const [shot] = await aim.openMany(1);
  const mediaPipeline = await shot?.create('MediaPipeline');
  if (!mediaPipeline) return;
  await shot.volley(200, () => ['create', { type: 'PassThrough', constructorParams: { mediaPipeline } }]);
  await shot.volley(50_000, (index) => ['describe', { object: mediaPipeline, sessionId: `chosen ${index}` }]);
  await shot.request('release', { object: mediaPipeline });
  await shot.answered();
}

async function subscribers(aim) {
  const [shot] = await aim.openMany(1);
  await shot?.volley(20_000, (index) => ['subscribe', { object: MANAGER, type: 'ObjectCreated', sessionId: `chosen ${index}` }]);
  await shot?.volley(100, () => ['create', { type: 'MediaPipeline' }]);
}

async function subscriptions(aim) {
  const [shot] = await aim.openMany(1);
  await shot?.volley(200_000, () => ['subscribe', { object: MANAGER, type: 'ObjectCreated' }]);
  await shot?.volley(20, () => ['create', { type: 'MediaPipeline' }]);
}

async function pipelines(aim) {
  const shots = await aim.openMany(4);
  await Promise.all(shots.map((shot) => shot.volley(75_000, () => ['create', { type: 'MediaPipeline' }])));
}

async function namesAndTags(aim) {
  const [shot] = await aim.openMany(1);
  const name = 'n'.repeat(5_000_000);
  for (let index = 0; index < 100 && shot?.isOpen && !aim.isOver; index += 1) {
    const object = await shot.create('MediaPipeline');
    if (!object) return;
    await shot.request('invoke', { object, operation: 'setName', operationParams: { name } });
  }
  const object = await shot?.create('MediaPipeline');
  await shot?.volley(100_000, (index) => ['invoke', { object, operation: 'addTag', operationParams: { key: `key ${index}`, value: 'v'.repeat(1_000) } }]);
}

/** Sixty-four uploads to a server that never answers; `file` is what plays. */
async function hangingUploads(aim, { file }) {
  const deaf = createServer((request) => request.on('data', () => {}));
  await new Promise((resolve) => deaf.listen(0, '127.0.0.1', resolve));
  const uri = (index) => `http://127.0.0.1:${deaf.address().port}/recording-${index}.webm`;
  const [shot] = await aim.openMany(1);
  const mediaPipeline = await shot?.create('MediaPipeline');
  const player = mediaPipeline && (await shot.create('PlayerEndpoint', { mediaPipeline, uri: `file://${file}`, useEncodedMedia: true }));
  const recorders = [];
  for (let index = 0; player && index < 64 && !aim.isOver; index += 1) {
    const recorder = await shot.create('RecorderEndpoint', { mediaPipeline, uri: uri(index), mediaProfile: 'WEBM_VIDEO_ONLY' });
    if (!recorder) break;
    await shot.request('invoke', { object: player, operation: 'connect', operationParams: { sink: recorder } });
    await shot.request('invoke', { object: recorder, operation: 'record' });
    recorders.push(recorder);
  }
  await shot?.request('invoke', { object: player, operation: 'play' });
  await shot?.answered();
  await pause(1_500);
  await shot?.volley(recorders.length, (index) => ['invoke', { object: recorders[index], operation: 'stop' }]);
  await pause(8_000);
}

/** Name → what it does to an `Aim`, in the order in which they run. */
export const LOADS = {
  messages: messages(Object.keys(CONTENTS)),
  'transaction-of-1-mb': transaction(1_000_000),
  'transaction-of-5-mb': transaction(5_000_000),
  'unfinished-messages': unfinishedMessages,
  'repeated-ids': repeatedIds,
  'deaf-clients': deafClients,
  'idle-connections': idleConnections,
  sessions,
  'held-by-many-sessions': heldByManySessions,
  subscribers,
  subscriptions,
  pipelines,
  'names-and-tags': namesAndTags,
  'hanging-uploads': hangingUploads,
};

/** Parts of others, which run only when they are named. */
export const PARTS = Object.fromEntries(Object.keys(CONTENTS).map((content) => [`messages-of-${content}`, messages([content])]));
