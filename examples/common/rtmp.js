// The classes of the module rtmp, which kurento-client has none for: what its generator would make of rtmp.kmd.json,
// as far as a page needs it.

import { invoke } from './call.js';

const FIGURES_EVERY_MS = 1000;
const MediaElement = kurentoClient.register.abstracts['kurento.MediaElement'];
const mediaPipeline = { type: 'kurento.MediaPipeline', required: true };

class RtmpPublisher extends MediaElement {
  static constructorParams = { mediaPipeline, uri: { type: 'String', required: true }, silentAudio: { type: 'boolean' } };
  static events = [...MediaElement.events, 'Connected', 'Disconnected', 'Reconnecting'];
}

class RtmpPlayer extends MediaElement {
  static constructorParams = { mediaPipeline, uri: { type: 'String', required: true } };
  static events = [...MediaElement.events, 'Connected', 'Disconnected', 'Reconnecting'];
}

class RtmpIngest extends MediaElement {
  static constructorParams = { mediaPipeline, application: { type: 'String' }, streamKey: { type: 'String' } };
  static events = [...MediaElement.events, 'Connected', 'Disconnected'];
}

/** Where to publish to, the key included. The client copies what can be enumerated, which a class's own methods cannot. */
RtmpIngest.prototype.getUri = function (callback) {
  return this._invoke(undefined, 'getUri', callback);
};

for (const known of [RtmpPublisher, RtmpPlayer, RtmpIngest]) kurentoClient.register(known.name, known);

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
