/** One session that has one message in flight: its round trips are timed, and every byte of the echoes is checked. */
import { EchoMessages } from "./echo-message.js";
import { MismatchError } from "./measuring-errors.js";

export class Conversation {
  #echo;
  #messages;
  #number = 0;

  /**
   * @param {import("./echo-transports.js").Echo} echo
   * @param {number} size of every message, in bytes
   */
  constructor(echo, size) {
    this.#echo = echo;
    this.#messages = new EchoMessages(size);
  }

  /**
   * Sends a message and waits for its echo.
   * @returns {Promise<number | null>} the nanoseconds until the program had it, or null when it was lost
   * @throws MismatchError, or what the session fails with
   */
  async roundTrip() {
    this.#number += 1;
    const message = this.#messages.make(this.#number);
    const start = performance.now();
    const echo = await this.#echo(message);
    const elapsed = performance.now() - start;
    if (echo === null) return null;
    const number = this.#messages.number(echo);
    if (number !== this.#number) {
      throw new MismatchError(`the echo of message ${number} came back for message ${this.#number}`);
    }
    return Math.round(elapsed * 1e6);
  }
}
