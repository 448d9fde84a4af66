/** Distributions of durations, kept as HdrHistogram keeps them with three significant digits. Pure. */
import { rank } from "./statistics.js";

/** Three digits want 2 · 10³ values told apart in each doubling; the next power of two is that many. */
const bucketsOfUnitWidth = 2048;
/** A minute in nanoseconds: what the file says, while nothing longer was recorded. */
const usualHighest = 60_000_000_000;

/**
 * How many neighbouring values share the bucket of this one.
 * @param {number} value an integer, not negative
 */
function bucketWidth(value) {
  let width = 1;
  while (value >= width * bucketsOfUnitWidth) width *= 2;
  return width;
}

/**
 * The largest value that is not told apart from this one.
 * @param {number} value an integer, not negative
 */
export function highestEquivalent(value) {
  const width = bucketWidth(value);
  return Math.floor(value / width) * width + width - 1;
}

export class Histogram {
  /** @type {Map<number, number>} by the highest value of each bucket */
  #counts = new Map();
  /** @type {[number, number][] | null} the same in ascending order, until something is recorded */
  #buckets = null;
  #count = 0;
  #min = 0;
  #max = 0;

  /** @param {number} value an integer, not negative */
  record(value) {
    const bucket = highestEquivalent(value);
    this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + 1);
    this.#buckets = null;
    this.#min = this.#count === 0 ? value : Math.min(this.#min, value);
    this.#max = Math.max(this.#max, value);
    this.#count += 1;
  }

  get count() { return this.#count; }
  /** As it was recorded, as `max` is; 0 when nothing was. */
  get min() { return this.#min; }
  get max() { return this.#max; }

  get mean() {
    if (this.#count === 0) return 0;
    // Each value counts as the middle of its bucket.
    const sum = this.buckets.reduce((total, [highest, count]) => {
      const width = bucketWidth(highest);
      return total + (highest + 1 - width + Math.floor(width / 2)) * count;
    }, 0);
    return sum / this.#count;
  }

  /** Those that are not empty, in ascending order: the largest value of each, and how many fell into it. */
  get buckets() {
    this.#buckets ??= [...this.#counts].sort(([a], [b]) => a - b);
    return this.#buckets;
  }

  /**
   * The value that `share` of all are not above, as exactly as the buckets tell; 0 when nothing was recorded.
   * @param {number} share 0…1
   */
  percentile(share) {
    let missing = rank(this.#count, share);
    for (const [highest, count] of this.buckets) {
      missing -= count;
      if (missing <= 0) return Math.min(highest, this.#max);
    }
    return 0;
  }

  /** All that it takes to make the same histogram again, or to add several up. */
  get data() {
    return {
      lowestDiscernibleValue: 1,
      highestTrackableValue: Math.max(usualHighest, highestEquivalent(this.#max)),
      significantDigits: 3,
      buckets: this.buckets,
    };
  }
}
