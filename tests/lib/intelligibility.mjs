// How much of speech gets through: the short-time objective intelligibility measure (C. Taal et
// al., "An Algorithm for Intelligibility Prediction of Time-Frequency Weighted Noisy Speech", 2011),
// 1 for the same, 0 for nothing in common. In place of PESQ, whose licence forbids to use it.
// Each stretch is aligned by itself, because a jitter buffer shortens and lengthens silences.

const RATE = 12000;
const FRAME = 256;
const STEP = FRAME / 2;
const SPECTRUM = 512;
const BANDS = Array.from({ length: 15 }, (_, number) => 150 * 2 ** (number / 3));
const STRETCH = 30; // frames: 320 ms
const SILENT_DB = 40;
const CLIP = 1 + 10 ** (15 / 20);

/** The measure of `arrived` beside `sent`, samples at 12 kHz; `arrived` is at most `latestS` late. */
export function intelligibility(sent, arrived, latestS = 0.6) {
  const [reference, received] = [bands(sent), bands(arrived)];
  const loudest = Math.max(...reference.map(level));
  const scores = [];
  const latest = Math.round((latestS * RATE) / STEP);
  for (let begin = 0; begin + STRETCH + latest < reference.length; begin += STRETCH / 2) {
    const stretch = reference.slice(begin, begin + STRETCH);
    if (stretch.filter((frame) => level(frame) > loudest - SILENT_DB).length < STRETCH / 2) continue;
    let best = 0;
    for (let late = 0; late <= latest; late += 1) {
      const score = compare(stretch, received.slice(begin + late, begin + late + STRETCH));
      if (score > best) best = score;
    }
    scores.push(best);
  }
  if (scores.length === 0) throw new Error('nothing was said');
  return scores.reduce((sum, score) => sum + score, 0) / scores.length;
}

const level = (frame) => 10 * Math.log10(frame.reduce((sum, band) => sum + band * band, 1e-12));

/** The mean correlation of the bands of a stretch, loudness and single outliers aside. */
function compare(reference, received) {
  const scores = BANDS.map((_, band) => {
    const x = reference.map((frame) => frame[band]);
    const raw = received.map((frame) => frame[band]);
    const scale = norm(x) / (norm(raw) + 1e-12);
    return correlation(x, raw.map((value, at) => Math.min(value * scale, x[at] * CLIP)));
  });
  return scores.reduce((sum, score) => sum + score, 0) / scores.length;
}

const norm = (values) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));

function correlation(x, y) {
  const centred = (values) => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return values.map((value) => value - mean);
  };
  const [a, b] = [centred(x), centred(y)];
  return a.reduce((sum, value, at) => sum + value * b[at], 0) / (norm(a) * norm(b) + 1e-12);
}

/** Magnitudes in bands of a third of an octave, frame by frame. */
function bands(samples) {
  const frames = [];
  for (let begin = 0; begin + FRAME <= samples.length; begin += STEP) {
    const real = new Float64Array(SPECTRUM);
    for (let at = 0; at < FRAME; at += 1) {
      real[at] = (samples[begin + at] / 32768) * (0.5 - 0.5 * Math.cos((2 * Math.PI * (at + 0.5)) / FRAME));
    }
    const power = powerSpectrum(real);
    frames.push(
      BANDS.map((centre) => {
        const [low, high] = [-1, 1].map((side) => Math.round((centre * 2 ** (side / 6) * SPECTRUM) / RATE));
        return Math.sqrt(power.slice(low, high).reduce((sum, value) => sum + value, 0));
      }),
    );
  }
  return frames;
}

/** Fast Fourier transform of a power of two of real samples. */
function powerSpectrum(real) {
  const length = real.length;
  const imaginary = new Float64Array(length);
  for (let at = 1, reversed = 0; at < length; at += 1) {
    let bit = length >> 1;
    for (; reversed & bit; bit >>= 1) reversed ^= bit;
    reversed ^= bit;
    if (at < reversed) [real[at], real[reversed]] = [real[reversed], real[at]];
  }
  for (let size = 2; size <= length; size *= 2) {
    for (let begin = 0; begin < length; begin += size) {
      for (let at = 0; at < size / 2; at += 1) {
        const angle = (-2 * Math.PI * at) / size;
        const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
        const [even, odd] = [begin + at, begin + at + size / 2];
        const re = real[odd] * cos - imaginary[odd] * sin;
        const im = real[odd] * sin + imaginary[odd] * cos;
        [real[odd], imaginary[odd]] = [real[even] - re, imaginary[even] - im];
        [real[even], imaginary[even]] = [real[even] + re, imaginary[even] + im];
      }
    }
  }
  return Array.from({ length: length / 2 }, (_, at) => real[at] ** 2 + imaginary[at] ** 2);
}
