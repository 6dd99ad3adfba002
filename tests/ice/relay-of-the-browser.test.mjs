// E07: both translators take another port for each address: only a relay helps, here the browser's.
// Chromium asks for IPv4 relays only.

import { PUBLIC, TURN_PASSWORD, TURN_USER } from '../lib/nat.mjs';
import { only, traversalTests } from '../lib/traversal.mjs';

const turnFor = (family) => ({
  iceTransportPolicy: 'relay',
  iceServers: [
    {
      urls: `turn:${family === 'v6' ? `[${PUBLIC.v6}]` : PUBLIC.v4}:3478`,
      username: TURN_USER,
      credential: TURN_PASSWORD,
    },
  ],
});

traversalTests({
  way: 'a relay of the browser',
  nat: { serverNat: 'symmetric', browserNat: 'symmetric' },
  configuration: turnFor,
  // The browser's relay lets in what comes from addresses that the browser knows.
  properties: (family) => ({ StunServerAddress: PUBLIC[family], StunServerPort: 3478 }),
  families: ['v4'],
  allows: (family) => only(family, ['host', 'srflx', 'relay']),
  expects: { remote: ['relay'] },
});
