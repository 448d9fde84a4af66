/** Runs a scenario in which messages have their times: transports take turns, each on a new session. Draws nothing. */
import { MeasuringRunner } from "./measuring-runner.js";
import { messageCount } from "./paced-load.js";
import { PacedSeries } from "./series.js";
import { rotated } from "./statistics.js";

/**
 * @typedef {import("./paced-paths.js").TransportKind} TransportKind
 *
 * @typedef {object} PacedSettings
 * @property {import("./scenarios.js").ScenarioID} scenario
 * @property {import("./paced-load.js").PacedLoad} load
 * @property {number} size bytes of each message
 * @property {number} rounds
 * @property {number} patience milliseconds
 * @property {TransportKind[]} transports
 *
 * @typedef {object} PacedMeasurement
 * @property {TransportKind} id
 * @property {PacedSeries} series of the turns that are complete
 * @property {string | null} skipped why it was not measured
 *
 * @typedef {object} PacedObserver
 * @property {(done: number, total: number, activity: string) => void} progress
 * @property {(id: TransportKind) => void} turnBegan
 * @property {(id: TransportKind, arrivals: import("./measuring-runner.js").Arrivals) => void} arrived
 * @property {() => void} turnEnded
 */

/**
 * @param {PacedSettings} settings
 * @param {{webtransport: string, websocket: string, hashes: string[]}} target
 * @param {PacedObserver} observer
 * @param {AbortSignal} signal
 * @param {PacedMeasurement[]} measurements filled as the run goes on, so that a cancelled run keeps what it has
 */
export async function comparePaced(settings, target, observer, signal, measurements) {
  const { load, size, rounds, patience, transports } = settings;
  measurements.push(...transports.map((id) => ({ id, series: new PacedSeries(), skipped: null })));
  const [total, messages] = [rounds * measurements.length, messageCount(load)];
  const runner = new MeasuringRunner();
  try {
    for (let round = 0; round < rounds; round += 1) {
      for (const [index, measurement] of rotated(measurements, round).entries()) {
        signal.throwIfAborted();
        if (measurement.skipped !== null) continue;
        const { id, series } = measurement;
        const progress = (/** @type {number} */ share) =>
          observer.progress(round * measurements.length + index + share, total, `Round ${round + 1} of ${rounds}`);
        progress(0);
        observer.turnBegan(id);
        try {
          const turn = { target, kind: id, load, size, patience };
          series.record(load, await runner.run("pacedTurn", turn, signal, (arrivals) => {
            observer.arrived(id, arrivals);
            const last = arrivals[arrivals.length - 1];
            if (last !== undefined) progress(last[0] / messages);
          }));
        } catch (error) {
          if (!(error instanceof Error && error.name === "TooLargeError")) throw error;
          measurement.skipped = error.message;
        }
        observer.turnEnded();
      }
    }
  } finally {
    runner.close();
  }
}
