/** Compares round trips: connection times, then echoes in interleaved rounds. Draws nothing. */
import { openWebSocket, openWebTransport, timeToReady } from "./echo-transports.js";
import { Series } from "./series.js";
import { rotated, split } from "./statistics.js";

/** Milliseconds between two reports within a round; a report falls between two echoes. */
const progressInterval = 250;

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
      signal.throwIfAborted();
      observer.progress(done, total, "Opening sessions");
      const elapsed = await timeToReady(kind, target[kind], target.hashes);
      // Each attempt is a turn of its own.
      outcome.ready[kind].record([nanoseconds(elapsed)]);
      done += 1;
    }
  }
  observer.roundEnded(outcome);

  /** @type {{transports: import("./echo-transports.js").EchoTransport[], close: () => void}[]} */
  const open = [];
  const closeAll = () => open.forEach((session) => session.close());
  // Closing makes an echo under way reject, so that a cancel takes effect at once.
  signal.addEventListener("abort", closeAll);
  try {
    signal.throwIfAborted();
    if (usesWebTransport) open.push(await openWebTransport(target.webtransport, target.hashes));
    if (usesWebSocket) open.push(await openWebSocket(target.websocket));
    const lanes = open.flatMap((session) => session.transports)
      .filter((transport) => settings.transports.includes(transport.id))
      .map((transport) => ({ transport, measurement: measurementOf(outcome, transport, settings.size) }));
    const active = lanes.filter(({ measurement }) => measurement.skipped === null);
    done += (lanes.length - active.length) * perTransport;

    const payload = new Uint8Array(settings.size).map((_, index) => index & 0xff);
    for (const { transport } of active) {
      for (let message = 0; message < settings.warmUp; message += 1) {
        signal.throwIfAborted();
        await transport.roundTrip(payload);
      }
      done += settings.warmUp;
      observer.progress(done, total, "Warming up");
    }

    const rounds = split(settings.messages, settings.rounds);
    let told = 0;
    for (const [round, messages] of rounds.entries()) {
      for (const { transport, measurement } of rotated(active, round)) {
        /** @type {number[]} */
        const samples = [];
        let lost = 0;
        try {
          for (let message = 0; message < messages; message += 1) {
            signal.throwIfAborted();
            const start = performance.now();
            const arrived = await transport.roundTrip(payload);
            const elapsed = performance.now() - start;
            if (arrived) samples.push(nanoseconds(elapsed));
            else lost += 1;
            done += 1;
            if (start - told < progressInterval) continue;
            told = start;
            observer.progress(done, total, `Round ${round + 1} of ${rounds.length}`);
          }
        } finally {
          // Round trips that are complete count, also where the turn is not.
          measurement.series.record(samples, lost);
        }
      }
      observer.progress(done, total, `Round ${round + 1} of ${rounds.length}`);
      observer.roundEnded(outcome);
      // Lets the page draw and answer the Cancel button before the next round.
      await nextFrame();
    }
  } finally {
    signal.removeEventListener("abort", closeAll);
    closeAll();
  }
}

/**
 * @param {Outcome} outcome
 * @param {import("./echo-transports.js").EchoTransport} transport
 * @param {number} size
 */
function measurementOf(outcome, { id, limit }, size) {
  const skipped = size > limit ? `${size} bytes do not fit a datagram (at most ${limit}).` : null;
  /** @type {Measurement} */
  const measurement = { id, series: new Series(), skipped };
  outcome.roundTrips.push(measurement);
  return measurement;
}

/** @param {number} milliseconds */
function nanoseconds(milliseconds) {
  return Math.round(milliseconds * 1e6);
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
