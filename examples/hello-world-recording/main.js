import { createPeer, invoke, negotiate, watchConnection } from '../common/call.js';
import { Cleanup } from '../common/cleanup.js';
import { showError, showFacts, showState } from '../common/page.js';
import { newRecording, openPipeline, playBack, recordFrom, showRecorded } from '../common/recording.js';

const element = (id) => document.querySelector(`#${id}`);
let call = null;
let recorder = null;
let recording = null; // URI of the last one that is complete

/** Runs `steps` as the page's one call. */
async function run(steps) {
  call = new Cleanup();
  setRunning(true);
  try {
    await steps(call);
  } catch (error) {
    fail(error);
  }
}

/** Camera → server → this page, and into a file; each step says how it is undone. */
async function loopback(cleanup) {
  showState('working', 'Opening the camera…');
  const peer = await createPeer('Sendrecv', { localVideo: element('local'), remoteVideo: element('remote') });
  cleanup.add(() => peer.dispose());
  if (cleanup.over) return;

  showState('working', 'Connecting to the server…');
  const pipeline = await openPipeline(cleanup);
  const endpoint = await pipeline.create('WebRtcEndpoint');
  await invoke(endpoint, 'connect', endpoint);
  const uri = newRecording('webm');
  const started = await recordFrom(endpoint, pipeline, { uri, mediaProfile: 'WEBM' }, fail);
  if (cleanup.over) return;

  recorder = { endpoint: started, uri };
  cleanup.add(() => (recorder = null));
  cleanup.add(showRecorded(started, element('recorded')));
  watchConnection(peer, onConnection);
  await negotiate(peer, endpoint);
  cleanup.add(showFacts(peer, element('facts')));
}

function onConnection(state) {
  if (state === 'connected') showState('live', 'Your camera is coming back, and recorded');
  if (state === 'failed') fail(new Error('The media connection failed: no network path between this browser and the server.'));
}

async function play(cleanup) {
  showState('working', 'Fetching the recording…');
  const watched = { uri: recording, video: element('remote'), kinds: { audio: true, video: true } };
  const peer = await playBack(cleanup, { ...watched, ended: () => stop('The end of the recording'), failed: fail });
  cleanup.add(showFacts(peer, element('facts')));
  if (!cleanup.over) showState('live', 'Playing the recording');
}

/** Ends the call; a recording is completed first. */
async function finish() {
  if (!recorder) return stop('Stopped');
  const { endpoint, uri } = recorder;
  recorder = null;
  element('stop').disabled = true;
  showState('working', 'Completing the recording…');
  try {
    await invoke(endpoint, 'stopAndWait');
    recording = uri;
    stop('Recorded');
  } catch (error) {
    fail(error);
  }
}

function fail(error) {
  if (!call) return; // stopped meanwhile: whatever failed is of no interest any more
  stop();
  showError(error);
}

function stop(text = 'Stopped') {
  call?.run();
  call = null;
  setRunning(false);
  showState('idle', text);
}

function setRunning(running) {
  element('start').disabled = running;
  element('stop').disabled = !running;
  element('play').disabled = running || !recording;
}

element('start').addEventListener('click', () => run(loopback));
element('stop').addEventListener('click', finish);
element('play').addEventListener('click', () => run(play));
addEventListener('pagehide', () => call && stop());
