/** Percentiles, and the order of rounds. Pure: no clock, no document. */

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
 * How many nines a sample of this size supports: 100 samples say something about p99, 99 do not.
 * @param {number} count
 */
export function nines(count) {
  return Math.max(1, Math.floor(Math.log10(Math.max(1, count)) + 1e-9));
}

/**
 * The percentile curve from the median of nothing to the last nine that the samples support.
 * `depth` is the number of nines, so 0 is the minimum, 1 is p90, 2 is p99; it is the x axis of the plot.
 * @param {import("./histogram.js").Histogram} histogram not empty
 * @param {number} steps
 * @returns {{depth: number, value: number}[]}
 */
export function percentileCurve(histogram, steps = 160) {
  const last = nines(histogram.count);
  const points = [];
  for (let step = 0; step <= steps; step += 1) {
    const depth = (last * step) / steps;
    points.push({ depth, value: histogram.percentile(shareAtDepth(depth)) });
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
