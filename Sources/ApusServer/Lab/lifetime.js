/** The time in which something is measured. Sessions that are opened for it end with it. */

/**
 * @typedef {object} Lifetime
 * @property {AbortSignal} signal aborts in the end: all that lives so long is closed then
 * @property {(error: unknown) => void} fail ends it with this error; the first counts
 */

/**
 * Runs a body, and ends its lifetime when that has returned, something in it has failed, or it is cancelled. What the
 * body still waits for then is waited for no longer.
 * @template T
 * @param {AbortSignal} cancellation
 * @param {(lifetime: Lifetime) => Promise<T>} body
 * @returns {Promise<T>}
 * @throws what it failed with, or the reason of the cancellation
 */
export async function withLifetime(cancellation, body) {
  cancellation.throwIfAborted();
  const ending = new AbortController();
  const { signal } = ending;
  const fail = (/** @type {unknown} */ error) => ending.abort(error);
  const cancel = () => fail(cancellation.reason);
  cancellation.addEventListener("abort", cancel);
  /** @type {Promise<never>} */
  const ended = new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
  });
  try {
    return await Promise.race([body({ signal, fail }), ended]);
  } catch (error) {
    // What fails because the sessions have ended says less than why they have.
    throw signal.aborted ? signal.reason : error;
  } finally {
    cancellation.removeEventListener("abort", cancel);
    ending.abort(new Error("the measurement is over"));
  }
}
