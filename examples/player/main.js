import { createPeer, invoke, negotiate, openPipeline, watchConnection } from '../common/call.js';
import { showFacts, showState } from '../common/page.js';
import { Run } from '../common/run.js';

const element = (id) => document.querySelector(`#${id}`);
const bar = element('position');
const POSITION_EVERY_MS = 500;
let player = null;
let seeking = false; // the bar is being moved by hand

const run = new Run((isRunning) => {
  element('play').disabled = isRunning;
  element('pause').disabled = true;
  element('stop').disabled = !isRunning;
});

/** Begins, or goes on after a pause. */
async function play() {
  if (!player) return run.start(begin);
  try {
    await invoke(player, 'play');
    setPlaying(true);
  } catch (error) {
    run.fail(error);
  }
}

/** File or stream → server → this page; each step says how it is undone. */
async function begin(cleanup, fail) {
  showState('working', 'Connecting to the server…');
  const peer = await createPeer('Recvonly', { remoteVideo: element('screen') });
  cleanup.add(() => peer.dispose());
  if (cleanup.over) return;

  const pipeline = await openPipeline(cleanup);
  const source = await pipeline.create('PlayerEndpoint', { uri: element('uri').value.trim() });
  const endpoint = await pipeline.create('WebRtcEndpoint');
  await invoke(source, 'connect', endpoint);
  source.on('Error', ({ description }) => fail(new Error(description)));
  source.on('EndOfStream', () => cleanup.over || run.stop('The end'));
  if (cleanup.over) return;

  watchConnection(peer, fail);
  await negotiate(peer, endpoint);
  await invoke(source, 'play');
  if (cleanup.over) return;
  player = source;
  cleanup.add(() => (player = null));
  setPlaying(true);
  cleanup.add(showFacts(peer, element('facts')));
  cleanup.add(await showPosition(source));
}

/** Shows how far `source` is until the returned function is called. */
async function showPosition(source) {
  const { isSeekable, seekableEnd, duration } = await invoke(source, 'getVideoInfo');
  bar.max = isSeekable ? seekableEnd : duration;
  bar.disabled = !isSeekable;
  const timer = setInterval(async () => {
    const position = await invoke(source, 'getPosition').catch(() => 0); // released meanwhile
    if (!seeking && player === source) showTime(position);
  }, POSITION_EVERY_MS);
  return () => {
    clearInterval(timer);
    bar.disabled = true;
    showTime(0);
  };
}

function showTime(position) {
  bar.value = position;
  const minutes = (milliseconds) => `${Math.floor(milliseconds / 60_000)}:${String(Math.floor(milliseconds / 1000) % 60).padStart(2, '0')}`;
  element('time').textContent = Number(bar.max) > 0 ? `${minutes(position)} of ${minutes(bar.max)}` : '';
}

async function pause() {
  await invoke(player, 'pause').catch(run.fail);
  setPlaying(false);
}

async function seek() {
  seeking = false;
  if (player) await invoke(player, 'setPosition', Number(bar.value)).catch(run.fail);
}

function setPlaying(playing) {
  element('play').disabled = playing;
  element('pause').disabled = !playing;
  showState(playing ? 'live' : 'working', playing ? 'Playing' : 'Paused');
}

element('play').addEventListener('click', play);
element('pause').addEventListener('click', pause);
element('stop').addEventListener('click', () => run.stop());
bar.addEventListener('input', () => (seeking = true));
bar.addEventListener('change', seek);
