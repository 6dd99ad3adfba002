import { loopbackTest } from '../lib/loopback.mjs';

loopbackTest({ video: 'H264', audio: 'opus' });
