// What is sent to the module, and how loud what comes is.

const SIZE = [320, 240];
const RATE = 15;

/** Pictures that show what is done to them: colours, shades, something that moves, and text; and a tone. */
function pattern(audio) {
  const canvas = Object.assign(document.createElement('canvas'), { width: SIZE[0], height: SIZE[1] });
  const context = canvas.getContext('2d');
  const draw = (time) => {
    const [width, height] = SIZE;
    context.fillStyle = '#fff';
    context.fillRect(0, 0, width, height / 2);
    ['#c00', '#0a0', '#00c', '#cc0', '#0cc', '#c0c', '#000', '#888'].forEach((colour, number) => {
      context.fillStyle = colour;
      context.fillRect((number * width) / 8, height / 2, width / 8, height / 4);
    });
    const shades = context.createLinearGradient(0, 0, width, 0);
    shades.addColorStop(0, '#000');
    shades.addColorStop(1, '#fff');
    context.fillStyle = shades;
    context.fillRect(0, (height * 3) / 4, width, height / 4);
    context.fillStyle = '#f60';
    context.fillRect(((time / 10) % (width + 40)) - 40, height - 50, 40, 40);
    context.fillStyle = '#000';
    context.font = '20px sans-serif';
    context.fillText(`${(time / 1000).toFixed(1)} s`, 10, height / 2 - 10);
  };
  // A page in the background draws, too.
  const timer = setInterval(() => draw(performance.now()), 1000 / RATE);
  draw(0);
  const tone = audio.createOscillator();
  const out = audio.createMediaStreamDestination();
  tone.frequency.value = 440;
  tone.connect(out);
  tone.start();
  const stream = canvas.captureStream(RATE);
  stream.addTrack(out.stream.getAudioTracks()[0]);
  return { stream, stop: () => (clearInterval(timer), tone.stop(), stopTracks(stream)) };
}

async function camera() {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
  return { stream, stop: () => stopTracks(stream) };
}

async function film(file) {
  const video = Object.assign(document.createElement('video'), { src: URL.createObjectURL(file), loop: true, muted: true });
  await video.play();
  const capture = video.captureStream ?? video.mozCaptureStream;
  const stream = capture.call(video);
  return { stream, stop: () => (video.pause(), URL.revokeObjectURL(video.src), stopTracks(stream)) };
}

function stopTracks(stream) {
  for (const track of stream.getTracks()) track.stop();
}

/** A stream of media, and how to end it. */
export async function open(kind, { audio, file }) {
  if (kind === 'camera') return camera();
  if (kind === 'film' && file) return film(file);
  return pattern(audio);
}

/** Shows how loud a stream is. */
export function measure(audio, stream, meter) {
  if (stream.getAudioTracks().length === 0) return () => {};
  const source = audio.createMediaStreamSource(stream);
  const analyser = audio.createAnalyser();
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    // Decibels below full scale, of which 60 are shown.
    meter.value = Math.max(0, 100 + (10 * Math.log10(power + 1e-9) * 100) / 60);
  }, 100);
  return () => (clearInterval(timer), source.disconnect());
}
