/**
 * Measures beside the page, whose drawing would disturb it. One task at a time.
 *
 * It takes `{task, parameters}`, or "cancel"; it posts `{report}` now and then, and at last `{outcome}` or `{failure}`.
 */
import { clockResolution } from "./environment.js";
import { pacedTurn, pacedTurns } from "./paced.js";
import { roundTrips } from "./round-trips.js";
import { startTimes } from "./session-start.js";
import { errorText } from "./streams.js";

/** Milliseconds between two reports of arrivals. */
const reportInterval = 100;

/** @type {Record<string, (parameters: any, signal: AbortSignal) => Promise<unknown>>} */
const tasks = {
  /** How exactly is measured here. */
  async clock() {
    return { crossOriginIsolated: globalThis.crossOriginIsolated, resolution: Math.round(clockResolution() * 1e6) };
  },

  startTimes,
  roundTrips,
  pacedTurns,

  /** A turn that is watched: the reports are messages that came back, each with its age in nanoseconds. */
  async pacedTurn(turn, signal) {
    /** @type {[number, number][]} */
    let report = [];
    let reported = performance.now();
    const outcome = await pacedTurn(turn, signal, (number, age) => {
      report.push([number, age]);
      if (performance.now() - reported < reportInterval) return;
      postMessage({ report });
      report = [];
      reported = performance.now();
    });
    postMessage({ report });
    return outcome;
  },
};

/** @type {AbortController | null} */
let running = null;

addEventListener("message", async ({ data }) => {
  if (data === "cancel") {
    running?.abort(new DOMException("the measurement was cancelled", "AbortError"));
    return;
  }
  const cancelling = new AbortController();
  running = cancelling;
  try {
    postMessage({ outcome: await tasks[data.task](data.parameters, cancelling.signal) });
  } catch (error) {
    postMessage({ failure: { name: error instanceof Error ? error.name : "Error", message: errorText(error) } });
  } finally {
    running = null;
  }
});
