// How long a scrape takes: `tests/netns.sh node tests/bench/scrape.mjs` (part of `make bench`).
//
// ENDPOINTS of WebRTC (1,000 by default) in pipelines of ten, each connected to the next; then SCRAPES of /metrics (101 by default), and
// between them as many of /health, which is what a page costs that says nothing.

import { connectRpc } from '../lib/rpc.mjs';
import { startRivero } from '../lib/rivero.mjs';

const ENDPOINTS = Number(process.env.ENDPOINTS ?? 1_000);
const SCRAPES = Number(process.env.SCRAPES ?? 101);
const IN_A_PIPELINE = 10;
const BOUND_MS = 20;

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

const server = await startRivero({ modules: ['webrtc'] });
const rpc = await connectRpc(server.url);

async function timed(page) {
  const begin = performance.now();
  const text = await (await fetch(`http://127.0.0.1:${server.port}${page}`)).text();
  return { took: performance.now() - begin, size: text.length };
}

try {
  let pipeline, former;
  for (let made = 0; made < ENDPOINTS; made += 1) {
    if (made % IN_A_PIPELINE === 0) [pipeline, former] = [await rpc.create('MediaPipeline'), undefined];
    const endpoint = await rpc.create('WebRtcEndpoint', { mediaPipeline: pipeline });
    if (former) await rpc.invoke(former, 'connect', { sink: endpoint });
    former = endpoint;
  }
  const times = { '/metrics': [], '/health': [] };
  let size;
  for (let scrape = 0; scrape < SCRAPES; scrape += 1) {
    for (const page of Object.keys(times)) {
      const { took, size: length } = await timed(page);
      times[page].push(took);
      if (page === '/metrics') size = length;
    }
  }
  const took = median(times['/metrics']);
  console.log(`| scraping ${ENDPOINTS} endpoints | median ms | most ms | /health, median ms | bytes | median at most |`);
  console.log('|---|---|---|---|---|---|');
  const row = [took, Math.max(...times['/metrics']), median(times['/health'])].map((time) => time.toFixed(2));
  console.log(`| /metrics | ${row.join(' | ')} | ${size} | ${BOUND_MS} |`);
  if (took > BOUND_MS) {
    process.exitCode = 1;
    console.error(`missed: a scrape takes ${took.toFixed(2)} ms, wanted at most ${BOUND_MS}`);
  }
} finally {
  await rpc.close();
  await server.stop();
}
