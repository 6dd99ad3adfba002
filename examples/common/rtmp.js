// The classes of the module rtmp, which kurento-client has none for: what its generator would make of rtmp.kmd.json,
// as far as a page needs it.

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
