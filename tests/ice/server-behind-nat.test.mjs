// E07: every direction and kind of media, over IPv4 and IPv6.

import { PUBLIC } from '../lib/nat.mjs';
import { only, traversalTests } from '../lib/traversal.mjs';

traversalTests({
  way: 'the server behind NAT',
  nat: { serverNat: true },
  properties: (family) => ({ StunServerAddress: PUBLIC[family], StunServerPort: 3478 }),
  allows: (family) => only(family, ['host', 'srflx'], true),
  expects: { local: ['srflx', 'prflx'], remote: ['host', 'prflx'] },
});
