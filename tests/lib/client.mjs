// kurento-client 7.3.0 as it comes from npm.

import { createRequire } from 'node:module';

import { within } from './wait.mjs';

export const kurentoClient = createRequire(import.meta.url)('kurento-client');

/** Connects in the strict mode, in which the client checks the server's modules. */
export function connectClient(url, options = {}) {
  const connected = new Promise((resolve, reject) => {
    // Retries do not end by themselves: a server that is not there is a failure here.
    // Remembering answered requests for 20 s would keep the process alive as long.
    const settings = { failAfter: 3, duplicates_timeout: 100, response_timeout: 100, ...options };
    // What is ready is a copy of the client that lacks the emitter of connection events.
    const withConnection = (ready) => Object.defineProperty(ready, 'connection', { value: client._re });
    const client = kurentoClient(url, settings, (error, ready) => (error ? reject(error) : resolve(withConnection(ready))));
    // reconnect-core emits each refused attempt as an 'error' that nobody listens to.
    client._re.on('error', () => {});
  });
  return within(connected, 'kurento-client connects', 15_000);
}

const IceCandidate = kurentoClient.getComplexType('IceCandidate');

/** A browser's candidate as the complex type that `addIceCandidate` takes. */
export function iceCandidate({ candidate, sdpMid, sdpMLineIndex }) {
  return IceCandidate({ candidate, sdpMid, sdpMLineIndex });
}

/**
 * Calls `object[operation](...parameters)`. kurento-client's own promises resolve
 * even when the server refuses the call; only its callbacks tell.
 */
export function invoke(object, operation, ...parameters) {
  const answered = new Promise((resolve, reject) => {
    object[operation](...parameters, (error, value) => (error ? reject(error) : resolve(value)));
  });
  return within(answered, operation);
}
