import { only, stunFor, traversalTests } from '../lib/traversal.mjs';

traversalTests({
  way: 'the browser behind NAT',
  nat: { browserNat: true },
  configuration: stunFor,
  allows: (family) => only(family, ['host', 'srflx']),
  expects: { local: ['host'], remote: ['srflx', 'prflx'] },
});
