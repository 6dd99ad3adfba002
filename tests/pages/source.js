// A camera and microphone whose pictures and sound are known.
//
// Picture: one flat colour, and along the upper edge a white block that steps
// from left to right, so that a receiver can tell live pictures from a frozen
// one. Sound: one sine tone.

import { voiceStream } from './speech.js';

export const WIDTH = 320;
export const HEIGHT = 240;
export const FRAMES_PER_SECOND = 20;
export const STRIP_HEIGHT = 40;
export const STRIP_STEPS = 8;

const sources = new Map();

/**
 * Creates the source `name`. `colour` is `[r, g, b]`, `toneHz` the frequency.
 * `video: false` or `audio: false` leave that track out. `scale` enlarges the picture;
 * `detail` is a number of small blocks that change along its lower edge from frame to
 * frame, so that coding it takes bits. `face`: `[x, y]`, where the middle of a face is, in units of
 * the picture's width and height.
 */
export function createSource(name, { colour = [200, 40, 40], toneHz = 1000, video = true, audio = true, scale = 1, detail = 0, face } = {}) {
  const source = { colour, scale, detail, face, tracks: [], stop: [] };
  if (video) addCamera(source);
  if (audio) addMicrophone(source, toneHz);
  source.stream = new MediaStream(source.tracks);
  sources.set(name, source);
}

export function sourceStream(name) {
  return (sources.get(name) ?? { stream: voiceStream(name) }).stream;
}

export function setColour(name, colour) {
  sources.get(name).colour = colour;
}

/** Puts a face elsewhere, or takes it away. */
export function moveFace(name, place) {
  sources.get(name).face = place;
}

/** Changes picture and sound in the same moment: a clapperboard. */
export function clap(name, colour, toneHz) {
  const source = sources.get(name);
  source.colour = colour;
  source.draw();
  for (const track of source.tracks) track.requestFrame?.();
  source.oscillator.frequency.setValueAtTime(toneHz, source.oscillator.context.currentTime);
}

/** Mutes or unmutes a track (`audio` or `video`), as the mute button of an application does. */
export function setEnabled(name, kind, enabled) {
  for (const track of sourceStream(name).getTracks()) if (track.kind === kind) track.enabled = enabled;
}

export function stopSource(name) {
  const source = sources.get(name);
  source.tracks.forEach((track) => track.stop());
  source.stop.forEach((stop) => stop());
  sources.delete(name);
}

function addCamera(source) {
  const { scale, detail } = source;
  const canvas = Object.assign(document.createElement('canvas'), { width: WIDTH * scale, height: HEIGHT * scale });
  document.body.append(canvas);
  const context = canvas.getContext('2d', { alpha: false });
  context.scale(scale, scale);
  let frame = 0;
  const draw = () => {
    context.fillStyle = `rgb(${source.colour.join(' ')})`;
    context.fillRect(0, 0, WIDTH, HEIGHT);
    const step = frame++ % STRIP_STEPS;
    context.fillStyle = 'white';
    context.fillRect((step * WIDTH) / STRIP_STEPS, 0, WIDTH / STRIP_STEPS, STRIP_HEIGHT);
    if (source.face) drawFace(context, source.face);
    for (let block = 0; block < detail; block += 1) {
      context.fillStyle = `rgb(${Math.random() * 255} ${Math.random() * 255} ${Math.random() * 255})`;
      context.fillRect(Math.random() * WIDTH, HEIGHT * 0.7 + Math.random() * HEIGHT * 0.3, 12, 12);
    }
  };
  source.draw = draw;
  draw();
  const timer = setInterval(draw, 1000 / FRAMES_PER_SECOND);
  const [track] = canvas.captureStream(FRAMES_PER_SECOND).getVideoTracks();
  source.tracks.push(track);
  source.stop.push(() => clearInterval(timer), () => canvas.remove());
}

const FACE_HEIGHT = 112;
const faceImage = Object.assign(new Image(), { src: new URL('face.png', import.meta.url).href });

/** A drawn face, whose image may still be loading. */
function drawFace(context, [x, y]) {
  const width = (FACE_HEIGHT * faceImage.naturalWidth) / (faceImage.naturalHeight || 1);
  context.drawImage(faceImage, x * WIDTH - width / 2, y * HEIGHT - FACE_HEIGHT / 2, width, FACE_HEIGHT);
}

function addMicrophone(source, toneHz) {
  const context = new AudioContext();
  const oscillator = new OscillatorNode(context, { frequency: toneHz });
  const level = new GainNode(context, { gain: 0.5 });
  const output = new MediaStreamAudioDestinationNode(context);
  oscillator.connect(level).connect(output);
  oscillator.start();
  source.oscillator = oscillator;
  source.tracks.push(output.stream.getAudioTracks()[0]);
  source.stop.push(() => context.close());
}
