// Waiting for events, never for time: every wait names what it waits for and
// fails with that name, so that a red test says what did not happen.

/** Ample: where two browsers share a slow processor with other tests a first picture takes half a minute. */
export const PATIENCE_MS = 60_000;

/** Settles like `promise`, or rejects naming `what` after `timeoutMs`. */
export async function within(promise, what, timeoutMs = PATIENCE_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Polls `probe` every 50 ms until it returns something truthy, which is the
 * result. An error thrown by the last attempt is part of the failure's text.
 */
export async function until(probe, what, timeoutMs = PATIENCE_MS) {
  const deadline = performance.now() + timeoutMs;
  let last;
  for (;;) {
    try {
      last = undefined;
      const value = await probe();
      if (value) return value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      const why = last ? ` (last attempt: ${last.message})` : '';
      throw new Error(`${what}: not within ${timeoutMs} ms${why}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/**
 * The next `name` of an EventEmitter, as a promise of its first argument. The listener stays:
 * kurento-client would end the subscription, and throw if the server stops before it answers.
 */
export function nextEvent(emitter, name, matches = () => true, timeoutMs = PATIENCE_MS) {
  emitter.setMaxListeners?.(0);
  const event = new Promise((resolve) => emitter.on(name, (data) => matches(data) && resolve(data)));
  return within(event, `event ${name}`, timeoutMs);
}
