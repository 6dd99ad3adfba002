import { createPeer, invoke, negotiate, watchConnection } from '../common/call.js';
import { Cleanup } from '../common/cleanup.js';
import { showError, showFacts, showState } from '../common/page.js';
import { newRecording, openPipeline, playBack, recordFrom, showRecorded } from '../common/recording.js';

const element = (id) => document.querySelector(`#${id}`);
let call = null;
let recorder = null; // while it records, or is paused
let recording = null; // the last one that is complete: its URI, and what kinds of media it has

/** Runs `steps` as the page's one call. */
async function run(steps) {
  call = new Cleanup();
  showButtons();
  try {
    await steps(call);
  } catch (error) {
    fail(error);
  }
}

/** What a profile's name says of its file. */
function kindsOf(profile) {
  return { audio: !profile.endsWith('_VIDEO_ONLY'), video: !profile.endsWith('_AUDIO_ONLY') };
}

/** Camera → server → file; each step says how it is undone. */
async function record(cleanup) {
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
  watchConnection(peer, (state) => {
    if (state === 'connected') showRecording(true);
    if (state === 'failed') fail(new Error('The media connection failed: no network path between this browser and the server.'));
  });
  await negotiate(peer, endpoint);
}

/** Pauses, or goes on. */
async function pause() {
  const goesOn = element('pause').textContent === 'Go on';
  try {
    await invoke(recorder.endpoint, goesOn ? 'record' : 'pause');
    showRecording(goesOn);
  } catch (error) {
    fail(error);
  }
}

async function play(cleanup) {
  showState('working', 'Fetching the recording…');
  const watched = { ...recording, video: element('remote') };
  const peer = await playBack(cleanup, { ...watched, ended: () => stop('The end of the recording'), failed: fail });
  cleanup.add(showFacts(peer, element('facts')));
  if (!cleanup.over) showState('live', 'Playing');
}

/** Ends the call; a recording is completed first. */
async function finish() {
  if (!recorder) return stop('Stopped');
  const { endpoint, uri, kinds } = recorder;
  recorder = null;
  showButtons();
  showState('working', 'Completing the file…');
  try {
    await invoke(endpoint, 'stopAndWait');
    recording = { uri, kinds };
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
  showButtons();
  showState('idle', text);
}

function showRecording(recording) {
  showState(recording ? 'live' : 'working', recording ? 'Recording' : 'Paused');
  showButtons();
  element('pause').textContent = recording ? 'Pause' : 'Go on';
  element('pause').disabled = false;
}

function showButtons() {
  element('profile').disabled = call !== null;
  element('record').disabled = call !== null;
  element('pause').disabled = true;
  element('pause').textContent = 'Pause';
  element('stop').disabled = call === null;
  element('play').disabled = call !== null || !recording;
}

element('record').addEventListener('click', () => run(record));
element('pause').addEventListener('click', pause);
element('stop').addEventListener('click', finish);
element('play').addEventListener('click', () => run(play));
addEventListener('pagehide', () => call && stop());
