/** The ways to echo one message at a time. Each sends a message and waits for all of what comes back. */
import { MismatchError, TooLargeError } from "./measuring-errors.js";
import { MessageReader } from "./message-reader.js";
import { binary } from "./sessions.js";

/** On the lab page a datagram is given up after this long and counted as lost; a round trip in a LAN is far below. */
export const datagramTimeout = 1000;

/**
 * @typedef {"wt-datagram" | "wt-stream" | "wt-bidi-per-message" | "ws"} EchoID
 *
 * @typedef {(message: Uint8Array<ArrayBuffer>) => Promise<Uint8Array | null>} Echo gives what came back, or null when
 *   nothing came in time
 */

/**
 * @param {EchoID} id
 * @param {WebTransport | WebSocket} session of the kind that it needs
 * @param {{size: number, timeout: number}} settings the size of every message, in bytes, and when a datagram counts as
 *   lost, in milliseconds
 * @returns {Promise<Echo>}
 */
export async function openEcho(id, session, { size, timeout }) {
  if (session instanceof WebSocket) return webSocketEcho(session);
  switch (id) {
    case "wt-datagram":
      requireDatagram(session.datagrams, size);
      return datagramEcho(session.datagrams, timeout);
    case "wt-stream": return streamEcho(await session.createBidirectionalStream(), size);
    case "wt-bidi-per-message": return streamPerMessageEcho(session, size);
    case "ws": throw new TypeError("a WebTransport session is no WebSocket");
  }
}

/**
 * @param {WebTransportDatagramDuplexStream} datagrams
 * @param {number} size
 * @throws TooLargeError
 */
export function requireDatagram({ maxDatagramSize }, size) {
  if (size <= maxDatagramSize) return;
  throw new TooLargeError(`${size} bytes do not fit a datagram (at most ${maxDatagramSize}).`);
}

/** @param {WebTransportDatagramDuplexStream} datagrams @param {number} timeout @returns {Echo} */
function datagramEcho(datagrams, timeout) {
  const writer = (datagrams.createWritable?.() ?? datagrams.writable).getWriter();
  const reader = datagrams.readable.getReader();
  /** @type {{number: bigint, settle: (echo: Uint8Array | null) => void, fail: (error: unknown) => void} | null} */
  let waiting = null;
  /** @type {unknown} */
  let failure = null;
  const pump = async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) throw new Error("the session ended");
      // A lower number is the echo of one that counts as lost already.
      if (waiting !== null && !(value.byteLength >= 8 && numberOf(value) < waiting.number)) waiting.settle(value);
    }
  };
  pump().catch((error) => {
    failure = error;
    waiting?.fail(error);
  });
  return (message) => {
    if (failure !== null) return Promise.reject(failure);
    const echo = new Promise((resolve, reject) => {
      const timer = setTimeout(() => waiting?.settle(null), timeout);
      const finish = () => {
        clearTimeout(timer);
        waiting = null;
      };
      waiting = {
        number: numberOf(message),
        settle: (value) => { finish(); resolve(value); },
        fail: (error) => { finish(); reject(error); },
      };
    });
    writer.write(message).catch((error) => waiting?.fail(error));
    return echo;
  };
}

/** @param {Uint8Array} message */
function numberOf({ buffer, byteOffset, byteLength }) {
  return new DataView(buffer, byteOffset, byteLength).getBigUint64(0);
}

/** @param {WebTransportBidirectionalStream} stream @param {number} size @returns {Echo} */
function streamEcho({ readable, writable }, size) {
  const writer = writable.getWriter();
  const reader = new MessageReader(readable, size);
  return async (message) => {
    // The write is not awaited first: a message larger than the flow-control window completes only while it is read.
    const [, echo] = await Promise.all([writer.write(message), reader.next()]);
    if (echo === null) throw new Error("the server finished the stream");
    return echo;
  };
}

/** @param {WebTransport} transport @param {number} size @returns {Echo} */
function streamPerMessageEcho(transport, size) {
  return async (message) => {
    const stream = await transport.createBidirectionalStream();
    const [, echo] = await Promise.all([writeLast(stream.writable, message), onlyMessage(stream.readable, size)]);
    return echo;
  };
}

/** @param {WritableStream} writable @param {Uint8Array} message */
async function writeLast(writable, message) {
  const writer = writable.getWriter();
  await writer.write(message);
  await writer.close();
}

/**
 * What a stream carries, when that is one message. It is there when the stream has ended.
 * @param {ReadableStream<Uint8Array>} readable
 * @param {number} size
 */
async function onlyMessage(readable, size) {
  const reader = new MessageReader(readable, size);
  const echo = await reader.next();
  if (echo === null) throw new MismatchError("a stream ended without the echo of its message");
  if (await reader.next() !== null) throw new MismatchError("an echo is longer than its message");
  return echo;
}

/** @param {WebSocket} socket @returns {Echo} */
function webSocketEcho(socket) {
  /** @type {{resolve: (echo: Uint8Array) => void, reject: (error: unknown) => void} | null} */
  let waiting = null;
  socket.addEventListener("message", (event) => {
    try {
      waiting?.resolve(binary(event));
    } catch (error) {
      waiting?.reject(error);
    }
  });
  socket.addEventListener("close", ({ code }) => waiting?.reject(new Error(`the WebSocket closed with ${code}`)));
  return (message) => new Promise((resolve, reject) => {
    if (socket.readyState !== WebSocket.OPEN) {
      reject(new Error("the WebSocket is closed"));
      return;
    }
    waiting = { resolve, reject };
    socket.send(message);
  });
}
