import { connectToServer, createPeer, invoke, negotiate, watchConnection } from '../common/call.js';
import { Cleanup } from '../common/cleanup.js';
import { showError, showFacts, showState } from '../common/page.js';

const element = (id) => document.querySelector(`#${id}`);
const bar = element('position');
const POSITION_EVERY_MS = 500;
let call = null;
let player = null;
let seeking = false; // the bar is being moved by hand

/** Begins, or goes on after a pause. */
async function play() {
  try {
    if (player) {
      await invoke(player, 'play');
      return setPlaying(true);
    }
    call = new Cleanup();
    setRunning(true);
    await begin(call);
  } catch (error) {
    fail(error);
  }
}

/** File or stream → server → this page; each step says how it is undone. */
async function begin(cleanup) {
  showState('working', 'Connecting to the server…');
  const peer = await createPeer('Recvonly', { remoteVideo: element('screen') });
  cleanup.add(() => peer.dispose());
  if (cleanup.over) return;

  const client = await connectToServer();
  cleanup.add(() => client.close());
  const pipeline = await client.create('MediaPipeline');
  cleanup.add(() => pipeline.release());
  const source = await pipeline.create('PlayerEndpoint', { uri: element('uri').value.trim() });
  const endpoint = await pipeline.create('WebRtcEndpoint');
  await invoke(source, 'connect', endpoint);
  source.on('Error', ({ description }) => fail(new Error(description)));
  source.on('EndOfStream', () => stop('The end'));
  if (cleanup.over) return;

  watchConnection(peer, (state) => {
    if (state === 'failed') fail(new Error('The media connection failed: no network path between this browser and the server.'));
  });
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
  await invoke(player, 'pause').catch(fail);
  setPlaying(false);
}

async function seek() {
  seeking = false;
  if (player) await invoke(player, 'setPosition', Number(bar.value)).catch(fail);
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
  element('play').disabled = running;
  element('pause').disabled = true;
  element('stop').disabled = !running;
}

function setPlaying(playing) {
  element('play').disabled = playing;
  element('pause').disabled = !playing;
  showState(playing ? 'live' : 'working', playing ? 'Playing' : 'Paused');
}

element('play').addEventListener('click', play);
element('pause').addEventListener('click', pause);
element('stop').addEventListener('click', () => stop());
bar.addEventListener('input', () => (seeking = true));
bar.addEventListener('change', seek);
addEventListener('pagehide', () => call && stop());
