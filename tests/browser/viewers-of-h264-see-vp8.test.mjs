import { transcodingTest } from '../lib/transcoding.mjs';

transcodingTest({
  sent: { video: 'VP8', audio: 'opus' },
  wanted: { video: 'H264', audio: 'opus' },
  converted: 'video',
  steps: ['H264 Frame → H264 Rtp', 'I420 Raw → H264 Frame', 'VP8 Frame → I420 Raw', 'VP8 Rtp → VP8 Frame'],
  viewers: 20,
});
