// What hostile clients do to others: `tests/netns.sh node tests/bench/hostile-clients.mjs [--only NAME,…] [--runs N]`
// (part of `make bench`; `--list` names the loads).
//
// Each load of tests/bench/hostile/loads.mjs runs against a server of its own, from another
// process and another address, while somebody else pings and comes anew, and a call counts its
// packets. A line for each load; one that is beyond a limit makes the whole fail.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { makeMedia } from '../lib/fixtures.mjs';
import { artefacts, startRivero } from '../lib/rivero.mjs';
import { LOADS, PARTS } from './hostile/loads.mjs';
import { Call, Helper, Memory, State } from './hostile/watch.mjs';

/** MiB above idle, ms (the median of the runs), packets, refused newcomers, ms until another one's recording is stopped, seconds. */
const LIMITS = { memory: 300, ping: 200, lost: 0, failures: 0, stop: 2_000, back: 30 };
/** How long a load may go on, seconds. */
const LONGEST = 45;
/** The server begins with so few files as systems give, and may have some more. */
const FILES = ['prlimit', '--nofile=1024:4096'];
/** Sessions that nobody uses end after two of these, seconds. */
const COLLECTOR = 5;

const { values: options } = parseArgs({
  options: { only: { type: 'string', default: '' }, runs: { type: 'string', default: '3' }, list: { type: 'boolean', default: false } },
});
const names = options.only ? options.only.split(',') : Object.keys(LOADS);
const unknown = names.filter((name) => !(name in LOADS || name in PARTS));
if (options.list || unknown.length > 0) {
  if (unknown.length > 0) console.error(`no such load: ${unknown.join(', ')}; there are`);
  console.log(Object.keys({ ...LOADS, ...PARTS }).join('\n'));
  process.exit(unknown.length > 0 ? 2 : 0);
}

const most = (values) => values.reduce((one, other) => Math.max(one, other), 0);
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const at = (values, share) => [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) * share)] ?? Infinity;

/** One run of a load. */
async function run(name, server, state, file) {
  const [memory, bystander, attacker] = [new Memory(server.pid), new Helper('./bystander.mjs'), new Helper('./attacker.mjs')];
  let call;
  try {
    await bystander.ask({ port: server.port, file: name === 'hanging-uploads' ? file : undefined });
    call = await Call.on(server.port, join(artefacts.server, '..', 'rivero-bench'));
    memory.reset();
    await bystander.ask('what until now does not count');
    const strike = { name, port: server.port, milliseconds: LONGEST * 1_000, options: { file } };
    const said = await attacker.ask(strike, (LONGEST + 60) * 1_000);
    const { pings, newcomers, stops, failures } = await bystander.ask('what was it like?');
    await attacker.end();
    const peak = (memory.most - state.idle) / 1024;
    const { sent, lost } = await call.end();
    await bystander.end();
    const { seconds, left } = await state.isBack(LIMITS.back);
    if (pings.length === 0 || newcomers.length === 0) failures.push('nobody else was served at all');
    if (name === 'hanging-uploads' && stops.length === 0) failures.push('nothing else was recorded');
    const ping = most(pings);
    return { peak, ping, p99: at(pings, 0.99), newcomer: most(newcomers), stop: most(stops), failures, sent, lost, back: seconds, left, said };
  } finally {
    call?.kill();
    await Promise.all([attacker.end(), bystander.end()]);
  }
}

/** What is beyond its limit. */
function missed({ memory, ping, lost, failures, stop, back, left, ended }) {
  const beyond = [];
  if (ended) beyond.push('the server has ended');
  if (!(memory <= LIMITS.memory)) beyond.push(`${Math.round(memory)} MiB above idle`);
  if (!(ping <= LIMITS.ping)) beyond.push(`a ping took ${Math.round(ping)} ms`);
  if (!(lost <= LIMITS.lost)) beyond.push(`${lost} packets of a call were lost`);
  if (failures.length > LIMITS.failures) beyond.push(`others failed ${failures.length} times, such as: ${failures[0]}`);
  if (!(stop <= LIMITS.stop)) beyond.push(`another recording took ${Math.round(stop)} ms to stop`);
  if (!(back <= LIMITS.back)) beyond.push(`not as before after ${LIMITS.back} s: ${left.join(', ')}`);
  return beyond;
}

async function measure(name, file) {
  const config = { resources: { garbageCollectorPeriod: COLLECTOR } };
  const server = await startRivero({ config, wrap: (command) => [...FILES, ...command] });
  const runs = [];
  let error;
  try {
    const state = await State.of(server);
    for (let round = 0; round < Number(options.runs); round += 1) runs.push(await run(name, server, state, file));
    await state.close();
  } catch (thrown) {
    error = thrown;
  } finally {
    const ended = !server.running;
    await server.stop().catch((thrown) => (error ??= thrown));
    if (ended || error) error = new Error(`${error?.message ?? ''}${ended ? '; the server has ended' : ''}`);
  }
  return { runs, error };
}

/** Of all runs: the worst, but of pings the median of the worst. */
function together(runs) {
  const of = (key) => runs.map((one) => one[key]);
  const sum = (values) => values.reduce((one, other) => one + other, 0);
  return {
    memory: most(of('peak')),
    ping: median(of('ping')),
    p99: median(of('p99')),
    newcomer: most(of('newcomer')),
    stop: most(of('stop')),
    failures: of('failures').flat(),
    sent: sum(of('sent')),
    lost: most(of('lost')),
    back: most(of('back')),
    left: of('left').flat(),
    said: runs.at(-1)?.said,
  };
}

const directory = mkdtempSync(join(tmpdir(), 'rivero-hostile-'));
let failed = false;
try {
  const file = await makeMedia(directory, 'film.webm', { colours: [[200, 40, 40]], seconds: 60 });
  console.log(`| hostile load | MiB above idle (≤ ${LIMITS.memory}) | ping p99, most, ms (≤ ${LIMITS.ping}) | lost of a call’s packets (${LIMITS.lost}) | newcomers: most ms, failed (${LIMITS.failures}) | back after, s (≤ ${LIMITS.back}) | the attacker |`);
  console.log('|---|---|---|---|---|---|---|');
  for (const name of names) {
    const { runs, error } = await measure(name, file);
    if (runs.length > 0) {
      const all = together(runs);
      const { answered, refused, closed, words } = all.said;
      const attacker = [`${answered} answered`, `${refused} refused`, `${closed} closed`, ...words].join('; ');
      const cells = [Math.round(all.memory), `${Math.round(all.p99)}, ${Math.round(all.ping)}`, `${all.lost} of ${all.sent}`, `${Math.round(all.newcomer)}, ${all.failures.length}`, all.back.toFixed(1), attacker];
      console.log(`| ${name} | ${cells.join(' | ')} |`);
      for (const what of missed(all)) {
        failed = true;
        console.error(`missed: ${name}: ${what}`);
      }
    }
    if (error) {
      failed = true;
      console.error(`missed: ${name}: ${error.message}`);
    }
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
