// The process of somebody who only uses the server: it pings all the time on one connection, comes
// again and again as a newcomer, and where there is a file, records it. It says what it met since
// it was asked last.

import WebSocket from 'ws';

import { pause } from './aim.mjs';

const PING_EVERY_MS = 10;
const COME_EVERY_MS = 250;
const PATIENCE_MS = 20_000;

let met = nothing();
/** What is under way, and since when: to wait until it ends would be to overlook the worst. */
const begun = new Map();

function nothing() {
  return { pings: [], newcomers: [], stops: [], failures: [] };
}

class Client {
  #answers = new Map();
  #nextId = 1;

  static async open(port) {
    const client = new Client();
    client.socket = new WebSocket(`ws://127.0.0.1:${port}/kurento`, { perMessageDeflate: false });
    client.socket.on('message', (data) => client.#receive(JSON.parse(String(data))));
    await timely(new Promise((resolve, reject) => client.socket.once('open', resolve).once('error', reject)), 'connect');
    client.socket.on('error', () => {});
    return client;
  }

  #receive({ id, result, error }) {
    this.#answers.get(id)?.(error ? Promise.reject(new Error(`${error.code} ${error.message}`)) : result);
    this.#answers.delete(id);
  }

  call(method, params = {}) {
    const id = this.#nextId++;
    const answer = new Promise((resolve) => this.#answers.set(id, resolve));
    this.socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    return timely(answer, method);
  }
}

async function timely(promise, what) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`${what}: not within ${PATIENCE_MS} ms`)), PATIENCE_MS)));
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** `times` gets how long `action` takes, ms. */
async function timed(times, action) {
  begun.set(times, performance.now());
  try {
    await action();
  } finally {
    met[times].push(performance.now() - begun.get(times));
    begun.delete(times);
  }
}

/** Rounds of `action` every so often; `failures` gets what went wrong. */
async function again(every, action) {
  for (;;) {
    await action().catch((error) => met.failures.push(error.message));
    await pause(every);
  }
}

async function newcomer(port) {
  const health = await fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(PATIENCE_MS) });
  if (!health.ok) throw new Error(`/health answers ${health.status}`);
  await health.text();
  const client = await Client.open(port);
  try {
    const { value: object } = await client.call('create', { type: 'MediaPipeline' });
    await client.call('release', { object });
  } finally {
    client.socket.terminate();
  }
}

/** Records a player to a file for a second. */
async function recording(client, file) {
  const create = async (type, params) => (await client.call('create', { type, constructorParams: params })).value;
  const invoke = (object, operation, operationParams = {}) => client.call('invoke', { object, operation, operationParams });
  const mediaPipeline = await create('MediaPipeline', {});
  const player = await create('PlayerEndpoint', { mediaPipeline, uri: `file://${file}`, useEncodedMedia: true });
  const recorder = await create('RecorderEndpoint', { mediaPipeline, uri: `file://${file}.recorded.webm`, mediaProfile: 'WEBM_VIDEO_ONLY' });
  await invoke(player, 'connect', { sink: recorder });
  await invoke(recorder, 'record');
  await invoke(player, 'play');
  await pause(1_000);
  await timed('stops', () => invoke(recorder, 'stopAndWait'));
  await client.call('release', { object: mediaPipeline });
}

process.once('message', async ({ port, file }) => {
  const client = await Client.open(port);
  client.socket.once('close', () => met.failures.push('the connection that pings was closed'));
  await client.call('connect');
  again(PING_EVERY_MS, () => timed('pings', () => client.call('ping', { interval: 240_000 })));
  again(COME_EVERY_MS, () => timed('newcomers', () => newcomer(port)));
  if (file) {
    const other = await Client.open(port);
    again(COME_EVERY_MS, () => recording(other, file));
  }
  process.on('message', () => {
    for (const [times, began] of begun) met[times].push(performance.now() - began);
    process.send(met);
    met = nothing();
  });
  process.send('ready');
});
