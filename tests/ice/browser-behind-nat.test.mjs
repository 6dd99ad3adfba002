// E07: every direction and kind of media, over IPv4 and IPv6.

import { only, stunFor, traversalTests } from '../lib/traversal.mjs';

traversalTests({
  way: 'the browser behind NAT',
  nat: { browserNat: true },
  configuration: stunFor,
  allows: (family) => only(family, ['host', 'srflx']),
  expects: { local: ['host'], remote: ['srflx', 'prflx'] },
});
