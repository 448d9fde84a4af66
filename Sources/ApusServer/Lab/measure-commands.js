/** The commands of a harness, and the tasks of the worker that they become. Pure. */
import { minimumSize } from "./echo-message.js";
import { hashBytes } from "./format.js";
import { UnsupportedError } from "./measuring-errors.js";
import { messageCount } from "./paced-load.js";
import { transportName } from "./transports.js";

/**
 * @typedef {object} Assignment
 * @property {string} task of the worker
 * @property {object} parameters
 * @property {string} activity what it does, for people
 */

const echoTransports = ["wt-datagram", "wt-stream", "wt-bidi-per-message", "ws"];
const pacedTransports = [...echoTransports, "wt-stream-per-sequence"];

/** Numbers in one answer. Its text then stays below some megabytes. */
const numberLimit = 1_000_000;

/** @type {Record<string, (command: any) => Assignment>} */
const makers = {
  begin({ kind, target, size }) {
    oneOf("kind", kind, ["webtransport", "websocket"]);
    checkTarget(target);
    whole("size", size, minimumSize);
    return {
      task: "startTimes",
      parameters: { kind, target, size },
      activity: "opening sessions",
    };
  },

  roundTrips({ transport, target, size, warmUp, messages, timeout, sessions }) {
    oneOf("transport", transport, echoTransports);
    checkTarget(target);
    whole("size", size, minimumSize);
    whole("warmUp", warmUp, 0);
    whole("messages", messages, 0);
    milliseconds("timeout", timeout);
    whole("sessions", sessions, 1);
    few(messages * sessions);
    return {
      task: "roundTrips",
      parameters: { transport, target, size, warmUp, messages, timeout, sessions },
      activity: `round trips: ${transportName(transport)}`,
    };
  },

  paced({ transport, target, load, size, patience, sessions }) {
    oneOf("transport", transport, pacedTransports);
    checkTarget(target);
    if (!isRecord(load)) throw new UnsupportedError("load must have sequences, rate, seconds and warmUpSeconds");
    whole("load.sequences", load.sequences, 1);
    positive("load.rate", load.rate);
    positive("load.seconds", load.seconds);
    notNegative("load.warmUpSeconds", load.warmUpSeconds);
    whole("size", size, minimumSize);
    milliseconds("patience", patience);
    whole("sessions", sessions, 1);
    few(messageCount(load) * 2 * sessions);
    return {
      task: "pacedTurns",
      parameters: { kind: transport, target, load, size, patience, sessions },
      activity: `messages at fixed times: ${transportName(transport)}`,
    };
  },
};

/**
 * @param {Record<string, unknown>} command
 * @returns {Assignment}
 * @throws UnsupportedError
 */
export function assignment(command) {
  const name = String(command.command);
  if (!Object.hasOwn(makers, name)) throw new UnsupportedError(`there is no command ${JSON.stringify(name)}`);
  return makers[name](command);
}

/** @param {unknown} value @returns {value is Record<string, unknown>} */
export function isRecord(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @param {unknown} target */
function checkTarget(target) {
  const { webtransport, websocket, hashes } = isRecord(target) ? target : {};
  if (typeof webtransport !== "string" || typeof websocket !== "string" || !Array.isArray(hashes)) {
    throw new UnsupportedError("target must have two addresses, webtransport and websocket, and an array of hashes");
  }
  for (const hash of hashes) {
    if (typeof hash === "string" && hashBytes(hash) !== null) continue;
    throw new UnsupportedError(`a certificate's hash is 64 hexadecimal digits, not ${JSON.stringify(hash)}`);
  }
}

/** @param {string} name @param {unknown} value @param {string[]} allowed */
function oneOf(name, value, allowed) {
  if (typeof value === "string" && allowed.includes(value)) return;
  throw new UnsupportedError(`${name} must be one of ${allowed.join(", ")}, not ${JSON.stringify(value)}`);
}

/** @param {string} name @param {unknown} value @param {number} least */
function whole(name, value, least) {
  if (Number.isSafeInteger(value) && /** @type {number} */ (value) >= least) return;
  throw new UnsupportedError(`${name} must be a whole number from ${least}, not ${JSON.stringify(value)}`);
}

/** @param {string} name @param {unknown} value */
function positive(name, value) {
  if (Number.isFinite(value) && /** @type {number} */ (value) > 0) return;
  throw new UnsupportedError(`${name} must be a number above 0, not ${JSON.stringify(value)}`);
}

/** @param {string} name @param {unknown} value */
function notNegative(name, value) {
  if (Number.isFinite(value) && /** @type {number} */ (value) >= 0) return;
  throw new UnsupportedError(`${name} must be a number from 0, not ${JSON.stringify(value)}`);
}

/** @param {string} name @param {unknown} value */
function milliseconds(name, value) {
  whole(name, value, 0);
  // A timer takes any more for nothing at all.
  if (/** @type {number} */ (value) < 2 ** 31) return;
  throw new UnsupportedError(`${name} must be a whole number of milliseconds below 2^31, not ${JSON.stringify(value)}`);
}

/** @param {number} count */
function few(count) {
  if (count <= numberLimit) return;
  throw new UnsupportedError(`an answer has at most ${numberLimit} numbers, not ${count}`);
}
