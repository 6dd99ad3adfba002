// What arrives, decoded: colours, motion, sound and frame counts.

import { HEIGHT, STRIP_HEIGHT, STRIP_STEPS } from './source.js';

const sinks = new Map();
let audioContext;

/** Shows a stream in a video element called `name`, so that it is decoded. */
export function attachSink(name, stream) {
  const video = Object.assign(document.createElement('video'), { autoplay: true, muted: true, playsInline: true });
  video.srcObject = stream;
  document.body.append(video);
  video.play().catch(() => {}); // rejected when the sink is detached before its first picture
  sinks.set(name, { video, stream, firstPicture: firstPicture(video) });
}

export function detachSink(name) {
  const { video, analyser } = sinks.get(name);
  analyser?.disconnect();
  video.srcObject = null;
  video.remove();
  sinks.delete(name);
}

/** Milliseconds on the page's clock (`performance.now()`) of the first picture shown. */
export function firstPictureAt(name) {
  return sinks.get(name).firstPicture;
}

/** Begins to note when pictures are shown. */
export function watchPictures(name) {
  const sink = sinks.get(name);
  sink.shown = [];
  const note = (now) => {
    sink.shown.push(now);
    sink.video.requestVideoFrameCallback(note);
  };
  sink.video.requestVideoFrameCallback(note);
}

/**
 * What was shown since `watchPictures`, or since `begin` ms on the page's clock: the number of
 * pictures, the longest time between two of them (or up to now), and when the last one came.
 */
export function shownPictures(name, begin = 0) {
  const shown = sinks.get(name).shown.filter((at) => at >= begin);
  const edges = [...shown, performance.now()];
  const gaps = edges.slice(1).map((at, index) => at - edges[index]);
  return { count: shown.length, longestGap: Math.max(0, ...gaps), first: shown[0], last: shown.at(-1) };
}

/** Pixels of the picture that is shown: `[width, height]`. */
export function pictureSize(name) {
  const { video } = sinks.get(name);
  return [video.videoWidth, video.videoHeight];
}

/**
 * Mean `[r, g, b]` of the current picture around a place, in units of its width and height (its
 * middle); null before the first.
 */
export function colourAt(name, [x, y] = [0.5, 0.5]) {
  const picture = currentPicture(name);
  if (!picture) return null;
  const { width, height } = picture.canvas;
  return meanColour(picture.getImageData(width * x - 8, height * y - 8, 16, 16).data);
}

/** Index of the strip's white block in the current picture, or null when there is none. */
export function stripStep(name) {
  const picture = currentPicture(name);
  if (!picture) return null;
  const { width, height } = picture.canvas;
  const y = Math.round((height * STRIP_HEIGHT) / HEIGHT / 2);
  const brightness = Array.from({ length: STRIP_STEPS }, (_, step) => {
    const x = Math.round(((step + 0.5) * width) / STRIP_STEPS);
    return Math.min(...meanColour(picture.getImageData(x - 2, y - 2, 4, 4).data));
  });
  const brightest = brightness.indexOf(Math.max(...brightness));
  return brightness[brightest] > 160 ? brightest : null;
}

/** Frequency in Hz of the strongest component of the sound; null in silence. */
export function dominantTone(name) {
  const sink = sinks.get(name);
  if (!sink.analyser && sink.stream.getAudioTracks().length > 0) listen(sink);
  if (!sink.analyser) return null;
  const levels = new Float32Array(sink.analyser.frequencyBinCount);
  sink.analyser.getFloatFrequencyData(levels);
  const loudest = levels.reduce((best, level, index) => (level > levels[best] ? index : best), 0);
  if (!(levels[loudest] > -60)) return null; // dB
  return (loudest * audioContext.sampleRate) / sink.analyser.fftSize;
}

/** Those of these tones (Hz) that sink `name` sounds at, or null before it has sound. */
export function tonesAmong(name, tones) {
  const sink = sinks.get(name);
  if (!sink.analyser && sink.stream.getAudioTracks().length > 0) listen(sink);
  if (!sink.analyser) return null;
  const levels = new Float32Array(sink.analyser.frequencyBinCount);
  sink.analyser.getFloatFrequencyData(levels);
  const level = (hz) => levels[Math.round((hz * sink.analyser.fftSize) / audioContext.sampleRate)];
  return tones.filter((hz) => level(hz) > -50); // dB
}

/** What arrives in sink `name`. */
export function sinkStream(name) {
  return sinks.get(name).stream;
}

function listen(sink) {
  audioContext ??= new AudioContext();
  // No smoothing: it would let a tone that has ended sound on in the figures.
  const analyser = new AnalyserNode(audioContext, { fftSize: 8192, smoothingTimeConstant: 0 });
  audioContext.createMediaStreamSource(new MediaStream(sink.stream.getAudioTracks())).connect(analyser);
  sink.analyser = analyser;
}

function firstPicture(video) {
  return new Promise((resolve) => {
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback((now) => resolve(now));
    else video.addEventListener('loadeddata', () => resolve(performance.now()), { once: true });
  });
}

function currentPicture(name) {
  const sink = sinks.get(name);
  if (sink.video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA || !sink.video.videoWidth) return null;
  sink.canvas ??= new OffscreenCanvas(1, 1);
  sink.canvas.width = sink.video.videoWidth;
  sink.canvas.height = sink.video.videoHeight;
  const context = sink.canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(sink.video, 0, 0);
  return context;
}

function meanColour(rgba) {
  const sum = [0, 0, 0];
  for (let i = 0; i < rgba.length; i += 4) for (let c = 0; c < 3; c += 1) sum[c] += rgba[i + c];
  return sum.map((total) => Math.round((total * 4) / rgba.length));
}
