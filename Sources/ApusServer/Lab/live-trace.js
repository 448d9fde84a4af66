/** What is drawn of a turn while it runs. Pure. */
import { due, sequenceOf } from "./paced-load.js";

/**
 * @typedef {import("./paced-load.js").PacedLoad} PacedLoad
 * @typedef {{time: number, value: number}} Point seconds from the first that counts, and milliseconds
 */

/**
 * Each message, at the time when it was due, with its age.
 * @param {PacedLoad} load
 * @param {[number, number][]} arrivals messages with their ages in nanoseconds
 * @returns {Point[]}
 */
export function agePoints(load, arrivals) {
  return arrivals.map(([number, age]) => ({ time: seconds(load, due(load, number)), value: age / 1e6 }));
}

/**
 * How stale the newest was that was known of each sequence, when news came: the peaks between which it falls and grows.
 * @param {PacedLoad} load
 * @param {[number, number][]} arrivals in the order of arrival
 * @returns {Point[][]} a line for each sequence
 */
export function stalenessPeaks(load, arrivals) {
  /** @type {{newest: number, peaks: Point[]}[]} */
  const sequences = Array.from({ length: load.sequences }, () => ({ newest: -1, peaks: [] }));
  for (const [number, age] of arrivals) {
    const known = sequences[sequenceOf(load, number)];
    if (number <= known.newest) continue;
    const arrival = due(load, number) + age;
    // Before the first there was nothing that could be stale.
    if (known.newest >= 0) {
      known.peaks.push({ time: seconds(load, arrival), value: (arrival - due(load, known.newest)) / 1e6 });
    }
    known.newest = number;
  }
  return sequences.map(({ peaks }) => peaks);
}

/** @param {PacedLoad} load @param {number} nanoseconds */
function seconds({ warmUpSeconds }, nanoseconds) {
  return nanoseconds / 1e9 - warmUpSeconds;
}
