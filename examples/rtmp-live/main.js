import { createPeer, invoke, negotiate, openPipeline, watchConnection } from '../common/call.js';
import { showFacts, showState } from '../common/page.js';
import '../common/rtmp.js';
import { offerRun } from '../common/run.js';

const element = (id) => document.querySelector(`#${id}`);
const FIGURES_EVERY_MS = 1000;

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

/** Where to publish to, and the element that has what was published: of another server, or without one of this server. */
async function streamOf(pipeline, uri) {
  if (uri) return { uri, stream: await pipeline.create('RtmpPlayer', { uri }) };
  const stream = await pipeline.create('RtmpIngest', {});
  return { uri: await invoke(stream, 'getUri'), stream };
}

/** Keeps `place`'s text at what `publisher` sends, until the returned function is called. */
function showSent(publisher, place) {
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

offerRun(begin);
