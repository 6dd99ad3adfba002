// The pages that show the camera as it comes back from the server: buttons
// `#start` and `#stop`, videos `#local` and `#remote`.

import { createPeer, invoke, negotiate, openPipeline, watchConnection } from './call.js';
import { showFacts, showState } from './page.js';
import { offerRun } from './run.js';

/**
 * Lets the buttons of the page start and stop the loopback. `between(pipeline, fail)` makes the
 * element that the media goes through, if there is to be one, and calls `fail(error)` when that fails later.
 */
export function offerLoopback({ live, between = () => null }) {
  /** Camera → server → this page; each step says how it is undone. */
  async function loopback(cleanup, fail) {
    showState('working', 'Opening the camera…');
    const peer = await createPeer('Sendrecv', {
      localVideo: document.querySelector('#local'),
      remoteVideo: document.querySelector('#remote'),
    });
    cleanup.add(() => peer.dispose());
    if (cleanup.over) return;

    showState('working', 'Connecting to the server…');
    const pipeline = await openPipeline(cleanup);
    const endpoint = await pipeline.create('WebRtcEndpoint');
    const element = await between(pipeline, fail);
    if (element) await invoke(endpoint, 'connect', element);
    await invoke(element ?? endpoint, 'connect', endpoint);
    if (cleanup.over) return;

    watchConnection(peer, fail, () => showState('live', live));
    await negotiate(peer, endpoint);
    cleanup.add(showFacts(peer, document.querySelector('#facts')));
  }

  offerRun(loopback);
}
