// The pages that show the camera as it comes back from the server: buttons
// `#start` and `#stop`, videos `#local` and `#remote`.

import { connectToServer, createPeer, invoke, negotiate, watchConnection } from './call.js';
import { Cleanup } from './cleanup.js';
import { showError, showFacts, showState } from './page.js';

/**
 * Lets the buttons of the page start and stop the loopback. `between(pipeline, fail)` makes the
 * element that the media goes through, if there is to be one, and calls `fail(error)` when that fails later.
 */
export function offerLoopback({ live, between = () => null }) {
  const startButton = document.querySelector('#start');
  const stopButton = document.querySelector('#stop');
  let call = null;

  async function start() {
    call = new Cleanup();
    setRunning(true);
    try {
      await loopback(call);
    } catch (error) {
      fail(error);
    }
  }

  /** Camera → server → this page; each step says how it is undone. */
  async function loopback(cleanup) {
    showState('working', 'Opening the camera…');
    const peer = await createPeer('Sendrecv', {
      localVideo: document.querySelector('#local'),
      remoteVideo: document.querySelector('#remote'),
    });
    cleanup.add(() => peer.dispose());
    if (cleanup.over) return;

    showState('working', 'Connecting to the server…');
    const client = await connectToServer();
    cleanup.add(() => client.close());
    const pipeline = await client.create('MediaPipeline');
    cleanup.add(() => pipeline.release());
    const endpoint = await pipeline.create('WebRtcEndpoint');
    const element = await between(pipeline, fail);
    if (element) await invoke(endpoint, 'connect', element);
    await invoke(element ?? endpoint, 'connect', endpoint);
    if (cleanup.over) return;

    watchConnection(peer, onConnection);
    await negotiate(peer, endpoint);
    cleanup.add(showFacts(peer, document.querySelector('#facts')));
  }

  function onConnection(state) {
    if (state === 'connected') showState('live', live);
    if (state === 'failed') fail(new Error('The media connection failed: no network path between this browser and the server.'));
  }

  function fail(error) {
    if (!call) return; // stopped meanwhile: whatever failed is of no interest any more
    stop();
    showError(error);
  }

  function stop() {
    call?.run();
    call = null;
    setRunning(false);
    showState('idle', 'Stopped');
  }

  function setRunning(running) {
    startButton.disabled = running;
    stopButton.disabled = !running;
  }

  startButton.addEventListener('click', start);
  stopButton.addEventListener('click', stop);
  addEventListener('pagehide', () => call && stop());
}
