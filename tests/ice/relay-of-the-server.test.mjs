// E07: both translators take another port for each address: only a relay helps, here the server's.

import { PUBLIC } from '../lib/nat.mjs';
import { only, stunFor, traversalTests, turnUrl } from '../lib/traversal.mjs';

traversalTests({
  way: 'a relay of the server',
  nat: { serverNat: 'symmetric', browserNat: 'symmetric' },
  configuration: stunFor,
  properties: (family) => ({ TurnUrl: turnUrl(PUBLIC[family]) }),
  allows: (family) => only(family, ['host', 'srflx', 'relay']),
  expects: { local: ['relay'] },
});
