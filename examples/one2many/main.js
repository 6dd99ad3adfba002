import { Cleanup } from '../common/cleanup.js';
import { showError, showFacts, showState } from '../common/page.js';
import { present } from './presenter.js';
import { watch } from './viewer.js';

const presentButton = document.querySelector('#present');
const watchButton = document.querySelector('#watch');
const stopButton = document.querySelector('#stop');
const screen = document.querySelector('#screen');
const role = document.querySelector('#role');
const facts = document.querySelector('#facts');
let call = null;

async function start(title, run, report) {
  call = new Cleanup();
  setRunning(true);
  role.textContent = title;
  showState('working', 'Connecting…');
  try {
    await run(screen, call, report, fail);
  } catch (error) {
    fail(error);
  }
}

function onPresenting(state) {
  if (state === 'connected') showState('live', 'You are presenting');
  if (state === 'failed') fail(noPath());
}

let hideFacts = () => {};
function onWatching(state, peer) {
  if (state === 'waiting') {
    hideFacts();
    showState('working', 'Waiting for a presenter…');
  }
  if (state === 'connected') {
    hideFacts();
    hideFacts = showFacts(peer, facts);
    showState('live', 'You are watching');
  }
  if (state === 'failed') fail(noPath());
}

function noPath() {
  return new Error('The media connection failed: no network path between this browser and the server.');
}

function fail(error) {
  if (!call) return; // stopped meanwhile: whatever failed is of no interest any more
  stop();
  showError(error);
}

function stop() {
  call?.run();
  call = null;
  hideFacts();
  role.textContent = 'Nothing yet';
  setRunning(false);
  showState('idle', 'Stopped');
}

function setRunning(running) {
  presentButton.disabled = running;
  watchButton.disabled = running;
  stopButton.disabled = !running;
}

presentButton.addEventListener('click', () => start('Your camera', present, onPresenting));
watchButton.addEventListener('click', () => start('The presenter', watch, onWatching));
stopButton.addEventListener('click', stop);
addEventListener('pagehide', () => call && stop());
