import { createPeer, invoke, negotiate, watchConnection } from './call.js';
import { showFacts } from './page.js';

/**
 * This page's camera and microphone go into the composite, and what the others see and say comes out in `screen`, with `facts` beside it.
 * Resolves to what it made.
 */
export async function takePart(pipeline, composite, { screen, facts, label }, cleanup, fail, joined) {
  const peer = await createPeer('Sendrecv', { remoteVideo: screen });
  cleanup.add(() => peer.dispose());
  if (cleanup.over) return;

  const endpoint = await pipeline.create('WebRtcEndpoint');
  const port = await pipeline.create('HubPort', { hub: composite });
  endpoint.on('Error', ({ description }) => fail(new Error(description)));
  await composite.setPort(port, { label });
  await invoke(endpoint, 'connect', port);
  await invoke(port, 'connect', endpoint);
  watchConnection(peer, fail, joined);
  if (!cleanup.over) await negotiate(peer, endpoint);
  cleanup.add(showFacts(peer, facts));
  return [port, endpoint];
}
