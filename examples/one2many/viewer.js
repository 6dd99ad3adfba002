import { connectToServer, createPeer, invoke, negotiate, watchConnection } from '../common/call.js';
import { Cleanup } from '../common/cleanup.js';
import { presenter } from './board.js';

const POLL_MS = 500;
const OBJECT_NOT_FOUND = 40101;

/**
 * Shows whoever presents, one presenter after the other, until `cleanup` runs.
 * `report(state, peer)` gets 'waiting', and 'connected' once somebody is seen; `fail(error)` what goes wrong later.
 */
export async function watch(video, cleanup, report, fail) {
  const client = await connectToServer();
  cleanup.add(() => client.close());

  let shown = null; // the presenter's endpoint that is on screen
  let view = new Cleanup();
  cleanup.add(() => view.run());
  const follow = async () => {
    const endpoint = await presenter.current();
    if (endpoint === shown || cleanup.over) return;
    view.run();
    shown = endpoint;
    view = new Cleanup();
    if (!endpoint) return report('waiting');
    await show(client, endpoint, video, view, report, fail).catch((error) => {
      if (error.code !== OBJECT_NOT_FOUND) throw error;
      report('waiting'); // the presenter has left without taking the notice down
    });
  };
  report('waiting');
  await repeat(follow, cleanup, fail);
}

/** Adds this page as one more WebRtcEndpoint to the presenter's pipeline. */
async function show(client, presenterId, video, cleanup, report, fail) {
  const source = await client.getMediaobjectById(presenterId);
  const pipeline = await source.getMediaPipeline();
  const endpoint = await pipeline.create('WebRtcEndpoint');
  cleanup.add(() => endpoint.release());
  if (cleanup.over) return;
  await invoke(source, 'connect', endpoint);

  const peer = await createPeer('Recvonly', { remoteVideo: video });
  cleanup.add(() => peer.dispose());
  if (cleanup.over) return;
  watchConnection(peer, fail, () => report('connected', peer));
  await negotiate(peer, endpoint);
}

/** Runs `step` again and again, one at a time, with a pause between. */
async function repeat(step, cleanup, fail) {
  let timer;
  cleanup.add(() => clearTimeout(timer));
  const run = async () => {
    try {
      await step();
      if (!cleanup.over) timer = setTimeout(run, POLL_MS);
    } catch (error) {
      fail(error);
    }
  };
  await run();
}
