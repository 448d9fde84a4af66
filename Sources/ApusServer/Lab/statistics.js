/** Percentiles of raw samples. Pure: no clock, no document. */

/**
 * The place, from 1, of the smallest sample that is at least as large as `share` of all (nearest rank).
 * @param {number} count
 * @param {number} share 0…1
 */
export function rank(count, share) {
  // 0.999 * 1000 is 999.0000000000001 in binary floating point and must still be rank 999.
  return Math.min(count, Math.max(1, Math.ceil(share * count - 1e-9)));
}

/**
 * The smallest sample that is at least as large as `share` of all samples (nearest rank).
 * @param {ArrayLike<number>} sorted ascending, not empty
 * @param {number} share 0…1
 * @returns {number}
 */
export function percentile(sorted, share) {
  if (sorted.length === 0) throw new RangeError("a percentile needs at least one sample");
  return sorted[rank(sorted.length, share) - 1];
}

/**
 * @param {Iterable<number>} samples
 * @returns {Float64Array} a sorted copy
 */
export function sorted(samples) {
  return Float64Array.from(samples).sort();
}

/**
 * @typedef {{count: number, p50: number, p90: number, p99: number, max: number}} Summary
 * @param {ArrayLike<number>} ascending
 * @returns {Summary | null} null when there is nothing to summarise
 */
export function summarize(ascending) {
  if (ascending.length === 0) return null;
  return {
    count: ascending.length,
    p50: percentile(ascending, 0.5),
    p90: percentile(ascending, 0.9),
    p99: percentile(ascending, 0.99),
    max: ascending[ascending.length - 1],
  };
}

/**
 * How many nines a sample of this size supports: 100 samples say something about p99, 99 do not.
 * @param {number} count
 */
export function nines(count) {
  return Math.max(1, Math.floor(Math.log10(Math.max(1, count)) + 1e-9));
}

/**
 * The percentile curve from the median of nothing to the last nine that the samples support.
 * `depth` is the number of nines, so 0 is the minimum, 1 is p90, 2 is p99; it is the x axis of the plot.
 * @param {ArrayLike<number>} ascending not empty
 * @param {number} steps
 * @returns {{depth: number, value: number}[]}
 */
export function percentileCurve(ascending, steps = 160) {
  const last = nines(ascending.length);
  const points = [];
  for (let step = 0; step <= steps; step += 1) {
    const depth = (last * step) / steps;
    points.push({ depth, value: percentile(ascending, shareAtDepth(depth)) });
  }
  return points;
}

/** @param {number} depth nines @returns {number} share, 0…1 */
export function shareAtDepth(depth) {
  return 1 - 10 ** -depth;
}

/** @param {number} share 0…1 (1 excluded) @returns {number} nines */
export function depthAtShare(share) {
  return -Math.log10(1 - share);
}

/**
 * Latin-square order: in every round each transport moves one place, so that drift and neighbours hit all alike.
 * @template T
 * @param {T[]} items
 * @param {number} round
 * @returns {T[]}
 */
export function rotated(items, round) {
  const shift = items.length === 0 ? 0 : round % items.length;
  return [...items.slice(shift), ...items.slice(0, shift)];
}

/**
 * Splits `total` into `parts` sizes that differ by one at most.
 * @param {number} total
 * @param {number} parts
 * @returns {number[]}
 */
export function split(total, parts) {
  const count = Math.max(1, Math.min(parts, total));
  return Array.from({ length: count }, (_, index) =>
    Math.floor(((index + 1) * total) / count) - Math.floor((index * total) / count));
}
