/** How long sessions take to begin, each time on a new connection. */
import { Conversation } from "./conversation.js";
import { openEcho } from "./echo-transports.js";
import { withLifetime } from "./lifetime.js";
import { close, openWebSocket, openWebTransport } from "./sessions.js";

/**
 * @typedef {"webtransport" | "websocket"} SessionKind
 * @typedef {import("./sessions.js").Target} Target
 *
 * @typedef {object} StartTimes in nanoseconds, from the constructor
 * @property {number} session until it could be used
 * @property {number} firstEcho until the echo of a message was there, whole: on a bidirectional stream, or as a message
 */

/**
 * Opens a session and closes it.
 * @param {SessionKind} kind
 * @param {Target} target
 * @param {AbortSignal} signal
 * @returns {Promise<number>} the nanoseconds until it could be used
 */
export function timeToReady(kind, target, signal) {
  return withLifetime(signal, async (lifetime) => {
    const begin = performance.now();
    await open(kind, target, lifetime);
    return nanosecondsSince(begin);
  });
}

/**
 * Opens a session, has one message echoed, closes it and waits for that.
 * @param {{kind: SessionKind, target: Target, size: number}} start
 * @param {AbortSignal} signal
 * @returns {Promise<StartTimes>}
 */
export async function startTimes({ kind, target, size }, signal) {
  return withLifetime(signal, async ({ signal: end, fail }) => {
    // It is closed here, which is no failure.
    let isClosing = false;
    const begin = performance.now();
    const session = await open(kind, target, {
      signal: end,
      fail: (error) => { if (!isClosing) fail(error); },
    });
    const ready = nanosecondsSince(begin);
    const echo = await openEcho(kind === "websocket" ? "ws" : "wt-stream", session, { size, timeout: Infinity });
    const conversation = new Conversation(echo, size);
    await conversation.roundTrip();
    const firstEcho = nanosecondsSince(begin);
    isClosing = true;
    await close(session);
    return { session: ready, firstEcho };
  });
}

/** @param {SessionKind} kind @param {Target} target @param {import("./lifetime.js").Lifetime} lifetime */
function open(kind, target, lifetime) {
  return kind === "websocket" ? openWebSocket(target, lifetime) : openWebTransport(target, lifetime);
}

/** @param {number} begin milliseconds */
function nanosecondsSince(begin) {
  return Math.round((performance.now() - begin) * 1e6);
}
