import { transcodingTest } from '../lib/transcoding.mjs';

transcodingTest({
  sent: { video: 'H264', audio: 'opus' },
  wanted: { video: 'VP8', audio: 'opus' },
  converted: 'video',
  steps: ['H264 Frame → I420 Raw', 'H264 Rtp → H264 Frame', 'I420 Raw → VP8 Frame', 'VP8 Frame → VP8 Rtp'],
  viewers: 3,
});
