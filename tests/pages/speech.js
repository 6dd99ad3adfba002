// Something like speech, for measures of how well speech gets through: a voice whose pitch wanders,
// shaped by formants, four syllables a second, with breaths between words. Always the same.

const RATE = 48000;
const VOWELS = [
  [730, 1090, 2440],
  [270, 2290, 3010],
  [300, 870, 2240],
  [530, 1840, 2480],
  [570, 840, 2410],
];
const SYLLABLE_S = 0.25;
const SYLLABLES_PER_WORD = 3;

const voices = new Map();

/** Creates the source `name` of a voice of `seconds` that begins again and again. */
export function createVoice(name, seconds = 6) {
  const context = new AudioContext({ sampleRate: RATE });
  const buffer = context.createBuffer(1, RATE * seconds, RATE);
  buffer.copyToChannel(speech(RATE * seconds), 0);
  const player = new AudioBufferSourceNode(context, { buffer, loop: true });
  const output = new MediaStreamAudioDestinationNode(context);
  player.connect(output);
  player.start();
  voices.set(name, { context, player, stream: output.stream });
}

export function voiceStream(name) {
  return voices.get(name)?.stream;
}

/**
 * What voice `name` says and what arrives in `received`, a MediaStream, over `seconds` on one clock:
 * 16-bit samples at 12 kHz.
 */
export async function recordBoth(name, received, seconds) {
  const { context, player } = voices.get(name);
  const both = new ChannelMergerNode(context, { numberOfInputs: 2 });
  player.connect(both, 0, 0);
  new MediaStreamAudioSourceNode(context, { mediaStream: received }).connect(both, 0, 1);
  const recorder = context.createScriptProcessor(4096, 2, 1);
  const wanted = Math.ceil((seconds * RATE) / 4096);
  const chunks = [];
  await new Promise((resolve) => {
    recorder.onaudioprocess = ({ inputBuffer }) => {
      chunks.push([0, 1].map((channel) => inputBuffer.getChannelData(channel).slice()));
      if (chunks.length === wanted) resolve();
    };
    both.connect(recorder).connect(context.destination);
  });
  recorder.onaudioprocess = null;
  recorder.disconnect();
  both.disconnect();
  const [sent, arrived] = [0, 1].map((channel) => decimated(chunks.flatMap((chunk) => [...chunk[channel]])));
  return { sent, arrived };
}

function speech(length) {
  const samples = new Float32Array(length);
  let phase = 0;
  const filters = Array.from({ length: 3 }, () => [0, 0]);
  for (let at = 0; at < length; at += 1) {
    const time = at / RATE;
    const syllable = Math.floor(time / SYLLABLE_S);
    const within = (time % SYLLABLE_S) / SYLLABLE_S;
    const breath = syllable % (SYLLABLES_PER_WORD + 1) === SYLLABLES_PER_WORD;
    const pitch = 110 + 25 * Math.sin(2 * Math.PI * 0.7 * time) + 8 * (syllable % 5);
    phase += pitch / RATE;
    const pulse = phase >= 1 ? 1 : 0;
    phase %= 1;
    const loudness = breath ? 0 : Math.sin(Math.PI * within) ** 0.6;
    const formants = VOWELS[(syllable * 7) % VOWELS.length];
    formants.forEach((frequency, number) => {
      samples[at] += (loudness * resonate(filters[number], pulse, frequency, 60 + 40 * number)) / (number + 1);
    });
  }
  const peak = samples.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return samples.map((value) => (0.5 * value) / peak);
}

/** A resonance of two poles. */
function resonate(state, input, frequency, bandwidth) {
  const radius = Math.exp((-Math.PI * bandwidth) / RATE);
  const output = input + 2 * radius * Math.cos((2 * Math.PI * frequency) / RATE) * state[0] - radius * radius * state[1];
  state[1] = state[0];
  state[0] = output;
  return output;
}

/** A quarter of the samples, without what would fold back. */
function decimated(samples) {
  const taps = Array.from({ length: 49 }, (_, at) => {
    const x = (at - 24) / 4;
    const sinc = x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
    return (sinc * (0.54 - 0.46 * Math.cos((2 * Math.PI * at) / 48))) / 4;
  });
  const result = [];
  for (let at = 48; at < samples.length; at += 4) {
    const value = taps.reduce((sum, tap, back) => sum + tap * samples[at - back], 0);
    result.push(Math.round(Math.max(-1, Math.min(1, value)) * 32767));
  }
  return result;
}
