// What pages with RTMP share. The classes come from kurento-module-rivero.

import { invoke } from './call.js';

const FIGURES_EVERY_MS = 1000;

/** Where to publish to, and the element that has what was published: of another server, or without one of this server. */
export async function streamOf(pipeline, uri) {
  if (uri) return { uri, stream: await pipeline.create('RtmpPlayer', { uri }) };
  const stream = await pipeline.create('RtmpIngest', {});
  return { uri: await invoke(stream, 'getUri'), stream };
}

/** Keeps `place`'s text at what `publisher` sends, until the returned function is called. */
export function showSent(publisher, place) {
  const timer = setInterval(async () => {
    const stats = await invoke(publisher, 'getStats').catch(() => null); // released meanwhile
    const entry = Object.values(stats ?? {}).find(({ bytesSent }) => bytesSent > 0);
    if (entry) place.textContent = `${Math.round(entry.bitrate / 1000)} kbit/s to the RTMP server`;
  }, FIGURES_EVERY_MS);
  return () => {
    clearInterval(timer);
    place.textContent = '';
  };
}
