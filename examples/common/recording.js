// What the pages that record have in common: a place for a recording, what the
// server says of it, and playing it back.

import { createPeer, invoke, negotiate, openPipeline, watchConnection } from './call.js';

const FIGURES_EVERY_MS = 500;

/** A new file in the server's /tmp, which is where its default policy lets anybody record. */
export function newRecording(ending) {
  return `file:///tmp/rivero-example-${crypto.randomUUID()}.${ending}`;
}

/** Connects `source` to a new recorder, and records. `failed(error)` hears of what goes wrong. */
export async function recordFrom(source, pipeline, { uri, mediaProfile }, failed) {
  const recorder = await pipeline.create('RecorderEndpoint', { uri, mediaProfile });
  recorder.on('Error', ({ description }) => failed(new Error(description)));
  await invoke(source, 'connect', recorder);
  await invoke(recorder, 'record');
  return recorder;
}

/** Keeps `element`'s text at what `recorder` has recorded, until the returned function is called. */
export function showRecorded(recorder, element) {
  let over = false;
  const show = async () => {
    const stats = await invoke(recorder, 'getStats').catch(() => null); // released meanwhile
    const entry = Object.values(stats ?? {}).find(({ recordingState }) => recordingState);
    if (!over && entry) element.textContent = `${clock(entry.recordedMillis)}, ${Math.round(entry.bytesWritten / 1000)} kB`;
  };
  const timer = setInterval(show, FIGURES_EVERY_MS);
  return () => {
    over = true;
    clearInterval(timer);
  };
}

function clock(milliseconds) {
  const seconds = Math.floor(milliseconds / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/**
 * File → server → `video`. `kinds` says what is in the file, as
 * `{audio, video}`. Calls `ended()` at its end, `failed(error)` if there is none.
 * Resolves to the peer.
 */
export async function playBack(cleanup, { uri, video, kinds, ended, failed }) {
  const peer = await createPeer('Recvonly', { remoteVideo: video, mediaConstraints: kinds });
  cleanup.add(() => peer.dispose());
  const pipeline = await openPipeline(cleanup);
  const player = await pipeline.create('PlayerEndpoint', { uri });
  const endpoint = await pipeline.create('WebRtcEndpoint');
  player.on('EndOfStream', ended);
  player.on('Error', ({ description }) => failed(new Error(description)));
  await invoke(player, 'connect', endpoint);
  // What is played before somebody can see it is lost.
  watchConnection(peer, failed, () => invoke(player, 'play').catch(failed));
  if (!cleanup.over) await negotiate(peer, endpoint);
  return peer;
}
