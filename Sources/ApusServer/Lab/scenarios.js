/** What the comparison measures. The names and loads are those of `apus bench`. */

/**
 * @typedef {"round-trip" | "latency" | "head-of-line" | "state"} ScenarioID
 *
 * @typedef {object} Scenario
 * @property {ScenarioID} id
 * @property {string} name
 * @property {string} about
 * @property {{sequences: number, rate: number} | null} load what is sent at fixed times; null where that is not so
 * @property {"age" | "staleness" | null} subject what the scenario is about, where messages have their times
 */

/** @type {Scenario[]} */
export const scenarios = [
  {
    id: "round-trip", name: "Round trips", load: null, subject: null,
    about: "One message at a time goes to /echo and back: a closed loop.",
  },
  {
    id: "latency", name: "Latency", load: { sequences: 1, rate: 100 }, subject: "age",
    about: "Messages are sent at their time, whether earlier ones have come back or not. Each one’s age counts from when"
      + " it was due until its echo is there: what waits because others are late waits on.",
  },
  {
    id: "head-of-line", name: "Head-of-line blocking", load: { sequences: 8, rate: 30 }, subject: "age",
    about: "Sequences that have nothing to do with each other, sent at their times. What an age exceeds the shortest by"
      + " has been waited, also for messages of other sequences.",
  },
  {
    id: "state", name: "Realtime state", load: { sequences: 1, rate: 60 }, subject: "staleness",
    about: "Updates of which only the newest matters, such as the frames of a game. How old is the newest that has come"
      + " back? Fresh are messages that were newer, when they came, than all before.",
  },
];

/** Seconds of each turn that do not count. */
export const warmUpSeconds = 0.5;
/** How long to wait for echoes after the last message of a turn, in milliseconds. */
export const patience = 3000;

/** @param {string} id */
export function scenario(id) {
  const found = scenarios.find((candidate) => candidate.id === id);
  if (found === undefined) throw new RangeError(`there is no scenario ${id}`);
  return found;
}
