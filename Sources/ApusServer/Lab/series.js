/** What was measured of one transport, turn by turn, in nanoseconds. Pure. */
import { Histogram } from "./histogram.js";
import { firstCounted } from "./paced-load.js";
import { freshCount, staleness } from "./paced-outcome.js";

/**
 * @typedef {object} Summary
 * @property {number} count durations that were measured, without what was lost
 * @property {number} lost
 * @property {number} min
 * @property {number} p50
 * @property {number} p90
 * @property {number} p99
 * @property {number} p999
 * @property {number} max
 * @property {number} mean
 */

export class Series {
  histogram = new Histogram();
  /** Messages without an echo. They are in no percentile. */
  lost = 0;
  /** @type {number[]} the median of each turn, in the order measured, which shows whether the machine drifted */
  turnMedians = [];

  /**
   * @param {number[]} durations integers, of one turn
   * @param {number} lost
   */
  record(durations, lost = 0) {
    this.lost += lost;
    if (durations.length === 0) return;
    for (const duration of durations) this.histogram.record(duration);
    const ascending = Float64Array.from(durations).sort();
    this.turnMedians.push(ascending[Math.floor(ascending.length / 2)]);
  }

  /** @returns {Summary} all zero when nothing was measured */
  get summary() {
    const { count, min, max, mean } = this.histogram;
    const [p50, p90, p99, p999] = [0.5, 0.9, 0.99, 0.999].map((share) => this.histogram.percentile(share));
    return { count, lost: this.lost, min, p50, p90, p99, p999, max, mean };
  }
}

/** Of messages that had their times. */
export class PacedSeries {
  /** How old messages were when their echoes had come. */
  ages = new Series();
  /** How old the newest was that the receiver knew, every millisecond. */
  staleness = new Series();
  /** How late the client itself began to send. */
  lateness = new Series();
  /** Messages that were newer, when they came, than what had come before. */
  fresh = 0;

  /**
   * @param {import("./paced-load.js").PacedLoad} load
   * @param {import("./arrival-log.js").PacedOutcome} outcome of one turn
   */
  record(load, { ages, lateness }) {
    const first = firstCounted(load);
    const counted = ages.slice(first);
    const arrived = counted.filter((age) => age !== null);
    this.ages.record(arrived, counted.length - arrived.length);
    this.staleness.record(staleness(load, ages));
    this.lateness.record(lateness.slice(first));
    this.fresh += freshCount(load, ages);
  }

  get sent() { return this.ages.histogram.count + this.ages.lost; }
  /** The share of all messages that were fresh, 0…1. */
  get freshShare() { return this.sent === 0 ? 0 : this.fresh / this.sent; }
  get lostShare() { return this.sent === 0 ? 0 : this.ages.lost / this.sent; }
}
