// A browser's camera and microphone that reach a WebRtcEndpoint.

import { Calls } from './calls.mjs';
import { invoke } from './client.mjs';
import { COLOURS, isConnected } from './media.mjs';
import { until } from './wait.mjs';

export const TONE_HZ = 1000;

/** Calls by page: a page has one set of them. */
const calls = new WeakMap();

/**
 * Publishes a source called `name` from a probe page into a new WebRtcEndpoint of
 * `pipeline`. `codecs` as in tests/pages/peer.js; `source` as in `createSource`; `path`: one of relay.mjs.
 * Resolves to the endpoint once media flows out of it.
 */
export async function publish(page, pipeline, name, { codecs = { video: 'VP8', audio: 'opus' }, source = {}, path } = {}) {
  const endpoint = await pipeline.create('WebRtcEndpoint');
  const settings = { colour: COLOURS.red, toneHz: TONE_HZ, ...source };
  await page.evaluate(([camera, options]) => probe.createSource(camera, options), [name, settings]);
  if (!calls.has(page)) calls.set(page, await Calls.on(page));
  await calls.get(page).open(name, endpoint, { send: name, receive: false, codecs, path });
  await isConnected(page, name);
  const kinds = [settings.audio !== false && 'AUDIO', settings.video !== false && 'VIDEO'].filter(Boolean);
  for (const kind of kinds) {
    await until(() => invoke(endpoint, 'isMediaFlowingOut', kind), `${kind} of ${name} flows`);
  }
  return endpoint;
}

/** Ends the browser's side of a published source. */
export async function unpublish(page, name) {
  await calls.get(page).close(name);
  await page.evaluate((camera) => probe.stopSource(camera), name);
}
