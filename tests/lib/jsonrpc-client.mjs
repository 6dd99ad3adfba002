// kurento-jsonrpc 7.3.0 as it comes from npm: the JSON-RPC layer of Kurento's
// applications, with reconnection and heartbeat of its own.

import { createRequire } from 'node:module';

import { within } from './wait.mjs';

const { JsonRpcClient } = createRequire(import.meta.url)('kurento-jsonrpc').clients;

// It tells everything to the console.
for (const level of ['debug', 'warn', 'error']) console[level] = () => {};

/**
 * Connects. `events` counts what the client says of its connection; `onEvent` is
 * called with each event of the server.
 */
export async function connectJsonRpc(url, { heartbeat, heartbeatRequestTimeout, sendCloseMessage = false, requestTimeout = 8_000, onEvent = () => {} } = {}) {
  const events = { connected: 0, reconnecting: 0, reconnected: 0, disconnected: 0 };
  let client;
  const connected = new Promise((resolve, reject) => {
    const count = (name) => () => void (events[name] += 1);
    const ws = { uri: url, onconnected: () => (count('connected')(), resolve()), onreconnecting: count('reconnecting'), onreconnected: count('reconnected'), ondisconnect: count('disconnected'), onerror: (error) => (client.close(), reject(error)) };
    client = new JsonRpcClient({ heartbeat, sendCloseMessage, ws, rpc: { requestTimeout, heartbeatRequestTimeout, onEvent: ({ value }) => onEvent(value) } });
  });
  await within(connected, 'kurento-jsonrpc connects');
  return Object.assign(client, { events, call: (method, params) => call(client, method, params) });
}

/** A request of the client as a promise of its result. */
function call(client, method, params) {
  const answered = new Promise((resolve, reject) => client.send(method, params, (error, result) => (error ? reject(error) : resolve(result))));
  return within(answered, method);
}
