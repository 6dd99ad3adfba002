// E07: every direction and kind of media, over IPv4 and IPv6.

import { only, traversalTests } from '../lib/traversal.mjs';

traversalTests({
  way: 'host addresses',
  allows: (family) => only(family, ['host'], true),
  expects: { local: ['host'], remote: ['host', 'prflx'] },
});
