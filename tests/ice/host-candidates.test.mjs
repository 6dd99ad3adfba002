import { only, traversalTests } from '../lib/traversal.mjs';

traversalTests({
  allows: (family) => only(family, ['host'], true),
  expects: { local: ['host'], remote: ['host', 'prflx'] },
});
