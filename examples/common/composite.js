// What Rivero's Composite has beyond Kurento's, which kurento-client knows nothing of. Ids stand for objects, since what the client
// has waited for is no object to it.

/** Changes how `port` takes part in `composite`: `{label, muted, hidden, …}`. */
export function setPort(composite, port, settings) {
  return new Promise((resolve, reject) => {
    composite._invoke(undefined, 'setPort', { port: port.id, settings }, (error) => (error ? reject(error) : resolve()));
  });
}
