import { loopbackTest } from '../lib/loopback.mjs';

loopbackTest({ video: 'VP8', audio: 'PCMU' });
