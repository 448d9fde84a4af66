/** Turns of messages at fixed times, on sessions that are open for one turn. It knows neither page nor worker. */
import { Alarm } from "./alarm.js";
import { ArrivalLog } from "./arrival-log.js";
import { EchoMessages } from "./echo-message.js";
import { withLifetime } from "./lifetime.js";
import { MismatchError } from "./measuring-errors.js";
import { messageCount, sequenceOf } from "./paced-load.js";
import { openPath } from "./paced-paths.js";

/** Between the opening of the last session and the first message, in milliseconds. */
const lead = 20;

/**
 * @typedef {object} PacedTurn
 * @property {import("./sessions.js").Target} target
 * @property {import("./paced-paths.js").TransportKind} kind
 * @property {import("./paced-load.js").PacedLoad} load
 * @property {number} size of every message, in bytes
 * @property {number} patience how long to wait for echoes after the last message, in milliseconds
 *
 * @typedef {import("./arrival-log.js").PacedOutcome} PacedOutcome
 * @typedef {import("./lifetime.js").Lifetime} Lifetime
 * @typedef {(number: number, age: number) => void} Observer told of each message that came back, with its age in
 *   nanoseconds
 */

/**
 * Opens a session, sends everything at its time, waits for what comes back, and closes it.
 *
 * Browsers wake a program up late; then all that is due by now is sent at once, and `lateness` says how late that was.
 * @param {PacedTurn} turn
 * @param {AbortSignal} signal
 * @param {Observer} observe
 * @returns {Promise<PacedOutcome>}
 * @throws when the session ends, an echo differs, or the signal aborts, and then its reason
 */
export function pacedTurn(turn, signal, observe = () => {}) {
  return withLifetime(signal, async (lifetime) => {
    const session = await PacedSession.open(turn, lifetime);
    return session.run(performance.now() + lead, observe);
  });
}

/**
 * The same on several sessions, which begin together when all are open.
 * @param {PacedTurn & {sessions: number}} turn
 * @param {AbortSignal} signal
 * @returns {Promise<{sessions: PacedOutcome[]}>}
 */
export function pacedTurns({ sessions, ...turn }, signal) {
  return withLifetime(signal, async (lifetime) => {
    /** @type {PacedSession[]} */
    const open = [];
    // One after the other: browsers hold back, and servers mistrust, a burst of handshakes.
    while (open.length < sessions) {
      lifetime.signal.throwIfAborted();
      open.push(await PacedSession.open(turn, lifetime));
    }
    const begin = performance.now() + lead;
    return { sessions: await Promise.all(open.map((session) => session.run(begin))) };
  });
}

/** A session that is open for a turn. */
class PacedSession {
  #turn;
  #signal;
  #messages;
  /** @type {ArrivalLog | null} */
  #log = null;
  /** @type {import("./paced-paths.js").Send} */
  #send = async () => {};

  /** @param {PacedTurn} turn @param {AbortSignal} signal */
  constructor(turn, signal) {
    this.#turn = turn;
    this.#signal = signal;
    this.#messages = new EchoMessages(turn.size);
  }

  /** @param {PacedTurn} turn @param {Lifetime} lifetime */
  static async open(turn, lifetime) {
    const session = new PacedSession(turn, lifetime.signal);
    const { target, kind, load, size } = turn;
    session.#send = await openPath({
      target, kind, sequences: load.sequences, size, lifetime,
      receive: (echo) => {
        if (session.#log === null) throw new MismatchError("an echo came before anything was sent");
        session.#log.arrived(echo, performance.now());
      },
    });
    return session;
  }

  /**
   * @param {number} begin when the first message is due, as of performance.now()
   * @param {Observer} observe
   */
  async run(begin, observe = () => {}) {
    const { load, patience } = this.#turn;
    const log = new ArrivalLog(load, this.#messages, begin, observe);
    this.#log = log;
    const alarm = new Alarm();
    try {
      for (let number = 0; number < messageCount(load); number += 1) {
        await alarm.until(log.due(number), this.#signal);
        const message = this.#messages.make(number);
        log.sending(performance.now());
        await this.#send(message, sequenceOf(load, number));
      }
    } finally {
      alarm.close();
    }
    await within(patience, log.complete);
    return log.outcome;
  }
}

/**
 * Returns when it is complete, or after so long.
 * @param {number} milliseconds
 * @param {Promise<void>} complete
 */
async function within(milliseconds, complete) {
  let timer = 0;
  await Promise.race([complete, new Promise((resolve) => { timer = setTimeout(resolve, milliseconds); })]);
  clearTimeout(timer);
}
