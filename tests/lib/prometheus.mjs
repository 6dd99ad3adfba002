// A Prometheus of its own for one test, which scrapes one server every second.

import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { freePort } from './rivero.mjs';
import { until } from './wait.mjs';

/** Runs promtool; resolves to `{status, output}`. */
export function promtool(args, { input, cwd } = {}) {
  const { status, stdout, stderr, error } = spawnSync('promtool', args, { input, cwd, encoding: 'utf8' });
  if (error) throw error;
  return { status, output: stdout + stderr };
}

/** Starts one with these rules (text of a file), and waits until it has scraped the server. */
export async function startPrometheus(server, rules) {
  const home = mkdtempSync(join(tmpdir(), 'rivero-prometheus-'));
  const port = await freePort();
  writeFileSync(join(home, 'rules.yml'), rules);
  writeFileSync(
    join(home, 'prometheus.yml'),
    `global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }
rule_files: [rules.yml]
scrape_configs:
  - job_name: rivero
    static_configs: [{ targets: ['127.0.0.1:${server.port}'] }]
`,
  );
  const args = [`--config.file=${home}/prometheus.yml`, `--storage.tsdb.path=${home}/data`, `--web.listen-address=127.0.0.1:${port}`, '--log.level=warn'];
  const child = spawn('prometheus', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const prometheus = new Prometheus(child, home, `http://127.0.0.1:${port}/api/v1/`);
  try {
    await until(async () => (await prometheus.query('up').catch(() => []))[0]?.value === 1, 'Prometheus scrapes the server');
  } catch (error) {
    await prometheus.stop();
    throw new Error(`${error.message}\n${prometheus.said}`);
  }
  return prometheus;
}

class Prometheus {
  #child;
  #home;
  #ended;
  said = '';

  constructor(child, home, api) {
    this.#child = child;
    this.#home = home;
    this.api = api;
    child.stderr.setEncoding('utf8').on('data', (text) => (this.said += text));
    this.#ended = new Promise((resolve) => child.once('error', (error) => (this.said += error, resolve())).once('exit', resolve));
  }

  async #get(path) {
    const response = await fetch(this.api + path);
    const { status, data, error } = await response.json();
    if (status !== 'success') throw new Error(error);
    return data;
  }

  /** The series that an expression has now: `{labels, value}`. */
  async query(expression) {
    const { result } = await this.#get(`query?query=${encodeURIComponent(expression)}`);
    return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
  }

  /** The labels of the alerts that fire. */
  async firing() {
    const { alerts } = await this.#get('alerts');
    return alerts.filter(({ state }) => state === 'firing').map(({ labels }) => labels);
  }

  async stop() {
    this.#child.kill('SIGTERM');
    await this.#ended;
    rmSync(this.#home, { recursive: true, force: true });
  }
}
