/**
 * Runs paced turns beside the page, whose drawing would hold them up. One turn at a time.
 *
 * It takes the parameters of a turn, or "cancel"; it posts `{arrivals}` now and then, and at last `{outcome}` or
 * `{failure}`.
 */
import { pacedTurn } from "./paced.js";
import { errorText } from "./streams.js";

/** Milliseconds between two reports of arrivals. */
const reportInterval = 100;

/** @type {AbortController | null} */
let running = null;

addEventListener("message", async ({ data }) => {
  if (data === "cancel") {
    running?.abort();
    return;
  }
  const cancelling = new AbortController();
  running = cancelling;
  /** @type {[number, number][]} */
  let arrivals = [];
  let reported = performance.now();
  try {
    const outcome = await pacedTurn(data, cancelling.signal, (number, age) => {
      arrivals.push([number, age]);
      if (performance.now() - reported < reportInterval) return;
      postMessage({ arrivals });
      arrivals = [];
      reported = performance.now();
    });
    postMessage({ arrivals });
    postMessage({ outcome });
  } catch (error) {
    postMessage({ failure: { name: error instanceof Error ? error.name : "Error", message: errorText(error) } });
  } finally {
    running = null;
  }
});
