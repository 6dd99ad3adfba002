import { only, stunFor, traversalTests } from '../lib/traversal.mjs';

traversalTests({
  nat: { browserNat: true },
  configuration: stunFor,
  allows: (family) => only(family, ['host', 'srflx']),
  expects: { local: ['host'], remote: ['srflx', 'prflx'] },
});
