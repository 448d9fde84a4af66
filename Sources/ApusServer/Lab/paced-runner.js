/** The page's side of the worker that runs paced turns. */

/**
 * @typedef {import("./arrival-log.js").PacedOutcome} PacedOutcome
 * @typedef {[number, number][]} Arrivals messages that came back, each with its age in nanoseconds
 */

export class PacedRunner {
  #worker = new Worker(new URL("./paced-worker.js", import.meta.url), { type: "module" });

  /**
   * Runs one turn after the last has ended.
   * @param {import("./paced.js").PacedTurn} turn
   * @param {AbortSignal} signal
   * @param {(arrivals: Arrivals) => void} observe
   * @returns {Promise<PacedOutcome>}
   * @throws what `pacedTurn` throws: an error of the same name and message
   */
  run(turn, signal, observe) {
    const worker = this.#worker;
    const listening = new AbortController();
    const whileListening = { signal: listening.signal };
    return new Promise((resolve, reject) => {
      worker.addEventListener("message", ({ data: { arrivals, outcome, failure } }) => {
        if (arrivals !== undefined) observe(arrivals);
        if (outcome !== undefined) resolve(outcome);
        if (failure !== undefined) reject(Object.assign(new Error(failure.message), { name: failure.name }));
      }, whileListening);
      worker.addEventListener("error", ({ message }) => {
        reject(new Error(message ?? "the measuring program could not be loaded"));
      }, whileListening);
      signal.addEventListener("abort", () => worker.postMessage("cancel"), whileListening);
      worker.postMessage(turn);
    }).finally(() => listening.abort());
  }

  close() {
    this.#worker.terminate();
  }
}
