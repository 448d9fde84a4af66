/**
 * Messages at fixed times, whether earlier ones have come back or not: an open loop. Pure.
 *
 * Sequences are independent of each other and take turns, so that the messages of all are spread evenly over time. The
 * messages of a turn are numbered from zero.
 *
 * @typedef {object} PacedLoad
 * @property {number} sequences
 * @property {number} rate messages a second of each sequence
 * @property {number} seconds of each turn that count
 * @property {number} warmUpSeconds before them, with the same messages, that do not
 */

/** @param {PacedLoad} load @param {number} seconds */
function numberAfter({ sequences, rate }, seconds) {
  return Math.ceil(seconds * rate * sequences);
}

/** Messages of a turn, of all sequences, with those that do not count. @param {PacedLoad} load */
export function messageCount(load) {
  return numberAfter(load, load.warmUpSeconds + load.seconds);
}

/** The first message that counts. @param {PacedLoad} load */
export function firstCounted(load) {
  return numberAfter(load, load.warmUpSeconds);
}

/**
 * When a message is due, in nanoseconds from the begin of the turn.
 * @param {PacedLoad} load
 * @param {number} number
 */
export function due({ sequences, rate }, number) {
  return Math.trunc((number / (rate * sequences)) * 1e9);
}

/** The sequence of a message, from zero. @param {PacedLoad} load @param {number} number */
export function sequenceOf({ sequences }, number) {
  return number % sequences;
}
