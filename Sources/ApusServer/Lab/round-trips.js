/** Round trips on several sessions at once, in a closed loop: each has one message in flight. */
import { Conversation } from "./conversation.js";
import { openEcho } from "./echo-transports.js";
import { withLifetime } from "./lifetime.js";
import { openWebSocket, openWebTransport } from "./sessions.js";

/**
 * @typedef {object} RoundTripsTurn
 * @property {import("./echo-transports.js").EchoID} transport
 * @property {import("./sessions.js").Target} target
 * @property {number} size of every message, in bytes
 * @property {number} warmUp messages of each session that do not count
 * @property {number} messages of each session that do
 * @property {number} timeout after which a datagram counts as lost, in milliseconds
 * @property {number} sessions
 *
 * @typedef {object} RoundTrips of one session
 * @property {number[]} nanoseconds of those that came back
 * @property {number} lost
 */

/**
 * Opens the sessions, lets all warm up, measures all at once, and closes them.
 * @param {RoundTripsTurn} turn
 * @param {AbortSignal} signal
 * @returns {Promise<{sessions: RoundTrips[]}>}
 */
export function roundTrips({ transport, target, size, warmUp, messages, timeout, sessions }, signal) {
  return withLifetime(signal, async (lifetime) => {
    /** @type {Conversation[]} */
    const conversations = [];
    // One after the other: browsers hold back, and servers mistrust, a burst of handshakes.
    while (conversations.length < sessions) {
      lifetime.signal.throwIfAborted();
      const session = await (transport === "ws" ? openWebSocket : openWebTransport)(target, lifetime);
      conversations.push(new Conversation(await openEcho(transport, session, { size, timeout }), size));
    }
    const all = (/** @type {number} */ count) =>
      Promise.all(conversations.map((conversation) => measure(conversation, count, lifetime.signal)));
    await all(warmUp);
    return { sessions: await all(messages) };
  });
}

/**
 * @param {Conversation} conversation
 * @param {number} count
 * @param {AbortSignal} signal
 * @returns {Promise<RoundTrips>}
 */
async function measure(conversation, count, signal) {
  const result = { nanoseconds: /** @type {number[]} */ ([]), lost: 0 };
  for (let message = 0; message < count; message += 1) {
    signal.throwIfAborted();
    const elapsed = await conversation.roundTrip();
    if (elapsed === null) result.lost += 1;
    else result.nanoseconds.push(elapsed);
  }
  return result;
}
