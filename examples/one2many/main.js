import { showFacts, showState } from '../common/page.js';
import { Run } from '../common/run.js';
import { present } from './presenter.js';
import { watch } from './viewer.js';

const presentButton = document.querySelector('#present');
const watchButton = document.querySelector('#watch');
const stopButton = document.querySelector('#stop');
const screen = document.querySelector('#screen');
const role = document.querySelector('#role');
const facts = document.querySelector('#facts');
const run = new Run((isRunning) => {
  presentButton.disabled = isRunning;
  watchButton.disabled = isRunning;
  stopButton.disabled = !isRunning;
});

/** `title` is shown while this page does what `act` does. */
function start(title, act, report) {
  return run.start((cleanup, fail) => {
    role.textContent = title;
    cleanup.add(() => (role.textContent = 'Nothing yet'));
    cleanup.add(() => hideFacts());
    showState('working', 'Connecting…');
    return act(screen, cleanup, report, fail);
  });
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
}

presentButton.addEventListener('click', () => start('Your camera', present, () => showState('live', 'You are presenting')));
watchButton.addEventListener('click', () => start('The presenter', watch, onWatching));
stopButton.addEventListener('click', () => run.stop());
