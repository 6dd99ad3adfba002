// Simulcast with two viewers, one of them behind a path that becomes narrow and wide again.

import assert from 'node:assert/strict';

import { Calls } from './calls.mjs';
import { invoke } from './client.mjs';
import { COLOURS } from './media.mjs';
import { until } from './wait.mjs';

export const LOW_WIDTH = 320;
export const HIGH_WIDTH = 640;
const NARROW = { delay: 10, rate: 300, queue: 300 };
const WIDE = { delay: 10, rate: 0 };
const ENCODINGS = [
  { rid: 'low', scaleResolutionDownBy: 2, maxBitrate: 150_000 },
  { rid: 'high', scaleResolutionDownBy: 1, maxBitrate: 900_000 },
];

/** A green camera in two encodings and the viewers `weak` and `strong`, both of which have the high one. */
export async function openWeakViewer({ client, browser }, relay) {
  const pipeline = await client.create('MediaPipeline');
  const endpoint = () => pipeline.create('WebRtcEndpoint');
  const [camera, weak, strong] = [await endpoint(), await endpoint(), await endpoint()];
  await invoke(camera, 'connect', weak);
  await invoke(camera, 'connect', strong);
  const stage = await browser.openProbe();
  await stage.evaluate((colour) => probe.createSource('source', { colour, scale: 2, detail: 40 }), COLOURS.green);
  const calls = await Calls.on(stage);
  const { answer } = await calls.open('camera', camera, { send: 'source', receive: false, encodings: ENCODINGS, codecs: { video: 'VP8' } });
  assert.match(answer, /a=simulcast:recv low;high/);

  const page = await browser.openProbe();
  const viewers = await Calls.on(page);
  const path = relay.path('weak');
  await path.set({ up: WIDE, down: WIDE });
  await viewers.open('weak', weak, { path });
  await viewers.open('strong', strong, {});
  const viewer = new WeakViewer(pipeline, page, path);
  await Promise.all(['weak', 'strong'].map((name) => viewer.becomes(name, HIGH_WIDTH)));
  return viewer;
}

class WeakViewer {
  #path;

  constructor(pipeline, page, path) {
    this.pipeline = pipeline;
    this.page = page;
    this.#path = path;
  }

  /** Pixels of a line of what a viewer shows. */
  async width(name) {
    return (await this.page.evaluate((sink) => probe.pictureSize(sink), name))[0];
  }

  async becomes(name, width) {
    await until(async () => (await this.width(name)) === width, `${name} has ${width} pixels a line`);
  }

  /** Makes the path narrow; gives the ms until the weak viewer shows the low encoding. */
  async fall() {
    return this.#change(NARROW, LOW_WIDTH);
  }

  /** Makes the path wide; gives the ms until the weak viewer shows the high encoding. */
  async rise() {
    return this.#change(WIDE, HIGH_WIDTH);
  }

  async #change(conditions, width) {
    await this.#path.set({ down: conditions });
    const began = performance.now();
    await this.becomes('weak', width);
    return Math.round(performance.now() - began);
  }
}
