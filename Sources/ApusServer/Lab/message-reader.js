/** Messages of one size, out of a stream whose chunks know nothing of them. */
import { MismatchError } from "./measuring-errors.js";

export class MessageReader {
  #reader;
  #size;
  /** What arrived after the last message. */
  #chunk = new Uint8Array(0);

  /**
   * @param {ReadableStream<Uint8Array>} readable
   * @param {number} size of every message, in bytes
   */
  constructor(readable, size) {
    this.#reader = readable.getReader();
    this.#size = size;
  }

  /**
   * The next message, or null when the stream has ended.
   * @returns {Promise<Uint8Array | null>}
   * @throws when it ends within a message
   */
  async next() {
    const size = this.#size;
    const message = new Uint8Array(size);
    let filled = 0;
    while (filled < size) {
      if (this.#chunk.byteLength === 0) {
        const { value, done } = await this.#reader.read();
        if (done && filled === 0) return null;
        if (done) throw new MismatchError(`a stream ended ${size - filled} bytes early`);
        this.#chunk = value;
      }
      const part = this.#chunk.subarray(0, size - filled);
      message.set(part, filled);
      filled += part.byteLength;
      this.#chunk = this.#chunk.subarray(part.byteLength);
    }
    return message;
  }
}
