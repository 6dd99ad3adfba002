import { connectToServer, createPeer, invoke, negotiate, openPipeline, watchConnection } from '../common/call.js';
import { takePart } from '../common/composite.js';
import { board } from '../common/notice.js';
import { showState } from '../common/page.js';
import { showSent, streamOf } from '../common/rtmp.js';
import { Run } from '../common/run.js';

const element = (id) => document.querySelector(`#${id}`);
const SIZE = { width: 960, height: 540, framerate: 25 };
const mine = () => ({ screen: element('screen'), facts: element('facts'), label: element('name').value });
const show = board('/co-hosting/show', 'Somebody else is the host. Choose Join instead.');

/** Makes the show: a composite of all who join, which goes out by RTMP. It lasts as long as this page takes part. */
async function host(cleanup, fail) {
  showState('working', 'Connecting to the server…');
  await show.check();
  const pipeline = await openPipeline(cleanup);
  const composite = await pipeline.create('Composite', SIZE);
  await takePart(pipeline, composite, mine(), cleanup, fail);
  if (cleanup.over) return;

  const { uri, stream } = await streamOf(pipeline, element('uri').value.trim());
  const publisher = await pipeline.create('RtmpPublisher', { uri, silentAudio: true });
  for (const failing of [publisher, stream]) failing.on('Error', ({ description }) => fail(new Error(description)));
  publisher.on('Disconnected', ({ reason }) => cleanup.over || showState('working', `The RTMP server is away: ${reason}`));
  publisher.on('Connected', () => cleanup.over || showState('live', 'You are on air'));
  const port = await pipeline.create('HubPort', { hub: composite });
  await invoke(port, 'connect', publisher);
  if (cleanup.over) return;

  await watchAir(pipeline, stream, cleanup, fail);
  cleanup.add(showSent(publisher, element('sent')));
  if (!cleanup.over) await show.announce(composite.id, cleanup, fail);
}

/** Joins the show of another page. */
async function join(cleanup, fail) {
  showState('working', 'Connecting to the server…');
  const id = await show.current();
  if (!id) throw new Error('There is no show yet. Choose Host to begin one.');
  const client = await connectToServer();
  cleanup.add(() => client.close());
  const composite = await client.getMediaobjectById(id);
  const pipeline = await composite.getMediaPipeline();
  const made = await takePart(pipeline, composite, mine(), cleanup, fail, () => showState('live', 'You are on air'));
  // The pipeline is the host's and goes on.
  cleanup.add(() => made?.forEach((object) => object.release()));
}

/** What comes out of the RTMP server; silent, since this page is heard in it. */
async function watchAir(pipeline, stream, cleanup, fail) {
  const peer = await createPeer('Recvonly', { remoteVideo: element('air') });
  cleanup.add(() => peer.dispose());
  if (cleanup.over) return;
  const endpoint = await pipeline.create('WebRtcEndpoint');
  await invoke(stream, 'connect', endpoint);
  watchConnection(peer, fail);
  await negotiate(peer, endpoint);
}

const run = new Run((isRunning) => {
  for (const id of ['host', 'join', 'name', 'uri']) element(id).disabled = isRunning;
  element('stop').disabled = !isRunning;
});
element('host').addEventListener('click', () => run.start(host));
element('join').addEventListener('click', () => run.start(join));
element('stop').addEventListener('click', () => run.stop());
