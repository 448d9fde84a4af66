/** Messages of one size, each different from the others: a number in eight bytes, then always the same bytes. Pure. */
import { MismatchError } from "./measuring-errors.js";

/** In bytes: the number alone. */
export const minimumSize = 8;

export class EchoMessages {
  #template;

  /** @param {number} size at least `minimumSize` */
  constructor(size) {
    if (size < minimumSize) throw new RangeError(`a message has at least ${minimumSize} bytes, not ${size}`);
    this.#template = new Uint8Array(size);
    // A fixed sequence without a short period, so that bytes in the wrong place show; `apus bench` sends the same.
    let state = 0x9e3779b9;
    for (let index = minimumSize; index < size; index += 1) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      this.#template[index] = state >>> 24;
    }
  }

  get size() { return this.#template.byteLength; }

  /** @param {number} number @returns {Uint8Array<ArrayBuffer>} */
  make(number) {
    const message = this.#template.slice();
    new DataView(message.buffer).setBigUint64(0, BigInt(number));
    return message;
  }

  /**
   * The number of a message.
   * @param {Uint8Array} message
   * @throws MismatchError when it is not one that `make` has made
   */
  number(message) {
    const isWhole = message.byteLength === this.size
      && message.every((byte, index) => index < minimumSize || byte === this.#template[index]);
    if (!isWhole) throw new MismatchError(`an echo of ${message.byteLength} bytes differs from what was sent`);
    return Number(new DataView(message.buffer, message.byteOffset, minimumSize).getBigUint64(0));
  }
}
