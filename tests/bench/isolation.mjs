// What a process of its own costs a module: `tests/netns.sh node tests/bench/isolation.mjs` (part of `make bench`).
//
// Raw pictures of 1280x720 at 30 a second go through a PassThrough, whose module is in the server's process and in one of
// its own, in turns. The latency is that from the push of the source to the call of the sink; the CPU that of the server
// and of the process together. Then how long a process takes to start, what it has of memory, and how long after
// the death of one the next answers.

import { readFileSync } from 'node:fs';

import { metric } from '../lib/metrics.mjs';
import { usage } from '../lib/process-usage.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { until } from '../lib/wait.mjs';

const PICTURE = (1280 * 720 * 3) / 2;
const RATE = 30;
const SECONDS = Number(process.env.SECONDS ?? 10);
const ROUNDS = 3;
/** What a process may add: ms at the median, and % of a core. */
const WANTED = { latency: 1, cpu: 3 };

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const misses = [];

/** The processes of modules that the log tells of: `{pid, took}`. */
const children = (server) => [...server.log.matchAll(/a process of the module runs, after (\d+) ms.*?process=(\d+)/g)].map(([, took, pid]) => ({ pid: Number(pid), took: Number(took) }));

/** Private and shared memory of a process, MiB. */
function memory(pid) {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const field = (name) => Number(text.match(new RegExp(`^${name}:\\s+(\\d+)`, 'm'))[1]) / 1024;
  return { own: field('Private_Dirty') + field('Private_Clean'), share: field('Pss') };
}

async function measure(mode) {
  const server = await startRivero({ modules: ['passthrough', 'faults'], config: { modules: { isolation: { passthrough: mode } } } });
  const rpc = await connectRpc(server.url);
  try {
    const mediaPipeline = await rpc.create('MediaPipeline');
    const quiet = { mediaPipeline, sums: false };
    const [source, last] = [await rpc.create('fixturefaults.Faults', quiet), await rpc.create('fixturefaults.Faults', quiet)];
    const between = await rpc.create('PassThrough', { mediaPipeline });
    await rpc.invoke(source, 'connect', { sink: between });
    await rpc.invoke(between, 'connect', { sink: last });
    const pids = [server.pid, ...children(server).map(({ pid }) => pid)];
    const cpu = () => pids.reduce((sum, pid) => sum + usage(pid).cpuSeconds, 0);
    const send = () => rpc.invoke(source, 'send', { count: 1, size: PICTURE });
    const sendSeconds = async (seconds) => {
      const began = performance.now();
      for (let picture = 1; picture <= seconds * RATE; picture += 1) {
        await send();
        const due = began + (picture * 1000) / RATE - performance.now();
        if (due > 0) await new Promise((resolve) => setTimeout(resolve, due));
      }
    };
    await sendSeconds(1);
    const [began, before] = [performance.now(), cpu()];
    await sendSeconds(SECONDS);
    const used = ((cpu() - before) / (performance.now() - began)) * 100_000;
    await until(async () => (await rpc.invoke(last, 'getReceived')) === (SECONDS + 1) * RATE, 'every picture arrives');
    if ((await metric(server, 'rivero_kurento_isolation_packets_lost_total')) > 0) misses.push('pictures were lost');
    const figures = { cpu: used, latency: (await rpc.invoke(last, 'getLatency')) / 1000 };
    return mode === 'none' ? figures : { ...figures, ...children(server)[0], ...memory(pids[1]) };
  } finally {
    await rpc.close();
    await server.stop();
  }
}

/** From the death of a process to the answer of an object in the next, ms, several times in a row. */
async function deaths() {
  const server = await startRivero({ modules: ['faults'], config: { modules: { isolation: { faults: 'module' } } } });
  const rpc = await connectRpc(server.url);
  try {
    const mediaPipeline = await rpc.create('MediaPipeline');
    const times = [];
    for (let death = 0; death < 5; death += 1) {
      const element = await rpc.create('fixturefaults.Faults', { mediaPipeline });
      const pid = await rpc.invoke(element, 'getProcess');
      const began = performance.now();
      process.kill(pid, 'SIGKILL');
      await until(async () => (await rpc.request('invoke', { object: element, operation: 'getProcess' })).error, 'the death is noticed');
      await rpc.create('fixturefaults.Faults', { mediaPipeline });
      times.push(performance.now() - began);
    }
    return times;
  } finally {
    await rpc.close();
    await server.stop();
  }
}

const rounds = { none: [], module: [] };
for (let round = 0; round < ROUNDS; round += 1) for (const mode of Object.keys(rounds)) rounds[mode].push(await measure(mode));
const of = (mode, figure) => median(rounds[mode].map((round) => round[figure]));
for (const mode of Object.keys(rounds)) {
  console.log(`PassThrough, 1280x720 raw at ${RATE}/s, isolation ${mode}: p50 ${of(mode, 'latency').toFixed(2)} ms, CPU ${of(mode, 'cpu').toFixed(1)} % of a core`);
}
const added = { latency: of('module', 'latency') - of('none', 'latency'), cpu: of('module', 'cpu') - of('none', 'cpu') };
console.log(`a process of its own adds ${added.latency.toFixed(2)} ms and ${added.cpu.toFixed(1)} % of a core`);
console.log(`a process starts in ${of('module', 'took')} ms, and has ${of('module', 'own').toFixed(1)} MiB of its own (${of('module', 'share').toFixed(1)} with its share of others', rings included)`);
console.log(`from a death to an object in the next process, ms: ${(await deaths()).map((time) => time.toFixed(0)).join(', ')}`);
for (const figure of Object.keys(WANTED)) if (added[figure] >= WANTED[figure]) misses.push(`${figure}: ${added[figure].toFixed(2)}, wanted below ${WANTED[figure]}`);
misses.forEach((text) => console.error(`missed: ${text}`));
process.exitCode = misses.length > 0 ? 1 : 0;
