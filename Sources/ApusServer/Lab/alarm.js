/** Waits for a time, as exactly as a browser's timers allow. */

/** A signal is noticed after this long at the latest; milliseconds. */
const longestPause = 100;

export class Alarm {
  #channel = new MessageChannel();

  /**
   * Returns when it is that late, at once if it is.
   * @param {number} time as of performance.now()
   * @param {AbortSignal} signal
   * @throws the signal's reason
   */
  async until(time, signal) {
    for (;;) {
      signal.throwIfAborted();
      const remaining = time - performance.now();
      if (remaining <= 0) return;
      await this.#pause(Math.floor(Math.min(remaining, longestPause)));
    }
  }

  close() {
    this.#channel.port1.close();
  }

  /**
   * A timer that a timer has set waits for 4 ms at least (HTML § 8.6), one that a message has set does not. Timers
   * count whole milliseconds; the rest is waited for by messages, between which other events have their turn.
   * @param {number} milliseconds
   */
  #pause(milliseconds) {
    const { port1, port2 } = this.#channel;
    return new Promise((resolve) => {
      port1.onmessage = milliseconds === 0 ? resolve : () => setTimeout(resolve, milliseconds);
      port2.postMessage(null);
    });
  }
}
