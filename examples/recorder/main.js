import { createPeer, invoke, negotiate, openPipeline, watchConnection } from '../common/call.js';
import { showFacts, showState } from '../common/page.js';
import { newRecording, playBack, recordFrom, showRecorded } from '../common/recording.js';
import { Run } from '../common/run.js';

const element = (id) => document.querySelector(`#${id}`);
let recorder = null; // while it records, or is paused
let recording = null; // the last one that is complete: its URI, and what kinds of media it has

const run = new Run(showButtons);

/** What a profile's name says of its file. */
function kindsOf(profile) {
  return { audio: !profile.endsWith('_VIDEO_ONLY'), video: !profile.endsWith('_AUDIO_ONLY') };
}

/** Camera → server → file; each step says how it is undone. */
async function record(cleanup, fail) {
  const mediaProfile = element('profile').value;
  const kinds = kindsOf(mediaProfile);
  showState('working', 'Opening camera and microphone…');
  const peer = await createPeer('Sendonly', { localVideo: element('local'), mediaConstraints: kinds });
  cleanup.add(() => peer.dispose());
  if (cleanup.over) return;

  showState('working', 'Connecting to the server…');
  const pipeline = await openPipeline(cleanup);
  const endpoint = await pipeline.create('WebRtcEndpoint');
  const uri = newRecording(mediaProfile.split('_')[0].toLowerCase());
  const started = await recordFrom(endpoint, pipeline, { uri, mediaProfile }, fail);
  if (cleanup.over) return;

  recorder = { endpoint: started, uri, kinds };
  cleanup.add(() => (recorder = null));
  cleanup.add(showRecorded(started, element('recorded')));
  element('uri').textContent = uri;
  watchConnection(peer, fail, () => showRecording(true));
  await negotiate(peer, endpoint);
}

/** Pauses, or goes on. */
async function pause() {
  const goesOn = element('pause').textContent === 'Go on';
  try {
    await invoke(recorder.endpoint, goesOn ? 'record' : 'pause');
    showRecording(goesOn);
  } catch (error) {
    run.fail(error);
  }
}

async function play(cleanup, fail) {
  showState('working', 'Fetching the recording…');
  const watched = { ...recording, video: element('remote') };
  const peer = await playBack(cleanup, { ...watched, ended: () => cleanup.over || run.stop('The end of the recording'), failed: fail });
  cleanup.add(showFacts(peer, element('facts')));
  if (!cleanup.over) showState('live', 'Playing');
}

/** Ends the call; a recording is completed first. */
async function finish() {
  if (!recorder) return run.stop();
  const { endpoint, uri, kinds } = recorder;
  recorder = null;
  showButtons();
  showState('working', 'Completing the file…');
  try {
    await invoke(endpoint, 'stopAndWait');
    recording = { uri, kinds };
    run.stop('Recorded');
  } catch (error) {
    run.fail(error);
  }
}

function showRecording(recording) {
  showState(recording ? 'live' : 'working', recording ? 'Recording' : 'Paused');
  showButtons();
  element('pause').textContent = recording ? 'Pause' : 'Go on';
  element('pause').disabled = false;
}

function showButtons() {
  element('profile').disabled = run.isRunning;
  element('record').disabled = run.isRunning;
  element('pause').disabled = true;
  element('pause').textContent = 'Pause';
  element('stop').disabled = !run.isRunning;
  element('play').disabled = run.isRunning || !recording;
}

element('record').addEventListener('click', () => run.start(record));
element('pause').addEventListener('click', pause);
element('stop').addEventListener('click', finish);
element('play').addEventListener('click', () => run.start(play));
