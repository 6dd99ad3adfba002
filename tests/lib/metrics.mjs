// What the server says about itself on /metrics.

import { until } from './wait.mjs';

/** Every series as `[name, labels, value]`. */
async function series(server) {
  const response = await fetch(`http://127.0.0.1:${server.port}/metrics`);
  const lines = (await response.text()).split('\n').filter((line) => line && !line.startsWith('#'));
  return lines.map((line) => {
    const [, name, labels = '', value] = line.match(/^(\w+)(?:\{(.*)\})? (\S+)$/);
    return [name, Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, text]) => [key, text])), Number(value)];
  });
}

/** The value of the series `name` with these labels among its own, 0 before there is one. */
export async function metric(server, name, labels = {}) {
  const isMeant = ([known, own]) => known === name && Object.entries(labels).every(([key, text]) => own[key] === text);
  return (await series(server)).find(isMeant)?.[2] ?? 0;
}

/** Conversions by `<input> → <output>`, such as `VP8 Frame → I420 Raw`: how many of each the counter `name` has. */
export async function conversions(server, name = 'rivero_conversions') {
  const all = (await series(server)).filter(([known, , value]) => known === name && value > 0);
  return Object.fromEntries(all.map(([, { input, output }, value]) => [`${input} → ${output}`, value]));
}

/** Waits until no conversion runs. */
export async function noConversionRuns(server) {
  await until(async () => Object.keys(await conversions(server)).length === 0, 'all conversions end');
}
