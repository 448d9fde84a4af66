/** Axis arithmetic for the plot. Pure. */

/**
 * @param {[number, number]} domain both positive for a logarithmic scale
 * @param {[number, number]} range pixels
 * @returns {(value: number) => number}
 */
export function logarithmic([low, high], [from, to]) {
  const start = Math.log10(low);
  const span = Math.log10(high) - start || 1;
  return (value) => from + ((Math.log10(Math.max(value, low)) - start) / span) * (to - from);
}

/**
 * @param {[number, number]} domain
 * @param {[number, number]} range
 * @returns {(value: number) => number}
 */
export function linear([low, high], [from, to]) {
  const span = high - low || 1;
  return (value) => from + ((value - low) / span) * (to - from);
}

/**
 * The next 1-2-5 steps that enclose the values.
 * @param {number} low
 * @param {number} high
 * @returns {[number, number]}
 */
export function enclosingSteps(low, high) {
  const ticks = steps(low / 5, high * 5);
  const below = ticks.filter((tick) => tick <= low * 1.0001);
  const above = ticks.filter((tick) => tick >= high * 0.9999);
  const bottom = below[below.length - 1] ?? low;
  const top = above[0] ?? high;
  return bottom === top ? [bottom / 2, top * 2] : [bottom, top];
}

/**
 * Ticks of a logarithmic axis, thinned to at most `limit`: 1-2-5, else 1-10-100.
 * @param {number} low
 * @param {number} high
 * @param {number} limit
 */
export function logarithmicTicks(low, high, limit = 8) {
  const fine = steps(low, high);
  if (fine.length <= limit) return fine;
  const decades = fine.filter((tick) => Math.abs(Math.log10(tick) - Math.round(Math.log10(tick))) < 1e-9);
  return decades.length >= 2 ? decades : fine.filter((_, index) => index % 2 === 0);
}

/**
 * Ticks of a linear axis in steps of 1, 2 or 5 times a power of ten, at most `limit` of them.
 * @param {number} low
 * @param {number} high above `low`
 * @param {number} limit at least 2
 */
export function linearTicks(low, high, limit) {
  const least = (high - low) / (limit - 1);
  const step = steps(least / 10, least * 10).find((candidate) => candidate >= least * 0.9999) ?? least;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

/** @param {number} low @param {number} high */
function steps(low, high) {
  const ticks = [];
  for (let exponent = Math.floor(Math.log10(low)); exponent <= Math.ceil(Math.log10(high)); exponent += 1) {
    for (const factor of [1, 2, 5]) {
      const tick = Number(`${factor}e${exponent}`);
      if (tick >= low * 0.9999 && tick <= high * 1.0001) ticks.push(tick);
    }
  }
  return ticks;
}

/**
 * Moves label positions apart, keeping their order, so that each keeps `gap` pixels to the next.
 * @param {number[]} positions
 * @param {number} gap
 * @param {[number, number]} bounds
 * @returns {number[]} in the order given
 */
export function spread(positions, gap, [low, high]) {
  const order = positions.map((_, index) => index).sort((a, b) => positions[a] - positions[b]);
  const placed = [...positions];
  let floor = low;
  for (const index of order) {
    placed[index] = Math.max(placed[index], floor);
    floor = placed[index] + gap;
  }
  let ceiling = high;
  for (const index of order.reverse()) {
    placed[index] = Math.min(placed[index], ceiling);
    ceiling = placed[index] - gap;
  }
  return placed;
}
