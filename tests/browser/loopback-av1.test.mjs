// E01: a browser sees and hears itself.

import { loopbackTest } from '../lib/loopback.mjs';

loopbackTest({ video: 'AV1', audio: 'opus' });
