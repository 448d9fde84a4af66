/** What a comparison leaves: rows for the tables and the downloaded file. Pure. */
import { sorted, summarize } from "./statistics.js";

/**
 * @typedef {import("./statistics.js").Summary} Summary
 * @typedef {{id: string, name: string, summary: Summary | null, ratio: number | null, note: string | null}} Row
 */

/**
 * @param {{id: string, name: string, samples: number[], note: string | null}[]} series
 * @param {string} reference the series whose median the others are divided by
 * @returns {Row[]}
 */
export function rows(series, reference) {
  const measured = series.map(({ samples, ...rest }) => ({ ...rest, summary: summarize(sorted(samples)) }));
  const base = measured.find(({ id }) => id === reference)?.summary?.p50 ?? 0;
  return measured.map((row) => ({ ...row, ratio: row.summary !== null && base > 0 ? row.summary.p50 / base : null }));
}

/**
 * The file to download: enough to repeat the run and to compute any other statistic.
 * @param {object} run
 * @param {Date} run.date
 * @param {string} run.userAgent
 * @param {boolean} run.crossOriginIsolated
 * @param {number} run.clockResolution milliseconds
 * @param {"finished" | "cancelled" | "failed"} run.ended
 * @param {boolean} run.pageWasHidden
 * @param {import("./comparison.js").Settings} run.settings
 * @param {{webtransport: string, websocket: string}} run.target
 * @param {import("./comparison.js").Outcome} run.outcome
 */
export function report({ date, outcome, target, ...rest }) {
  const summary = (/** @type {number[]} */ samples) => summarize(sorted(samples));
  return {
    format: "apus-lab-comparison",
    version: 1,
    date: date.toISOString(),
    ...rest,
    target,
    unit: "milliseconds",
    timeToReady: Object.fromEntries(Object.entries(outcome.ready).map(([id, samples]) => [id, {
      summary: summary(samples), samples,
    }])),
    roundTrips: Object.fromEntries(outcome.roundTrips.map(({ id, samples, lost, skipped }) => [id, {
      summary: summary(samples), lost, skipped, samples,
    }])),
  };
}
