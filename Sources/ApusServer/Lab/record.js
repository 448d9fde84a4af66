/**
 * The downloaded file: as `apus bench --json` writes it, so that one reader reads both. Durations are in nanoseconds.
 * Pure.
 */
import { datagramTimeout } from "./echo-transports.js";

/** Rises when a reader of older files would misread this one; that of `apus bench`. */
const schemaVersion = 2;

/**
 * @typedef {import("./series.js").Series} Series
 *
 * @typedef {object} Environment
 * @property {string} userAgent
 * @property {number} coreCount
 * @property {string} platform
 * @property {number} memoryByteCount 0 where the browser does not tell
 * @property {boolean} crossOriginIsolated
 * @property {number} clockResolution the finest step of the page's clock
 *
 * @typedef {object} Run
 * @property {Date} date when it ended
 * @property {"finished" | "cancelled" | "failed"} ended
 * @property {boolean} pageWasHidden
 * @property {{webtransport: string, websocket: string}} target
 * @property {import("./comparison.js").Settings | import("./paced-comparison.js").PacedSettings} settings
 * @property {import("./comparison.js").Outcome} outcome
 * @property {import("./paced-comparison.js").PacedMeasurement[]} paced
 *
 * @param {Run} run
 * @param {Environment} environment
 */
export function benchmarkRecord(run, environment) {
  const { date, ended, pageWasHidden, target, settings, outcome, paced } = run;
  const { userAgent, coreCount, platform, memoryByteCount, crossOriginIsolated, clockResolution } = environment;
  const skipped = [...outcome.roundTrips, ...paced].filter((measurement) => measurement.skipped !== null);
  return {
    schemaVersion,
    // RFC 3339 in whole seconds.
    date: date.toISOString().replace(/\.\d+/, ""),
    client: { program: "browser", version: userAgent },
    machine: { processor: "unknown", coreCount, kernel: platform, memoryByteCount },
    settings: settingsRecord(settings, target),
    isInterrupted: ended !== "finished",
    handshakes: [
      measured("wt", "from the constructor until the session is ready", outcome.ready.webtransport),
      measured("ws", "from the constructor until the socket is open", outcome.ready.websocket),
    ].filter(({ summary }) => summary.count > 0),
    firstEchoes: [],
    roundTrips: outcome.roundTrips.filter(({ skipped: reason }) => reason === null).map(({ id, series }) =>
      measured(id, "from before the send until the program has the whole echo", series)),
    paced: "load" in settings ? [pacedRecord(settings, paced)] : [],
    page: {
      ended, pageWasHidden, crossOriginIsolated, clockResolution,
      webSocket: target.websocket,
      skipped: Object.fromEntries(skipped.map(({ id, skipped: reason }) => [id, reason])),
    },
  };
}

/**
 * What a scenario has nothing of is zero.
 * @param {Run["settings"]} settings
 * @param {Run["target"]} target
 */
function settingsRecord(settings, target) {
  const isPaced = "load" in settings;
  return {
    target: target.webtransport,
    isOwnServer: false,
    transports: settings.transports,
    connections: 1,
    messages: isPaced ? 0 : settings.messages,
    size: settings.size,
    rounds: settings.rounds,
    warmUp: isPaced ? 0 : settings.warmUp,
    handshakes: isPaced ? 0 : settings.connections,
    datagramTimeoutMilliseconds: datagramTimeout,
    patienceMilliseconds: isPaced ? settings.patience : 0,
    // A page cannot tell how busy the machine is.
    acceptsNoise: true,
  };
}

/** @param {string} transport @param {string} counted @param {Series} series */
function measured(transport, counted, series) {
  return {
    transport, counted, summary: series.summary, turnMedians: series.turnMedians, histogram: series.histogram.data,
  };
}

/**
 * @param {import("./paced-comparison.js").PacedSettings} settings
 * @param {import("./paced-comparison.js").PacedMeasurement[]} measurements
 */
function pacedRecord({ scenario, load }, measurements) {
  const distribution = (/** @type {Series} */ { summary, histogram }) => ({ summary, histogram: histogram.data });
  return {
    scenario,
    load,
    counted: "from when the message was due until the program has the whole echo",
    transports: measurements.filter(({ skipped }) => skipped === null).map(({ id, series }) => ({
      transport: id,
      age: distribution(series.ages),
      staleness: distribution(series.staleness),
      lateness: series.lateness.summary,
      freshShare: series.freshShare,
      turnMedians: series.ages.turnMedians,
      // Of a bulk transfer, of which there is none.
      turnRates: [],
    })),
  };
}
