import { loopbackTest } from '../lib/loopback.mjs';

loopbackTest({ video: 'VP9', audio: 'opus' });
