import { createPeer, invoke, negotiate, openPipeline, watchConnection } from '../common/call.js';
import { showState } from '../common/page.js';
import { offerRun } from '../common/run.js';

const element = (id) => document.querySelector(`#${id}`);
const LOOK_EVERY_MS = 300;
let call = null; // of a phone: {id, revision, endpoint}

/** Microphone → server, and the server's line for phones; each step says how it is undone. */
async function begin(cleanup, fail) {
  showState('working', 'Opening the microphone…');
  const media = { mediaConstraints: { audio: true, video: false }, remoteVideo: element('phone') };
  const peer = await createPeer('Sendrecv', media);
  cleanup.add(() => peer.dispose());
  if (cleanup.over) return;

  showState('working', 'Connecting to the server…');
  const pipeline = await openPipeline(cleanup);
  const page = await pipeline.create('WebRtcEndpoint');
  if (cleanup.over) return;

  watchConnection(peer, fail);
  await negotiate(peer, page);
  cleanup.add(() => (call = null));
  cleanup.add(hangUp);
  await lookForCalls(cleanup, pipeline, page);
}

/** Answers what the line has, until the page stops. */
async function lookForCalls(cleanup, pipeline, page) {
  while (!cleanup.over) {
    const response = await fetch('call');
    if (!response.ok) throw new Error('The web server has no line for phones: start it with --sip PORT.');
    const { dial, call: waiting } = await response.json();
    if (cleanup.over) return;
    if (call && call.id !== waiting?.id) await end();
    if (waiting && waiting.revision !== call?.revision) await answer(waiting, pipeline, page);
    else if (!call) showState('working', `Call ${dial}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** Answers a new call, or what a phone changes about its call: a hold, say. */
async function answer({ id, offer, revision }, pipeline, page) {
  const isNew = !call;
  const endpoint = call?.endpoint ?? (await pipeline.create('RtpEndpoint'));
  call = { id, revision, endpoint };
  if (isNew) {
    // An event of Rivero's own, which the client has to be told of.
    const { events } = endpoint.constructor;
    if (!events.includes('TelephoneEvent')) events.push('TelephoneEvent');
    endpoint.on('TelephoneEvent', ({ digit }) => (element('digits').textContent += digit));
    await invoke(endpoint, 'connect', page);
    await invoke(page, 'connect', endpoint);
  }
  const body = await invoke(endpoint, 'processOffer', offer);
  await fetch(`call?${new URLSearchParams({ id, revision })}`, { method: 'PUT', body });
  element('hangup').disabled = false;
  showState('live', 'Talking');
}

/** The call is over. */
async function end() {
  const { endpoint } = call;
  call = null;
  element('hangup').disabled = true;
  element('digits').textContent = '';
  await invoke(endpoint, 'release');
}

function hangUp() {
  if (call) fetch(`call?${new URLSearchParams({ id: call.id })}`, { method: 'DELETE', keepalive: true });
}

offerRun(begin, () => (element('hangup').disabled = true));
element('hangup').addEventListener('click', hangUp);
