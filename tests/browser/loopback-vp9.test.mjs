// E01: a browser sees and hears itself.

import { loopbackTest } from '../lib/loopback.mjs';

loopbackTest({ video: 'VP9', audio: 'opus' });
