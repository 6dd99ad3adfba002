import { createPeer, invoke, negotiate, openPipeline, watchConnection } from '../common/call.js';
import { showFacts, showState } from '../common/page.js';
import { showSent, streamOf } from '../common/rtmp.js';
import { offerRun } from '../common/run.js';

const element = (id) => document.querySelector(`#${id}`);

/** Camera → server → RTMP server → server → this page; each step says how it is undone. */
async function begin(cleanup, fail) {
  showState('working', 'Opening the camera…');
  const camera = await createPeer('Sendonly', { localVideo: element('local') });
  cleanup.add(() => camera.dispose());
  const screen = await createPeer('Recvonly', { remoteVideo: element('screen') });
  cleanup.add(() => screen.dispose());
  if (cleanup.over) return;

  showState('working', 'Connecting to the server…');
  const pipeline = await openPipeline(cleanup);
  const [published, watched] = [await pipeline.create('WebRtcEndpoint'), await pipeline.create('WebRtcEndpoint')];
  const { uri, stream } = await streamOf(pipeline, element('uri').value.trim());
  const publisher = await pipeline.create('RtmpPublisher', { uri });
  for (const failing of [publisher, stream]) failing.on('Error', ({ description }) => fail(new Error(description)));
  publisher.on('Disconnected', ({ reason }) => cleanup.over || showState('working', `The RTMP server is away: ${reason}`));
  publisher.on('Connected', () => cleanup.over || showState('live', 'Your camera is live'));
  await invoke(published, 'connect', publisher);
  await invoke(stream, 'connect', watched);
  if (cleanup.over) return;

  showState('working', 'Publishing…');
  for (const [peer, endpoint] of [[camera, published], [screen, watched]]) {
    watchConnection(peer, fail);
    await negotiate(peer, endpoint);
    if (cleanup.over) return;
  }
  cleanup.add(showFacts(screen, element('facts')));
  cleanup.add(showSent(publisher, element('sent')));
}

offerRun(begin);
