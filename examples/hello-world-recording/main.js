import { createPeer, invoke, negotiate, openPipeline, watchConnection } from '../common/call.js';
import { showFacts, showState } from '../common/page.js';
import { newRecording, playBack, recordFrom, showRecorded } from '../common/recording.js';
import { Run } from '../common/run.js';

const element = (id) => document.querySelector(`#${id}`);
let recorder = null;
let recording = null; // URI of the last one that is complete

const run = new Run((isRunning) => {
  element('start').disabled = isRunning;
  element('stop').disabled = !isRunning;
  element('play').disabled = isRunning || !recording;
});

/** Camera → server → this page, and into a file; each step says how it is undone. */
async function loopback(cleanup, fail) {
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
  watchConnection(peer, fail, () => showState('live', 'Your camera is coming back, and recorded'));
  await negotiate(peer, endpoint);
  cleanup.add(showFacts(peer, element('facts')));
}

async function play(cleanup, fail) {
  showState('working', 'Fetching the recording…');
  const watched = { uri: recording, video: element('remote'), kinds: { audio: true, video: true } };
  const peer = await playBack(cleanup, { ...watched, ended: () => cleanup.over || run.stop('The end of the recording'), failed: fail });
  cleanup.add(showFacts(peer, element('facts')));
  if (!cleanup.over) showState('live', 'Playing the recording');
}

/** Ends the call; a recording is completed first. */
async function finish() {
  if (!recorder) return run.stop();
  const { endpoint, uri } = recorder;
  recorder = null;
  element('stop').disabled = true;
  showState('working', 'Completing the recording…');
  try {
    await invoke(endpoint, 'stopAndWait');
    recording = uri;
    run.stop('Recorded');
  } catch (error) {
    run.fail(error);
  }
}

element('start').addEventListener('click', () => run.start(loopback));
element('stop').addEventListener('click', finish);
element('play').addEventListener('click', () => run.start(play));
