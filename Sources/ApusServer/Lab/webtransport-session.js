/** One WebTransport session of the lab: it sends what the form says and reports all that arrives. */
import { hashBytes, preview } from "./format.js";
import { collect, errorText, streamError } from "./streams.js";

/**
 * @typedef {{by: "client" | "server" | "lost", code: number | null, reason: string}} Ending
 * @typedef {(event: Omit<import("./event-log.js").Entry, "id" | "time">) => void} Report
 * @typedef {"datagram" | "bidirectional" | "unidirectional"} StreamKind
 *
 * @typedef {object} HeldStream
 * @property {string} name
 * @property {WritableStreamDefaultWriter<Uint8Array>} writer
 * @property {ReadableStreamDefaultReader<Uint8Array>} reader
 */

/**
 * @param {string[]} hashes hex
 * @returns {WebTransportOptions}
 */
export function options(hashes) {
  const values = hashes.map(hashBytes).filter((value) => value !== null);
  return values.length === 0 ? {} : {
    serverCertificateHashes: values.map((value) => ({ algorithm: "sha-256", value })),
  };
}

export class WebTransportSession {
  /** @type {WebTransport} */
  #transport;
  /** @type {Report} */
  #report;
  #datagramWriter;
  #closedHere = false;
  #streams = 0;
  /** @type {HeldStream | null} */
  #held = null;

  /**
   * @param {string} url
   * @param {string[]} hashes hex
   * @param {Report} report
   */
  constructor(url, hashes, report) {
    this.#report = report;
    this.#transport = new WebTransport(url, options(hashes));
    // Both reject when the handshake fails; `ready` carries the error, and nobody may be listening to the other yet.
    this.#transport.closed.catch(() => {});
    /** @type {Promise<void>} */
    this.ready = this.#transport.ready.then(() => this.#begin());
    /** @type {Promise<Ending>} */
    this.ended = this.#transport.closed.then(
      (info) => ({
        by: this.#closedHere ? "client" : "server", code: info?.closeCode ?? 0, reason: info?.reason ?? "",
      }),
      (error) => ({ by: "lost", code: null, reason: errorText(error) }),
    );
  }

  /** Facts worth showing while the session is open. */
  get facts() {
    const size = this.#transport.datagrams.maxDatagramSize;
    const protocol = this.#transport.protocol;
    return [
      ["Largest datagram", `${size} bytes`],
      ...(protocol ? [["Application protocol", protocol]] : []),
    ];
  }

  get heldStream() {
    return this.#held?.name ?? null;
  }

  #begin() {
    const { datagrams } = this.#transport;
    this.#datagramWriter = (datagrams.createWritable?.() ?? datagrams.writable).getWriter();
    this.#readDatagrams();
    this.#accept(this.#transport.incomingBidirectionalStreams, "bidirectional");
    this.#accept(this.#transport.incomingUnidirectionalStreams, "unidirectional");
    this.#transport.draining?.then(
      () => this.#local("state", "The server is draining: it asks to end this session soon."), () => {});
  }

  async #readDatagrams() {
    const reader = this.#transport.datagrams.readable.getReader();
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        this.#received("datagram", preview(value), value.byteLength);
      }
    } catch {
      // The session ended; `ended` says how.
    }
  }

  /**
   * @param {ReadableStream} streams
   * @param {"bidirectional" | "unidirectional"} kind
   */
  async #accept(streams, kind) {
    const reader = streams.getReader();
    try {
      for (;;) {
        const { value: stream, done } = await reader.read();
        if (done) return;
        const name = this.#name(kind, "server");
        if (kind === "bidirectional") stream.writable.close().catch(() => {});
        this.#readToEnd(kind === "bidirectional" ? stream.readable : stream, kind, name);
      }
    } catch {
      // As above.
    }
  }

  /**
   * @param {ReadableStream<Uint8Array>} readable
   * @param {"bidirectional" | "unidirectional"} kind
   * @param {string} name
   */
  async #readToEnd(readable, kind, name) {
    try {
      const { head, size } = await collect(readable, 512);
      this.#received(kind, `${name}: ${size === 0 ? "ended without bytes" : preview(head)}`, size);
    } catch (error) {
      this.#failed(name, error);
    }
  }

  /**
   * @param {StreamKind} kind
   * @param {Uint8Array} data
   * @param {boolean} keepOpen for a bidirectional stream: leave it open for the next message
   */
  async send(kind, data, keepOpen) {
    if (kind === "datagram") {
      const limit = this.#transport.datagrams.maxDatagramSize;
      if (data.byteLength > limit) {
        throw new RangeError(`${data.byteLength} bytes do not fit a datagram; the limit now is ${limit}.`);
      }
      this.#sent("datagram", preview(data), data.byteLength);
      await this.#datagramWriter.write(data);
      return;
    }
    if (kind === "unidirectional") {
      const name = this.#name(kind, "page");
      const stream = await this.#transport.createUnidirectionalStream();
      const writer = stream.getWriter();
      this.#sent(kind, `${name}: ${preview(data)}`, data.byteLength);
      await writer.write(data);
      await writer.close();
      return;
    }
    if (keepOpen) {
      await this.#sendOnHeldStream(data);
      return;
    }
    const name = this.#name(kind, "page");
    const stream = await this.#transport.createBidirectionalStream();
    this.#sent(kind, `${name}: ${preview(data)}`, data.byteLength);
    const writer = stream.writable.getWriter();
    const answer = this.#readToEnd(stream.readable, kind, name);
    await writer.write(data);
    await writer.close();
    await answer;
  }

  /** @param {Uint8Array} data */
  async #sendOnHeldStream(data) {
    if (this.#held === null) {
      const stream = await this.#transport.createBidirectionalStream();
      const name = this.#name("bidirectional", "page");
      this.#held = { name, writer: stream.writable.getWriter(), reader: stream.readable.getReader() };
      this.#readChunks(this.#held);
    }
    this.#sent("bidirectional", `${this.#held.name}: ${preview(data)}`, data.byteLength);
    await this.#held.writer.write(data);
  }

  /** @param {HeldStream} held */
  async #readChunks(held) {
    try {
      for (;;) {
        const { value, done } = await held.reader.read();
        if (done) break;
        this.#received("bidirectional", `${held.name}: ${preview(value)}`, value.byteLength);
      }
      this.#local("state", `${held.name}: the server ended its half.`);
    } catch (error) {
      this.#failed(held.name, error);
    }
    if (this.#held === held) this.#held = null;
  }

  /** Ends our half of the stream that was kept open; the server's half goes on. */
  async endHeldStream() {
    const held = this.#held;
    if (held === null) return;
    this.#held = null;
    this.#local("state", `${held.name}: the page ended its half.`);
    await held.writer.close();
  }

  /** @param {number} code application error code */
  async resetHeldStream(code) {
    const held = this.#held;
    if (held === null) return;
    this.#held = null;
    this.#local("state", `${held.name}: reset and stopped by the page with code ${code}.`);
    const error = streamError(code, "reset by the page");
    await Promise.allSettled([held.writer.abort(error), held.reader.cancel(error)]);
  }

  /** @param {{code: number, reason: string}} info */
  close({ code, reason }) {
    this.#closedHere = true;
    this.#transport.close({ closeCode: code, reason });
  }

  /** @param {"bidirectional" | "unidirectional"} kind @param {"page" | "server"} opener */
  #name(kind, opener) {
    this.#streams += 1;
    const half = kind === "bidirectional" ? "bidi" : "uni";
    return `${half} ${this.#streams}${opener === "server" ? " (opened by the server)" : ""}`;
  }

  /** @param {string} name @param {unknown} error */
  #failed(name, error) {
    const withSession = error instanceof WebTransportError && error.source === "session";
    if (withSession) this.#local("state", `${name}: ended with the session.`);
    else this.#local("error", `${name}: ${errorText(error)}`);
  }

  #sent(kind, text, size) {
    this.#report({ kind, direction: "sent", text, size });
  }

  #received(kind, text, size) {
    this.#report({ kind, direction: "received", text, size });
  }

  #local(kind, text) {
    this.#report({ kind, direction: "local", text, size: null });
  }
}
