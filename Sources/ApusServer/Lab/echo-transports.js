/** The ways to echo one message whose round trips are measured. Each sends one message and waits for all of it. */
import { readBytes } from "./streams.js";
import { options } from "./webtransport-session.js";

/** A datagram is given up after this long and counted as lost; a loopback or LAN round trip is far below. */
export const datagramTimeout = 1000;

/**
 * @typedef {"wt-datagram" | "wt-stream" | "wt-bidi-per-message" | "ws"} EchoID
 * @typedef {object} EchoTransport
 * @property {EchoID} id
 * @property {(payload: Uint8Array<ArrayBuffer>) => Promise<boolean>} roundTrip false when the message was lost
 * @property {number} limit the largest payload
 */

/**
 * One WebTransport session shared by the three transports over it: they never run at the same time.
 * @param {string} url
 * @param {string[]} hashes
 */
export async function openWebTransport(url, hashes) {
  const transport = new WebTransport(url, options(hashes));
  transport.closed.catch(() => {});
  await transport.ready;
  const stream = await transport.createBidirectionalStream();
  return {
    /** @type {EchoTransport[]} */
    transports: [datagramEcho(transport), streamEcho(stream), streamPerMessageEcho(transport)],
    close: () => transport.close(),
  };
}

/** @param {WebTransport} transport @returns {EchoTransport} */
function datagramEcho(transport) {
  const { datagrams } = transport;
  const writer = (datagrams.createWritable?.() ?? datagrams.writable).getWriter();
  const reader = datagrams.readable.getReader();
  /** @type {{sequence: number, settle: (arrived: boolean) => void, fail: (error: unknown) => void} | null} */
  let waiting = null;
  let sequence = 0;
  const pump = async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) throw new Error("the session ended");
      const header = new DataView(value.buffer, value.byteOffset, value.byteLength);
      // A late echo of a datagram given up must not answer for the next one.
      if (waiting !== null && value.byteLength >= 4 && header.getUint32(0) === waiting.sequence) waiting.settle(true);
    }
  };
  /** @type {unknown} */
  let failure = null;
  pump().catch((error) => {
    failure = error;
    waiting?.fail(error);
  });
  return {
    id: "wt-datagram",
    get limit() { return datagrams.maxDatagramSize; },
    roundTrip(payload) {
      if (failure !== null) return Promise.reject(failure);
      sequence = (sequence + 1) >>> 0;
      new DataView(payload.buffer).setUint32(0, sequence);
      const arrived = new Promise((resolve, reject) => {
        const timer = setTimeout(() => waiting?.settle(false), datagramTimeout);
        const finish = () => {
          clearTimeout(timer);
          waiting = null;
        };
        waiting = {
          sequence,
          settle: (value) => { finish(); resolve(value); },
          fail: (error) => { finish(); reject(error); },
        };
      });
      writer.write(payload).catch((error) => waiting?.fail(error));
      return arrived;
    },
  };
}

/** @param {WebTransportBidirectionalStream} stream @returns {EchoTransport} */
function streamEcho(stream) {
  const writer = stream.writable.getWriter();
  const reader = stream.readable.getReader();
  return {
    id: "wt-stream",
    limit: Infinity,
    async roundTrip(payload) {
      // The write is not awaited first: a payload larger than the flow-control window completes only while it is read.
      await Promise.all([writer.write(payload), readBytes(reader, payload.byteLength)]);
      return true;
    },
  };
}

/** @param {WebTransport} transport @returns {EchoTransport} */
function streamPerMessageEcho(transport) {
  return {
    id: "wt-bidi-per-message",
    limit: Infinity,
    async roundTrip(payload) {
      const stream = await transport.createBidirectionalStream();
      const writer = stream.writable.getWriter();
      const reader = stream.readable.getReader();
      const written = writer.write(payload).then(() => writer.close());
      await Promise.all([written, readBytes(reader, payload.byteLength)]);
      const { done } = await reader.read();
      if (!done) throw new Error("the echo is longer than the message");
      return true;
    },
  };
}

/**
 * @param {string} url
 * @returns {Promise<{transports: EchoTransport[], close: () => void}>}
 */
export async function openWebSocket(url) {
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  await opened(socket);
  /** @type {{resolve: (arrived: boolean) => void, reject: (error: Error) => void} | null} */
  let waiting = null;
  socket.addEventListener("message", () => waiting?.resolve(true));
  socket.addEventListener("close", (event) => waiting?.reject(new Error(`the WebSocket closed with ${event.code}`)));
  return {
    transports: [{
      id: "ws",
      limit: Infinity,
      roundTrip: (payload) => new Promise((resolve, reject) => {
        if (socket.readyState !== WebSocket.OPEN) {
          reject(new Error("the WebSocket is closed"));
          return;
        }
        waiting = { resolve, reject };
        socket.send(payload);
      }),
    }],
    close: () => socket.close(),
  };
}

/** @param {WebSocket} socket @returns {Promise<unknown>} fulfilled when it can be used */
export function opened(socket) {
  return new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve, { once: true });
    socket.addEventListener("error", () => reject(new Error("WebSocket opening handshake failed")), { once: true });
  });
}

/**
 * Time from constructor to usable session, each time on a new connection.
 * @param {"webtransport" | "websocket"} transport
 * @param {string} url
 * @param {string[]} hashes
 */
export async function timeToReady(transport, url, hashes) {
  const start = performance.now();
  if (transport === "webtransport") {
    const session = new WebTransport(url, options(hashes));
    session.closed.catch(() => {});
    await session.ready;
    const elapsed = performance.now() - start;
    session.close();
    return elapsed;
  }
  const socket = new WebSocket(url);
  await opened(socket);
  const elapsed = performance.now() - start;
  socket.close();
  return elapsed;
}
