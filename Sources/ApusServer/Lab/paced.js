/** One session, open for one turn of messages at fixed times. It knows neither page nor worker. */
import { Alarm } from "./alarm.js";
import { ArrivalLog } from "./arrival-log.js";
import { EchoMessages } from "./echo-message.js";
import { messageCount, sequenceOf } from "./paced-load.js";
import { openPath } from "./paced-paths.js";

/** Between the opening of the session and the first message, in milliseconds. */
const lead = 20;

/**
 * @typedef {object} PacedTurn
 * @property {{webtransport: string, websocket: string, hashes: string[]}} target addresses of an echo endpoint
 * @property {import("./paced-paths.js").TransportKind} kind
 * @property {import("./paced-load.js").PacedLoad} load
 * @property {number} size of every message, in bytes
 * @property {number} patience how long to wait for echoes after the last message, in milliseconds
 */

/**
 * Opens the session, sends everything at its time, waits for what comes back, and closes it.
 *
 * Browsers wake a program up late; then all that is due by now is sent at once, and `lateness` says how late that was.
 * @param {PacedTurn} turn
 * @param {AbortSignal} signal
 * @param {(number: number, age: number) => void} observe told of each message that came back, with its age in
 *   nanoseconds
 * @returns {Promise<import("./arrival-log.js").PacedOutcome>}
 * @throws when the session ends, an echo differs, or the signal aborts, and then its reason
 */
export async function pacedTurn({ target, kind, load, size, patience }, signal, observe = () => {}) {
  signal.throwIfAborted();
  const ending = new AbortController();
  const fail = (/** @type {unknown} */ error) => ending.abort(error);
  const cancel = () => fail(signal.reason);
  signal.addEventListener("abort", cancel);
  const alarm = new Alarm();
  try {
    const messages = new EchoMessages(size);
    /** @type {ArrivalLog | null} */
    let log = null;
    const send = await openPath({
      target, kind, sequences: load.sequences, size, fail, signal: ending.signal,
      receive: (echo) => {
        if (log === null) throw new Error("an echo came before anything was sent");
        log.arrived(echo, performance.now());
      },
    });
    log = new ArrivalLog(load, messages, performance.now() + lead, observe);
    for (let number = 0; number < messageCount(load); number += 1) {
      await alarm.until(log.due(number), ending.signal);
      const message = messages.make(number);
      log.sending(performance.now());
      await send(message, sequenceOf(load, number));
    }
    await within(patience, log.complete, ending.signal);
    return log.outcome;
  } catch (error) {
    // What fails because the session has ended says less than why it has.
    throw ending.signal.aborted ? ending.signal.reason : error;
  } finally {
    signal.removeEventListener("abort", cancel);
    alarm.close();
    ending.abort(new Error("the turn is over"));
  }
}

/**
 * Returns when it is complete, or after so long.
 * @param {number} milliseconds
 * @param {Promise<void>} complete
 * @param {AbortSignal} signal
 * @throws the signal's reason
 */
function within(milliseconds, complete, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    complete.then(() => {
      clearTimeout(timer);
      resolve(undefined);
    });
    const fail = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    if (signal.aborted) fail();
    else signal.addEventListener("abort", fail);
  });
}
