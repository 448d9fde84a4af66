/** Compares round trips: connection times, then echoes in interleaved rounds. Draws nothing. */
import { Conversation } from "./conversation.js";
import { datagramTimeout, openEcho } from "./echo-transports.js";
import { withLifetime } from "./lifetime.js";
import { TooLargeError } from "./measuring-errors.js";
import { Series } from "./series.js";
import { timeToReady } from "./session-start.js";
import { openWebSocket, openWebTransport } from "./sessions.js";
import { rotated, split } from "./statistics.js";

/** Milliseconds between two reports within a round; a report falls between two echoes. */
const progressInterval = 250;

/** In the order in which they are measured first, and shown. @type {EchoID[]} */
const ids = ["wt-datagram", "wt-stream", "wt-bidi-per-message", "ws"];

/**
 * @typedef {import("./echo-transports.js").EchoID} EchoID
 *
 * @typedef {object} Settings
 * @property {number} messages per transport, without the warm-up
 * @property {number} size bytes of each message
 * @property {number} warmUp messages per transport that are not counted
 * @property {number} rounds
 * @property {number} connections sessions opened per transport to measure the time to ready; 0 leaves that out
 * @property {EchoID[]} transports
 *
 * @typedef {object} Measurement
 * @property {EchoID} id
 * @property {Series} series
 * @property {string | null} skipped why it was not measured
 *
 * @typedef {object} Outcome
 * @property {Measurement[]} roundTrips
 * @property {Record<"webtransport" | "websocket", Series>} ready
 *
 * @typedef {object} Observer
 * @property {(done: number, total: number, activity: string) => void} progress
 * @property {(outcome: Outcome) => void} roundEnded called between rounds: whatever it does is not measured
 */

/** @returns {Outcome} */
export function emptyOutcome() {
  return { roundTrips: [], ready: { webtransport: new Series(), websocket: new Series() } };
}

/**
 * @param {Settings} settings
 * @param {{webtransport: string, websocket: string, hashes: string[]}} target
 * @param {Observer} observer
 * @param {AbortSignal} signal
 * @param {Outcome} outcome filled as the run goes on, so that a cancelled run keeps what it has
 */
export async function compare(settings, target, observer, signal, outcome) {
  const usesWebTransport = settings.transports.some((id) => id !== "ws");
  const usesWebSocket = settings.transports.includes("ws");
  /** @type {("webtransport" | "websocket")[]} */
  const kinds = [];
  if (usesWebTransport) kinds.push("webtransport");
  if (usesWebSocket) kinds.push("websocket");

  const perTransport = settings.messages + settings.warmUp;
  const total = kinds.length * settings.connections + settings.transports.length * perTransport;
  let done = 0;

  for (let attempt = 0; attempt < settings.connections; attempt += 1) {
    for (const kind of rotated(kinds, attempt)) {
      observer.progress(done, total, "Opening sessions");
      // Each attempt is a turn of its own.
      outcome.ready[kind].record([await timeToReady(kind, target, signal)]);
      done += 1;
    }
  }
  observer.roundEnded(outcome);

  await withLifetime(signal, async (lifetime) => {
    // The transports over WebTransport share a session: they never run at the same time.
    const webTransport = usesWebTransport ? await openWebTransport(target, lifetime) : null;
    const webSocket = usesWebSocket ? await openWebSocket(target, lifetime) : null;
    const active = [];
    for (const id of ids.filter((each) => settings.transports.includes(each))) {
      /** @type {Measurement} */
      const measurement = { id, series: new Series(), skipped: null };
      outcome.roundTrips.push(measurement);
      const session = /** @type {WebTransport | WebSocket} */ (id === "ws" ? webSocket : webTransport);
      try {
        const echo = await openEcho(id, session, { size: settings.size, timeout: datagramTimeout });
        active.push({ conversation: new Conversation(echo, settings.size), measurement });
      } catch (error) {
        if (!(error instanceof TooLargeError)) throw error;
        measurement.skipped = error.message;
        done += perTransport;
      }
    }

    for (const { conversation } of active) {
      for (let message = 0; message < settings.warmUp; message += 1) {
        lifetime.signal.throwIfAborted();
        await conversation.roundTrip();
      }
      done += settings.warmUp;
      observer.progress(done, total, "Warming up");
    }

    const rounds = split(settings.messages, settings.rounds);
    let told = 0;
    for (const [round, messages] of rounds.entries()) {
      for (const { conversation, measurement } of rotated(active, round)) {
        /** @type {number[]} */
        const samples = [];
        let lost = 0;
        const record = () => measurement.series.record(samples, lost);
        // Round trips that are complete count, also where the turn is not.
        lifetime.signal.addEventListener("abort", record);
        for (let message = 0; message < messages; message += 1) {
          lifetime.signal.throwIfAborted();
          const elapsed = await conversation.roundTrip();
          if (elapsed === null) lost += 1;
          else samples.push(elapsed);
          done += 1;
          const now = performance.now();
          if (now - told < progressInterval) continue;
          told = now;
          observer.progress(done, total, `Round ${round + 1} of ${rounds.length}`);
        }
        lifetime.signal.removeEventListener("abort", record);
        record();
      }
      observer.progress(done, total, `Round ${round + 1} of ${rounds.length}`);
      observer.roundEnded(outcome);
      // Lets the page draw and answer the Cancel button before the next round.
      await nextFrame();
    }
  });
}

function nextFrame() {
  // requestAnimationFrame stands still in a hidden tab; the timer lets the run go on there.
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, 100);
    requestAnimationFrame(() => {
      clearTimeout(timer);
      setTimeout(resolve, 0);
    });
  });
}
