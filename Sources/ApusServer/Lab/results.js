/** The rows of the tables. Pure. */
import { count, share } from "./format.js";

/**
 * @typedef {import("./series.js").Series} Series
 * @typedef {import("./series.js").Summary} Summary
 * @typedef {{id: string, summary: Summary | null, extra: string, ratio: number | null, note: string | null}} Row
 */

/**
 * @param {{id: string, series: Series, skipped?: string | null}[]} measurements
 * @param {string} reference the transport whose median the others are divided by
 * @returns {Row[]} those without a measurement have no summary
 */
export function rows(measurements, reference) {
  return withRatios(measurements.map(({ id, series, skipped }) => ({
    id,
    summary: series.histogram.count === 0 ? null : series.summary,
    extra: count(series.histogram.count),
    note: skipped ?? (series.lost > 0 ? `${count(series.lost)} lost` : null),
  })), reference, "p50");
}

/**
 * @param {import("./paced-comparison.js").PacedMeasurement[]} measurements
 * @param {"age" | "staleness"} subject
 * @returns {Row[]} whose ratio is that of the 99th percentiles to those over WebSocket
 */
export function pacedRows(measurements, subject) {
  return withRatios(measurements.map(({ id, series, skipped }) => {
    const { ages, staleness, sent, lostShare, freshShare } = series;
    const shown = subject === "age" ? ages : staleness;
    return {
      id,
      summary: shown.histogram.count === 0 ? null : shown.summary,
      extra: sent === 0 ? "–" : share(subject === "age" ? lostShare : freshShare),
      note: skipped,
    };
  }), "ws", "p99");
}

/**
 * @param {Omit<Row, "ratio">[]} rows
 * @param {string} reference
 * @param {"p50" | "p99"} percentile
 * @returns {Row[]}
 */
function withRatios(rows, reference, percentile) {
  const base = rows.find(({ id }) => id === reference)?.summary?.[percentile] ?? 0;
  return rows.map((row) => ({
    ...row, ratio: row.summary !== null && base > 0 ? row.summary[percentile] / base : null,
  }));
}
