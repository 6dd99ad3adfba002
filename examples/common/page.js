// The parts of the pages that are alike: buttons, the state line, the facts
// under a video.

/**
 * Shows `state` in the page's state line: idle, working, live or failed, with a
 * text for people.
 */
export function showState(state, text) {
  const line = document.querySelector('#state');
  line.dataset.state = state;
  line.textContent = text;
}

/** Shows an error; what it says comes from the browser, the client or the server. */
export function showError(error) {
  console.error(error);
  const code = error.code ? ` (${error.code})` : '';
  showState('failed', `${error.message ?? error}${code}`);
}

/** Keeps `element`'s text up to date with what `peer` receives, until the returned function is called. */
export function showFacts(peer, element) {
  let last = { bytes: 0, time: 0 };
  const timer = setInterval(async () => {
    const report = await peer.peerConnection.getStats();
    const video = [...report.values()].find((entry) => entry.type === 'inbound-rtp' && entry.kind === 'video');
    if (!video?.framesDecoded) return;
    const codec = report.get(video.codecId)?.mimeType.split('/')[1] ?? '';
    const kbps = (8 * (video.bytesReceived - last.bytes)) / (video.timestamp - last.time);
    last = { bytes: video.bytesReceived, time: video.timestamp };
    element.textContent = `${codec} ${video.frameWidth}×${video.frameHeight}, ${video.framesPerSecond ?? 0} fps, ${Math.round(kbps)} kbit/s`;
  }, 1000);
  return () => {
    clearInterval(timer);
    element.textContent = '';
  };
}
