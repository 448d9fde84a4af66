/** What a receiver that forgets the old made of the messages of a turn. Pure; all times are in nanoseconds. */
import { due, firstCounted, messageCount } from "./paced-load.js";

/** @typedef {import("./paced-load.js").PacedLoad} PacedLoad */

/** Staleness is looked at every millisecond. */
const interval = 1_000_000;

/**
 * Messages that count and were newer, when they arrived, than all of their sequence that had arrived before.
 * @param {PacedLoad} load
 * @param {(number | null)[]} ages
 */
export function freshCount(load, ages) {
  const first = firstCounted(load);
  let count = 0;
  for (let sequence = 0; sequence < load.sequences; sequence += 1) {
    count += news(load, ages, sequence).filter(({ number }) => number >= first).length;
  }
  return count;
}

/**
 * How old the newest is that the receiver knows of each sequence, looked at every millisecond of what counts.
 * @param {PacedLoad} load
 * @param {(number | null)[]} ages
 * @returns {number[]}
 */
export function staleness(load, ages) {
  const samples = [];
  const [begin, end] = [due(load, firstCounted(load)), due(load, messageCount(load))];
  for (let sequence = 0; sequence < load.sequences; sequence += 1) {
    const arrivals = news(load, ages, sequence);
    let next = 0;
    for (let time = begin; time < end; time += interval) {
      while (next < arrivals.length && arrivals[next].arrival <= time) next += 1;
      // Until something has come there is nothing that could be stale: the session's first moment.
      if (next > 0) samples.push(time - due(load, arrivals[next - 1].number));
    }
  }
  return samples;
}

/**
 * What the receiver has taken of a sequence, in the order of arrival.
 * @param {PacedLoad} load
 * @param {(number | null)[]} ages
 * @param {number} sequence
 */
function news(load, ages, sequence) {
  const arrivals = [];
  for (let number = sequence; number < ages.length; number += load.sequences) {
    const age = ages[number];
    if (age !== null) arrivals.push({ number, arrival: due(load, number) + age });
  }
  arrivals.sort((a, b) => a.arrival - b.arrival || a.number - b.number);
  let newest = -1;
  return arrivals.filter(({ number }) => {
    if (number <= newest) return false;
    newest = number;
    return true;
  });
}
