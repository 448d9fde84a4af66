/** The page's side of the worker that measures. */

/** @typedef {[number, number][]} Arrivals messages that came back, each with its age in nanoseconds */

export class MeasuringRunner {
  #worker = new Worker(new URL("./measuring-worker.js", import.meta.url), { type: "module" });

  /**
   * Runs one task after the last has ended.
   * @param {string} task of those of the worker
   * @param {object} parameters
   * @param {AbortSignal} signal
   * @param {(report: any) => void} observe
   * @returns {Promise<any>} its outcome
   * @throws what the task throws: an error of the same name and message
   */
  run(task, parameters, signal, observe = () => {}) {
    const worker = this.#worker;
    const listening = new AbortController();
    const whileListening = { signal: listening.signal };
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      worker.addEventListener("message", ({ data: { report, outcome, failure } }) => {
        if (report !== undefined) observe(report);
        if (outcome !== undefined) resolve(outcome);
        if (failure !== undefined) reject(Object.assign(new Error(failure.message), { name: failure.name }));
      }, whileListening);
      worker.addEventListener("error", ({ message }) => {
        reject(new Error(message ?? "the measuring program could not be loaded"));
      }, whileListening);
      signal.addEventListener("abort", () => worker.postMessage("cancel"), whileListening);
      worker.postMessage({ task, parameters });
    }).finally(() => listening.abort());
  }

  close() {
    this.#worker.terminate();
  }
}
