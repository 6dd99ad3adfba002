// A real Prometheus scrapes the server; its alert rules fire for what they are there for.

import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { metric } from '../lib/metrics.mjs';
import { promtool, startPrometheus } from '../lib/prometheus.mjs';
import { connectRpc } from '../lib/rpc.mjs';
import { startRivero } from '../lib/rivero.mjs';
import { rtpPeer, sectionsOf } from '../lib/rtp-peer.mjs';
import { until } from '../lib/wait.mjs';

const packaging = fileURLToPath(new URL('../../packaging/', import.meta.url));
const rules = readFileSync(`${packaging}prometheus/rivero-alerts.yml`, 'utf8');
const dashboard = JSON.parse(readFileSync(`${packaging}grafana/rivero.json`, 'utf8'));
const MISMATCH = 'RiveroConversionByCodecMismatch';

let server, rpc, prometheus, peers;
before(async () => {
  // A file that is refused, which is another alert.
  server = await startRivero({ modules: ['rtp', 'codecs', 'passthrough'], extraFiles: { 'broken.so': 'no library' } });
  rpc = await connectRpc(server.url);
  // Nobody waits for minutes here.
  prometheus = await startPrometheus(server, rules.replaceAll(/^( +for:) \d+m$/gm, '$1 1s'));
  peers = [await rtpPeer(), await rtpPeer()];
});
after(async () => {
  peers?.forEach((peer) => peer.close());
  await prometheus?.stop();
  await rpc?.close();
  await server?.stop();
});

const metricsPage = async () => (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text();
const fires = async (name) => (await prometheus.firing()).find(({ alertname }) => alertname === name);

/** Does something while sound of payload type `sent` (0: µ-law, 8: A-law) goes to a peer that takes µ-law alone. */
async function during(sent, action) {
  const mediaPipeline = await rpc.create('MediaPipeline');
  const [from, to] = [await rpc.create('RtpEndpoint', { mediaPipeline }), await rpc.create('RtpEndpoint', { mediaPipeline })];
  await rpc.invoke(from, 'connect', { sink: to });
  const answers = [];
  for (const [object, peer, formats] of [[from, peers[0], sent], [to, peers[1], '0']]) {
    answers.push(sectionsOf(await rpc.invoke(object, 'processOffer', { offer: peer.sound([], { formats }) }))[0]);
  }
  const stop = peers[0].speak(answers[0].port, { payloadType: Number(sent), ssrc: 7 });
  try {
    await peers[1].hears(20);
    await action();
  } finally {
    stop();
    await rpc.value('release', { object: mediaPipeline });
  }
}

test('promtool has nothing to say about the rules, and each fires when it has to', () => {
  assert.deepEqual(promtool(['check', 'rules', 'rivero-alerts.yml'], { cwd: `${packaging}prometheus` }).status, 0);
  const { status, output } = promtool(['test', 'rules', 'rivero-alerts.test.yml'], { cwd: `${packaging}prometheus` });
  assert.equal(status, 0, output);
});

test('promtool has nothing to say about the page, with media on its way', () =>
  during('8', async () => {
    assert.deepEqual(promtool(['check', 'metrics'], { input: await metricsPage() }), { status: 0, output: '' });
    for (const [direction, codec] of [['in', 'PCMA'], ['out', 'PCMU']]) {
      for (const name of ['rivero_media_packets_total', 'rivero_media_bytes_total']) {
        assert.ok((await metric(server, name, { direction, codec })) > 0, `${name} ${direction}`);
      }
    }
    assert.ok((await metric(server, 'rivero_forwarding_seconds_count', { codec: 'PCMU' })) > 0);
    assert.equal(await metric(server, 'rivero_objects_by_class', { class: 'RtpEndpoint', module: 'rtp' }), 2);
    assert.equal(await metric(server, 'rivero_transcoded_links', { input: 'PCMA', output: 'PCMU' }), 1);
  }));

test('the alert for a conversion by codec mismatch fires, and ends with the call', async () => {
  await until(async () => !(await fires(MISMATCH)), 'nothing is converted');
  await during('0', async () => {
    await until(async () => (await prometheus.query('rivero_media_packets_total{direction="in",codec="PCMU"}'))[0]?.value > 0, 'Prometheus sees packets');
    assert.equal(await fires(MISMATCH), undefined, 'both peers have the same codec');
  });
  await during('8', async () => {
    const { input, output } = await until(() => fires(MISMATCH), 'the alert fires');
    assert.deepEqual({ input, output }, { input: 'PCMA', output: 'PCMU' });
  });
  await until(async () => !(await fires(MISMATCH)), 'the alert ends');
});

test('series of what was released are gone', async () => {
  const released = 'rivero_objects_by_class{class="RtpEndpoint"} or rivero_transcoded_links';
  await during('8', () => until(async () => (await prometheus.query(released)).length === 2, 'Prometheus sees the call'));
  await until(async () => !/rivero_transcoded_links|class="RtpEndpoint"/.test(await metricsPage()), 'the page has none of it');
  await until(async () => (await prometheus.query(released)).length === 0, 'Prometheus sees none of it');
});

test('series of a module are gone when its file is', async () => {
  const mediaPipeline = await rpc.create('MediaPipeline');
  await rpc.create('PassThrough', { mediaPipeline });
  const calls = 'rivero_module_calls_total{module="passthrough"}';
  await until(async () => (await metricsPage()).includes(calls), 'its calls are counted');
  rmSync(join(server.modulesPath, 'passthrough.so'));
  await until(async () => /rivero_modules\{state="retiring"\} 1\n/.test(await metricsPage()), 'its object lives on');
  assert.ok((await metricsPage()).includes(calls), 'and is called');
  await rpc.value('release', { object: mediaPipeline });
  await until(async () => !(await metricsPage()).includes('"passthrough"'), 'nothing is left of it');
});

test('a refused file of a module is an alert', async () => {
  await until(() => fires('RiveroModuleRefused'), 'the alert fires');
  assert.equal((await fetch(`http://127.0.0.1:${server.port}/readyz`)).status, 503);
});

test('the dashboard asks for what there is', async () => {
  const documented = readFileSync(fileURLToPath(new URL('../../docs/log-and-metrics.md', import.meta.url)), 'utf8');
  const expressions = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
  assert.ok(expressions.length >= dashboard.panels.length);
  for (const expression of expressions) {
    await prometheus.query(expression.replaceAll('$instance', '.*'));
  }
  for (const [name] of `${expressions.join(' ')} ${rules}`.matchAll(/rivero_\w+/g)) {
    if (name !== 'rivero_alerts') assert.ok(documented.includes(`| \`${name.replace(/_bucket$/, '')}\``), name);
  }
});
