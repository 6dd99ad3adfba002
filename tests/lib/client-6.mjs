// kurento-client 6.18.0 as it comes from npm, beside 7.3.0.

import { createRequire } from 'node:module';

import { within } from './wait.mjs';

export const kurentoClient6 = createRequire(import.meta.url)('kurento-client-6');

/** Connects as `connectClient` does, with the client of generation 6. */
export function connectClient6(url, options = {}) {
  const connected = new Promise((resolve, reject) => {
    const settings = { failAfter: 3, duplicates_timeout: 100, response_timeout: 100, ...options };
    // What is ready is a copy of the client that lacks the emitter of connection events.
    const withConnection = (ready) => Object.defineProperty(ready, 'connection', { value: client._re });
    const client = kurentoClient6(url, settings, (error, ready) => (error ? reject(error) : resolve(withConnection(ready))));
    client._re.on('error', () => {});
  });
  return within(connected, 'kurento-client 6.18.0 connects', 15_000);
}
