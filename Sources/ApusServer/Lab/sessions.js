/** Opens the sessions that are measured: each on a connection of its own, closed at the end of a lifetime. */
import { MismatchError, UnsupportedError } from "./measuring-errors.js";
import { errorText } from "./streams.js";
import { options } from "./webtransport-session.js";

/**
 * @typedef {{webtransport: string, websocket: string, hashes: string[]}} Target addresses of an echo endpoint
 * @typedef {import("./lifetime.js").Lifetime} Lifetime
 */

/**
 * @param {Target} target
 * @param {Lifetime} lifetime fails when the session ends before it
 * @returns {Promise<WebTransport>} ready
 */
export async function openWebTransport({ webtransport: url, hashes }, { signal, fail }) {
  if (!("WebTransport" in globalThis)) {
    throw new UnsupportedError("this browser offers no WebTransport to a page of this address");
  }
  const transport = new WebTransport(url, options(hashes));
  signal.addEventListener("abort", () => transport.close());
  // A handshake that fails rejects both; `ready` is told of below.
  transport.closed.catch(() => {});
  try {
    await transport.ready;
  } catch (error) {
    throw unopened(url, errorText(error));
  }
  transport.closed.then(() => fail(new Error("the session ended")), fail);
  return transport;
}

/**
 * @param {Target} target
 * @param {Lifetime} lifetime fails when the session ends before it
 * @returns {Promise<WebSocket>} open, for binary messages
 */
export async function openWebSocket({ websocket: url }, { signal, fail }) {
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  signal.addEventListener("abort", () => socket.close());
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve, { once: true });
    // Browsers tell a page no more than that.
    socket.addEventListener("error", () => reject(unopened(url, "opening handshake failed")), { once: true });
  });
  socket.addEventListener("close", ({ code }) => fail(new Error(`the WebSocket closed with ${code}`)));
  return socket;
}

/** @param {string} url @param {string} why */
function unopened(url, why) {
  return new Error(`${url} gives no session: ${why}`);
}

/**
 * Closes a session and waits for that.
 * @param {WebTransport | WebSocket} session
 */
export async function close(session) {
  if (session instanceof WebSocket) {
    const closed = new Promise((resolve) => session.addEventListener("close", resolve, { once: true }));
    session.close();
    await closed;
  } else {
    session.close();
    await session.closed;
  }
}

/**
 * The bytes of a message that has arrived.
 * @param {MessageEvent<ArrayBuffer | string>} event
 */
export function binary({ data }) {
  if (typeof data === "string") throw new MismatchError("an echo that is text differs from what was sent");
  return new Uint8Array(data);
}
