// kurento-client 7.3.0 as it comes from npm, with promises that really settle.

import { createRequire } from 'node:module';

import { within } from './wait.mjs';

// The client logs reconnection details through the console; tests do not need them.
const kurentoClient = createRequire(import.meta.url)('kurento-client');

/** The class as npm delivers it, for tests of its own interface. */
export const KurentoClient = kurentoClient.KurentoClient;

/** Connects in the strict mode, in which the client checks the server's modules. */
export function connectClient(url, options = {}) {
  const connected = new Promise((resolve, reject) => {
    // Retries do not end by themselves: a server that is not there is a failure here.
    const settings = { failAfter: 3, ...options };
    const client = kurentoClient(url, settings, (error, ready) => (error ? reject(error) : resolve(ready)));
    // reconnect-core emits each refused attempt as an 'error' that nobody listens to.
    client._re.on('error', () => {});
  });
  return within(connected, 'kurento-client connects', 15_000);
}

/** `client.create` as a promise; the client returns thenables that resolve to themselves. */
export function create(parent, type, parameters = {}) {
  const created = new Promise((resolve, reject) => {
    parent.create(type, parameters, (error, object) => (error ? reject(error) : resolve({ object })));
  });
  return within(created, `create ${type}`).then(({ object }) => object);
}

/** Calls `object[method](...args)` in its callback form. */
export function call(object, method, ...args) {
  const answered = new Promise((resolve, reject) => {
    object[method](...args, (error, value) => (error ? reject(error) : resolve({ value })));
  });
  return within(answered, method).then(({ value }) => value);
}
