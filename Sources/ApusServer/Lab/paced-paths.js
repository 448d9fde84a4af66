/** Ways for messages to travel to an echo endpoint and back, whether earlier ones have come back or not. */
import { opened } from "./echo-transports.js";
import { options } from "./webtransport-session.js";

/** Datagrams that wait for the program. Chromium keeps one if nothing is said: the next replaces it. */
const waitingDatagrams = 256;

/**
 * @typedef {"wt-datagram" | "wt-stream" | "wt-stream-per-sequence" | "wt-bidi-per-message" | "ws"} TransportKind
 *
 * @typedef {object} Turn what a path belongs to
 * @property {{webtransport: string, websocket: string, hashes: string[]}} target
 * @property {TransportKind} kind
 * @property {number} sequences
 * @property {number} size of every message, in bytes
 * @property {(echo: Uint8Array) => void} receive takes an echo; it throws when that is not one
 * @property {(error: unknown) => void} fail the session, or an echo, is not what it must be
 * @property {AbortSignal} signal the session is closed when it aborts
 *
 * @typedef {(message: Uint8Array<ArrayBuffer>, sequence: number) => Promise<void>} Send waits for the room that the
 *   network leaves it, never for an echo
 */

/** A message that is larger than a datagram can be. */
export class TooLargeError extends RangeError {
  name = "TooLargeError";
}

/**
 * Opens a new session.
 * @param {Turn} turn
 * @returns {Promise<Send>}
 */
export async function openPath(turn) {
  if (turn.kind === "ws") return openWebSocketPath(turn);
  const transport = await openWebTransport(turn);
  switch (turn.kind) {
    case "wt-datagram": return datagramPath(transport, turn);
    case "wt-stream": return streamsPath(transport, 1, turn);
    case "wt-stream-per-sequence": return streamsPath(transport, turn.sequences, turn);
    case "wt-bidi-per-message": return streamPerMessagePath(transport, turn);
  }
}

/** @param {Turn} turn @returns {Promise<Send>} */
async function openWebSocketPath({ target, receive, fail, signal }) {
  const socket = new WebSocket(target.websocket);
  socket.binaryType = "arraybuffer";
  signal.addEventListener("abort", () => socket.close());
  await opened(socket);
  socket.addEventListener("close", ({ code }) => fail(new Error(`the WebSocket closed with ${code}`)));
  socket.addEventListener("message", ({ data }) => {
    try {
      receive(typeof data === "string" ? new TextEncoder().encode(data) : new Uint8Array(data));
    } catch (error) {
      fail(error);
    }
  });
  return async (message) => socket.send(message);
}

/** @param {Turn} turn */
async function openWebTransport({ target, fail, signal }) {
  const transport = new WebTransport(target.webtransport, options(target.hashes));
  signal.addEventListener("abort", () => transport.close());
  transport.closed.then(() => fail(new Error("the session ended")), fail);
  await transport.ready;
  return transport;
}

/** @param {WebTransport} transport @param {Turn} turn @returns {Send} */
function datagramPath({ datagrams }, { size, receive, fail }) {
  if (size > datagrams.maxDatagramSize) {
    throw new TooLargeError(`${size} bytes do not fit a datagram (at most ${datagrams.maxDatagramSize}).`);
  }
  datagrams.incomingHighWaterMark = waitingDatagrams;
  const reader = datagrams.readable.getReader();
  const pump = async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) throw new Error("no more datagrams come");
      receive(value);
    }
  };
  pump().catch(fail);
  return writing(datagrams.createWritable?.() ?? datagrams.writable, fail);
}

/**
 * Streams that stay open: one for all sequences, or one for each.
 * @param {WebTransport} transport
 * @param {number} count
 * @param {Turn} turn
 * @returns {Promise<Send>}
 */
async function streamsPath(transport, count, { size, receive, fail }) {
  /** @type {Send[]} */
  const streams = [];
  for (let index = 0; index < count; index += 1) {
    const { readable, writable } = await transport.createBidirectionalStream();
    receiveAll(readable, size, receive)
      .then(() => { throw new Error("the server finished a stream"); })
      .catch(fail);
    streams.push(writing(writable, fail));
  }
  return (message, sequence) => streams[sequence % count](message, sequence);
}

/**
 * A stream for each message, which both sides end. One that waits for leave to open holds up no other.
 * @param {WebTransport} transport
 * @param {Turn} turn
 * @returns {Send}
 */
function streamPerMessagePath(transport, { size, receive, fail }) {
  const exchange = async (/** @type {Uint8Array<ArrayBuffer>} */ message) => {
    const { readable, writable } = await transport.createBidirectionalStream();
    const writer = writable.getWriter();
    const written = writer.write(message).then(() => writer.close());
    /** @type {Uint8Array[]} */
    const echoes = [];
    await Promise.all([written, receiveAll(readable, size, (echo) => echoes.push(echo))]);
    // Taken when the stream has ended, as only then all of it is there.
    if (echoes.length !== 1) throw new Error("a stream ended without the echo of its message");
    receive(echoes[0]);
  };
  return async (message) => { exchange(message).catch(fail); };
}

/** @param {WritableStream} writable @param {(error: unknown) => void} fail @returns {Send} */
function writing(writable, fail) {
  const writer = writable.getWriter();
  return async (message) => {
    await writer.ready;
    writer.write(message).catch(fail);
  };
}

/**
 * Takes the messages of one size that arrive as bytes of a stream, until its end.
 * @param {ReadableStream<Uint8Array>} readable
 * @param {number} size
 * @param {(message: Uint8Array) => void} receive
 */
export async function receiveAll(readable, size, receive) {
  const reader = readable.getReader();
  let message = new Uint8Array(size);
  let filled = 0;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    for (let at = 0; at < value.byteLength;) {
      const part = value.subarray(at, at + size - filled);
      message.set(part, filled);
      at += part.byteLength;
      filled += part.byteLength;
      if (filled < size) continue;
      receive(message);
      message = new Uint8Array(size);
      filled = 0;
    }
  }
  if (filled > 0) throw new Error(`a stream ended ${size - filled} bytes early`);
}
