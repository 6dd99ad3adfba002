// 10,000 requests made up from the server's own descriptors, wrong in every way: each
// is answered with a Kurento error or a result of the declared type, nothing is left
// behind, and the same process goes on. SEED=… repeats a run that failed.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { GeneratedRequests } from '../lib/generated-requests.mjs';
import { MANAGER, readModel } from '../lib/model.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { connectRpc, noPipelineIsLeft } from '../lib/rpc.mjs';
import { Dice } from '../lib/values.mjs';
import { until } from '../lib/wait.mjs';

const REQUESTS = 10_000;
const AT_A_TIME = 50;
const SEED = Number(process.env.SEED ?? 20_261_120);
const SESSIONS = ['generated-a', 'generated-b', 'generated-c', 'generated-d'];
/** Above what the server needs with all its modules loaded; a leak of 10 kB a request exceeds it. */
const GROWTH_MIB = 96;

let server;
let directory;
before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'rivero-generated-'));
  // Whatever the requests name, files are made in this directory only.
  const places = [`defaultPath=file://${directory}/`, `readableRoots=${directory}`, `writableRoots=${directory}`];
  server = await startRivero({ moduleConfig: { 'kurento/UriEndpoint.conf.ini': `${places.join('\n')}\n` } });
});
after(async () => {
  await server?.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** What was answered wrongly. */
const problems = [];

/** Sends a batch over the connections in turn; resolves when all but calls of objects are answered. */
async function send(generated, connections, index) {
  const batch = [];
  for (let offset = 0; offset < AT_A_TIME; offset++) {
    const request = generated.next();
    const rpc = connections[(index + offset) % connections.length];
    if ('text' in request) rpc.sendText(request.text);
    else batch.push({ request, answered: rpc.request(request.method, request.params).then((reply) => check(generated, request, reply)) });
  }
  // What is called may take its time; what exists has to be known before the next batch.
  const settled = batch.filter(({ request }) => request.method !== 'invoke').map(async ({ request, answered }) => [request, await answered]);
  for (const [request, reply] of await Promise.all(settled)) generated.note(request, reply);
  assert.deepEqual(problems, [], `seed ${SEED}`);
  return batch.map(({ answered }) => answered);
}

function check(generated, request, reply) {
  const problem = generated.problem(request, reply);
  if (problem) problems.push({ problem, request: JSON.stringify(request).slice(0, 1_000), reply: JSON.stringify(reply).slice(0, 1_000) });
  return reply;
}

test(`${REQUESTS} generated requests are answered and leave nothing behind`, async (context) => {
  context.diagnostic(`seed ${SEED}`);
  const { pid } = server;
  const observer = await connectRpc(server.url);
  const model = await readModel(observer);
  for (const event of ['ObjectCreated', 'ObjectDestroyed']) await observer.value('subscribe', { object: MANAGER, type: event });
  const connections = await Promise.all(SESSIONS.map(() => connectRpc(server.url)));
  const generated = new GeneratedRequests(model, new Dice(SEED), { directory, sessions: SESSIONS });

  let calls = [];
  let warm;
  for (let index = 0; index < REQUESTS; index += AT_A_TIME) {
    calls.push(...(await send(generated, connections, index)));
    if (index % 1_000 === 0) calls = (await Promise.all(calls), []);
    if (index === 2_000) warm = server.usage();
  }
  await Promise.all(calls);
  const texts = (await Promise.all(connections.map((rpc) => rpc.request('ping').then(() => rpc.nameless)))).flat();
  assert.ok(texts.length > 100, 'messages that are no requests are answered');
  for (const { error } of texts) assert.ok([-32700, -32600].includes(error.code), JSON.stringify(error));

  const used = server.usage();
  for (const sessionId of await observer.invoke(MANAGER, 'getSessions')) {
    if (sessionId !== observer.sessionId) await connections[0].request('closeSession', { sessionId, release: true });
  }
  for (const rpc of connections) await rpc.close();
  await noPipelineIsLeft(server.url);
  await until(async () => /^rivero_objects 0$/m.test(await page('metrics')), 'no object is left');

  const count = (type) => observer.events.filter((event) => event.type === type).length;
  await until(() => count('ObjectDestroyed') === count('ObjectCreated'), 'what was created is destroyed');
  assert.ok(count('ObjectCreated') > 300, `${count('ObjectCreated')} objects were created`);
  context.diagnostic(`${count('ObjectCreated')} objects; ${JSON.stringify({ warm, used, end: server.usage() })}`);
  assert.ok(server.usage().rssKib - warm.rssKib < GROWTH_MIB * 1024, 'memory is bounded');
  assert.ok(server.running && server.pid === pid, 'the same process');
  await observer.close();
});

async function page(name) {
  return (await fetch(`http://127.0.0.1:${server.port}/${name}`)).text();
}
