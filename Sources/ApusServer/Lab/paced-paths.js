/** Ways for messages to travel to an echo endpoint and back, whether earlier ones have come back or not. */
import { openEcho, requireDatagram } from "./echo-transports.js";
import { MessageReader } from "./message-reader.js";
import { binary, openWebSocket, openWebTransport } from "./sessions.js";

/** Datagrams that wait for the program. Chromium keeps one if nothing is said: the next replaces it. */
const waitingDatagrams = 256;

/**
 * @typedef {"wt-datagram" | "wt-stream" | "wt-stream-per-sequence" | "wt-bidi-per-message" | "ws"} TransportKind
 *
 * @typedef {object} Turn what a path belongs to
 * @property {import("./sessions.js").Target} target
 * @property {TransportKind} kind
 * @property {number} sequences
 * @property {number} size of every message, in bytes
 * @property {(echo: Uint8Array) => void} receive takes an echo; it throws when that is not one
 * @property {import("./lifetime.js").Lifetime} lifetime of the session; fails when an echo is not what it must be
 *
 * @typedef {(message: Uint8Array<ArrayBuffer>, sequence: number) => Promise<void>} Send waits for the room that the
 *   network leaves it, never for an echo
 */

/**
 * Opens a new session.
 * @param {Turn} turn
 * @returns {Promise<Send>}
 */
export async function openPath(turn) {
  const { target, kind, sequences, lifetime } = turn;
  if (kind === "ws") return webSocketPath(await openWebSocket(target, lifetime), turn);
  const transport = await openWebTransport(target, lifetime);
  switch (kind) {
    case "wt-datagram": return datagramPath(transport, turn);
    case "wt-stream": return streamsPath(transport, 1, turn);
    case "wt-stream-per-sequence": return streamsPath(transport, sequences, turn);
    case "wt-bidi-per-message": return streamPerMessagePath(transport, turn);
  }
}

/** @param {WebSocket} socket @param {Turn} turn @returns {Send} */
function webSocketPath(socket, { receive, lifetime: { fail } }) {
  socket.addEventListener("message", (event) => {
    try {
      receive(binary(event));
    } catch (error) {
      fail(error);
    }
  });
  return async (message) => socket.send(message);
}

/** @param {WebTransport} transport @param {Turn} turn @returns {Send} */
function datagramPath({ datagrams }, { size, receive, lifetime: { fail } }) {
  requireDatagram(datagrams, size);
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
async function streamsPath(transport, count, { size, receive, lifetime: { fail } }) {
  /** @type {Send[]} */
  const streams = [];
  for (let index = 0; index < count; index += 1) {
    const { readable, writable } = await transport.createBidirectionalStream();
    receiveAll(new MessageReader(readable, size), receive).catch(fail);
    streams.push(writing(writable, fail));
  }
  return (message, sequence) => streams[sequence % count](message, sequence);
}

/** @param {MessageReader} reader @param {(echo: Uint8Array) => void} receive */
async function receiveAll(reader, receive) {
  for (;;) {
    const echo = await reader.next();
    if (echo === null) throw new Error("the server finished a stream");
    receive(echo);
  }
}

/**
 * A stream for each message, which both sides end. One that waits for leave to open holds up no other.
 * @param {WebTransport} transport
 * @param {Turn} turn
 * @returns {Promise<Send>}
 */
async function streamPerMessagePath(transport, { size, receive, lifetime: { fail } }) {
  const exchange = await openEcho("wt-bidi-per-message", transport, { size, timeout: Infinity });
  return async (message) => {
    exchange(message).then((echo) => { if (echo !== null) receive(echo); }).catch(fail);
  };
}

/** @param {WritableStream} writable @param {(error: unknown) => void} fail @returns {Send} */
function writing(writable, fail) {
  const writer = writable.getWriter();
  return async (message) => {
    await writer.ready;
    writer.write(message).catch(fail);
  };
}
