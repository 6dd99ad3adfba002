import { transcodingTest } from '../lib/transcoding.mjs';

transcodingTest({
  sent: { video: 'VP8', audio: 'opus' },
  wanted: { video: 'VP8', audio: 'PCMU' },
  converted: 'audio',
  steps: ['OPUS Frame → S16LE Raw', 'OPUS Rtp → OPUS Frame', 'PCMU Frame → PCMU Rtp', 'S16LE Raw → PCMU Frame'],
  viewers: 3,
});
