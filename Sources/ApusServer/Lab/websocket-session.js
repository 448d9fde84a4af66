/** One WebSocket session of the lab, of the same shape as a WebTransport session. */
import { preview } from "./format.js";

/**
 * @typedef {import("./webtransport-session.js").Ending} Ending
 * @typedef {import("./webtransport-session.js").Report} Report
 */

export class WebSocketSession {
  #socket;
  #closedHere = false;

  /**
   * @param {string} url
   * @param {Report} report
   */
  constructor(url, report) {
    this.#socket = new WebSocket(url);
    this.#socket.binaryType = "arraybuffer";
    /** @type {Promise<void>} */
    this.ready = new Promise((resolve, reject) => {
      this.#socket.addEventListener("open", () => resolve());
      this.#socket.addEventListener("error", () => reject(new Error("WebSocket opening handshake failed")));
    });
    /** @type {Promise<Ending>} */
    this.ended = new Promise((resolve) => {
      this.#socket.addEventListener("close", (event) => {
        // 1006 is never on the wire: the browser sets it when no closing handshake took place.
        if (event.code === 1006) resolve({ by: "lost", code: 1006, reason: "no closing handshake" });
        else resolve({ by: this.#closedHere ? "client" : "server", code: event.code, reason: event.reason });
      });
    });
    const received = (/** @type {string} */ kind, /** @type {Uint8Array} */ data) =>
      report({ kind: "message", direction: "received", text: `${kind}: ${preview(data)}`, size: data.byteLength });
    this.#socket.addEventListener("message", ({ data }) => {
      if (typeof data === "string") received("text", new TextEncoder().encode(data));
      else received("binary", new Uint8Array(data));
    });
    this.report = report;
  }

  get facts() {
    const { protocol, extensions } = this.#socket;
    return [
      ["Encryption", this.#socket.url.startsWith("wss:") ? "TLS" : "none (loopback)"],
      ...(protocol ? [["Application protocol", protocol]] : []),
      ...(extensions ? [["Extensions", extensions]] : []),
    ];
  }

  /**
   * @param {"text" | "binary"} kind
   * @param {Uint8Array<ArrayBuffer>} data
   */
  async send(kind, data) {
    this.report({ kind: "message", direction: "sent", text: `${kind}: ${preview(data)}`, size: data.byteLength });
    this.#socket.send(kind === "text" ? new TextDecoder().decode(data) : data);
  }

  /**
   * @param {{code: number, reason: string}} info 1000 or 3000…4999, or the browser throws; 0 means without a code
   */
  close({ code, reason }) {
    if (code === 0) this.#socket.close();
    else this.#socket.close(code, reason);
    this.#closedHere = true;
  }
}
