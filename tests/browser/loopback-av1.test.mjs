import { loopbackTest } from '../lib/loopback.mjs';

loopbackTest({ video: 'AV1', audio: 'opus' });
