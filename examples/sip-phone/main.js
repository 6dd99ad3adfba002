import { connectToServer, createPeer, invoke, negotiate, watchConnection } from '../common/call.js';
import { Cleanup } from '../common/cleanup.js';
import { showError, showState } from '../common/page.js';

const element = (id) => document.querySelector(`#${id}`);
const LOOK_EVERY_MS = 300;
let session = null;
let call = null; // of a phone: {id, revision, endpoint}

async function start() {
  session = new Cleanup();
  setRunning(true);
  try {
    await begin(session);
  } catch (error) {
    fail(error);
  }
}

/** Microphone → server, and the server's line for phones; each step says how it is undone. */
async function begin(cleanup) {
  showState('working', 'Opening the microphone…');
  const media = { mediaConstraints: { audio: true, video: false }, remoteVideo: element('phone') };
  const peer = await createPeer('Sendrecv', media);
  cleanup.add(() => peer.dispose());
  if (cleanup.over) return;

  showState('working', 'Connecting to the server…');
  const client = await connectToServer();
  cleanup.add(() => client.close());
  const pipeline = await client.create('MediaPipeline');
  cleanup.add(() => pipeline.release());
  const page = await pipeline.create('WebRtcEndpoint');
  if (cleanup.over) return;

  watchConnection(peer, (state) => {
    if (state === 'failed') fail(new Error('The media connection failed: no network path between this browser and the server.'));
  });
  await negotiate(peer, page);
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

function fail(error) {
  if (!session) return; // stopped meanwhile: whatever failed is of no interest any more
  stop();
  showError(error);
}

function stop() {
  session?.run();
  session = null;
  call = null;
  setRunning(false);
  showState('idle', 'Stopped');
}

function setRunning(running) {
  element('start').disabled = running;
  element('stop').disabled = !running;
  element('hangup').disabled = true;
}

element('start').addEventListener('click', start);
element('hangup').addEventListener('click', hangUp);
element('stop').addEventListener('click', stop);
addEventListener('pagehide', () => session && stop());
