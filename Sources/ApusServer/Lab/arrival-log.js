/**
 * When the messages of a turn were sent and came back. It has no clock: it is told the time, in milliseconds.
 *
 * Ages count from when a message was *due*, not from when it was sent: what could not be sent in time because of what
 * was sent before is part of what a user waits for (no coordinated omission).
 *
 * @typedef {object} PacedOutcome
 * @property {(number | null)[]} ages for each message the nanoseconds from when it was due until its echo was there;
 *   null when it did not come
 * @property {number[]} lateness for each message the nanoseconds from when it was due until the client began to send
 */
import { MismatchError } from "./measuring-errors.js";
import { due, messageCount } from "./paced-load.js";

export class ArrivalLog {
  #load;
  #messages;
  #begin;
  #observe;
  /** @type {(number | null)[]} */
  #ages;
  /** @type {number[]} */
  #lateness = [];
  #missing;
  #complete = () => {};

  /**
   * @param {import("./paced-load.js").PacedLoad} load
   * @param {import("./echo-message.js").EchoMessages} messages
   * @param {number} begin when the first message is due
   * @param {(number: number, age: number) => void} observe told of each message that came back, and its age
   */
  constructor(load, messages, begin, observe) {
    this.#load = load;
    this.#messages = messages;
    this.#begin = begin;
    this.#observe = observe;
    this.#missing = messageCount(load);
    this.#ages = Array(this.#missing).fill(null);
    /** @type {Promise<void>} fulfilled when all have come back */
    this.complete = new Promise((resolve) => { this.#complete = resolve; });
  }

  /** @returns {PacedOutcome} */
  get outcome() { return { ages: this.#ages, lateness: this.#lateness }; }

  /** When a message is due. @param {number} number */
  due(number) {
    return this.#begin + due(this.#load, number) / 1e6;
  }

  /** The next message is about to be sent. @param {number} now */
  sending(now) {
    this.#lateness.push(nanoseconds(this.due(this.#lateness.length), now));
  }

  /**
   * Something came back. What comes twice, as datagrams may, counts once.
   * @param {Uint8Array} echo
   * @param {number} now
   * @throws when it is not what was sent
   */
  arrived(echo, now) {
    const number = this.#messages.number(echo);
    if (number >= this.#lateness.length) {
      throw new MismatchError(`an echo came of message ${number}, which was not sent`);
    }
    if (this.#ages[number] !== null) return;
    const age = nanoseconds(this.due(number), now);
    this.#ages[number] = age;
    this.#observe(number, age);
    this.#missing -= 1;
    if (this.#missing === 0) this.#complete();
  }
}

/** @param {number} begin milliseconds @param {number} end milliseconds */
function nanoseconds(begin, end) {
  return Math.max(0, Math.round((end - begin) * 1e6));
}
