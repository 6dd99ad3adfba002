// E07: every direction and kind of media, over IPv4 and IPv6.

import { PUBLIC } from '../lib/nat.mjs';
import { only, stunFor, traversalTests } from '../lib/traversal.mjs';

traversalTests({
  way: 'both sides behind NAT',
  nat: { serverNat: true, browserNat: true },
  configuration: stunFor,
  properties: (family) => ({ StunServerAddress: PUBLIC[family], StunServerPort: 3478 }),
  allows: (family) => only(family, ['srflx']),
  expects: { local: ['srflx', 'prflx'], remote: ['srflx', 'prflx'] },
});
