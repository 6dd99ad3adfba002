import { createPeer, negotiate, openPipeline, watchConnection } from '../common/call.js';
import { presenter } from './board.js';

/**
 * Sends this page's camera to the server and tells the others where it is.
 * `report('connected')` is called once media flows, `fail(error)` when something goes wrong later.
 */
export async function present(video, cleanup, report, fail) {
  const peer = await createPeer('Sendonly', { localVideo: video });
  cleanup.add(() => peer.dispose());
  if (cleanup.over) return;

  const pipeline = await openPipeline(cleanup);
  const endpoint = await pipeline.create('WebRtcEndpoint');
  if (cleanup.over) return;

  watchConnection(peer, fail, () => report('connected'));
  await negotiate(peer, endpoint);
  if (cleanup.over) return;

  await presenter.announce(endpoint.id, cleanup, fail);
}
