/** What a comparison has found: percentile curves with their legend, and tables. */
import { byID, element } from "./dom.js";
import { duration, ratio } from "./format.js";
import { depthLabel, Plot } from "./plot.js";
import { pacedRows, rows } from "./results.js";
import { swatch } from "./series-style.js";
import { nines, shareAtDepth } from "./statistics.js";
import { transportName } from "./transports.js";

const plotHint = "Lower is faster. Both axes are logarithmic: each nine on the right is ten times rarer.";
/** @type {Record<string, string>} */
const sessionNames = { webtransport: "WebTransport", websocket: "WebSocket" };

/** @typedef {import("./scenarios.js").Scenario} Scenario */

export class ResultsView {
  #plot;
  /** @type {import("./plot.js").PlotSeries[]} */
  #series = [];
  /** @type {Map<string, Element>} */
  #readings = new Map();

  constructor() {
    this.#plot = new Plot(byID("plot"), (depth) => this.#read(depth));
  }

  /** @param {import("./comparison.js").Outcome} outcome */
  showRoundTrips(outcome) {
    this.#choose("Round trip by percentile", false);
    fill(byID("round-trips"), rows(outcome.roundTrips, "ws"), transportName);
    const starts = Object.entries(outcome.ready).map(([id, series]) => ({ id, series }));
    fill(byID("ready-times"), rows(starts.filter(({ series }) => series.histogram.count > 0), "websocket"),
      (id) => sessionNames[id]);
    this.#curves("round trips", outcome.roundTrips.map(({ id, series }) => ({ id, histogram: series.histogram })));
  }

  /**
   * @param {Scenario} scenario
   * @param {import("./paced-comparison.js").PacedMeasurement[]} measurements
   */
  showPaced({ name, subject }, measurements) {
    const isState = subject === "staleness";
    this.#choose(`${name}: ${isState ? "staleness" : "age"} by percentile`, true);
    byID("paced-caption").textContent = isState ? "How stale the newest was that had come back" : "Ages of messages";
    byID("paced-share").textContent = isState ? "Fresh" : "Lost";
    fill(byID("paced"), pacedRows(measurements, isState ? "staleness" : "age"), transportName, true);
    byID("paced-remark").textContent = remark(measurements);
    this.#curves(isState ? "staleness" : "ages of messages", measurements.map(({ id, series }) =>
      ({ id, histogram: (isState ? series.staleness : series.ages).histogram })));
  }

  /** @param {string} title @param {boolean} isPaced */
  #choose(title, isPaced) {
    byID("plot-title").textContent = title;
    byID("live-figure").hidden = !isPaced;
    for (const results of document.querySelectorAll("#results [data-for]")) {
      results.hidden = (results.dataset.for === "paced") !== isPaced;
    }
  }

  /** @param {string} subject @param {Omit<import("./plot.js").PlotSeries, "name">[]} series */
  #curves(subject, series) {
    this.#series = series.map((one) => ({ ...one, name: transportName(one.id) }));
    this.#plot.show(subject, this.#series);
    this.#readings.clear();
    const drawn = this.#series.filter(({ histogram }) => histogram.count > 0);
    byID("legend").replaceChildren(...drawn.map(({ id, name }) => {
      const reading = element("output", {});
      this.#readings.set(id, reading);
      return element("li", { "data-series": id }, swatch(id), element("span", {}, name), reading);
    }));
  }

  /** @param {number | null} depth */
  #read(depth) {
    byID("plot-reading").textContent = depth === null ? plotHint : `At ${depthLabel(roundedDepth(depth))}:`;
    for (const { id, histogram } of this.#series) {
      const reading = this.#readings.get(id);
      if (reading === undefined) continue;
      const known = depth !== null && depth <= nines(histogram.count);
      reading.textContent = known ? duration(histogram.percentile(shareAtDepth(depth)) / 1e6) : "";
    }
  }
}

/** @param {number} depth so that the label has as many digits as the position is exact */
function roundedDepth(depth) {
  const digits = Math.max(0, Math.ceil(depth) - 1);
  const share = Number(shareAtDepth(depth).toFixed(digits + 2));
  return share >= 1 ? depth : -Math.log10(1 - share);
}

/**
 * How far the figures are the browser's own doing.
 * @param {import("./paced-comparison.js").PacedMeasurement[]} measurements
 */
function remark(measurements) {
  const measured = measurements.filter(({ series }) => series.lateness.histogram.count > 0);
  if (measured.length === 0) return "";
  const lateness = Math.max(...measured.map(({ series }) => series.lateness.summary.p99));
  return `This browser began to send within ${duration(lateness / 1e6)} of the time, 99 of 100 times.`;
}

/**
 * @param {HTMLTableElement} table
 * @param {import("./results.js").Row[]} lines
 * @param {(id: string) => string} nameOf
 * @param {boolean} isPaced the column that differs comes after the percentiles instead of before
 */
function fill(table, lines, nameOf, isPaced = false) {
  const body = table.tBodies[0];
  if (lines.length === 0) {
    body.replaceChildren(element("tr", {}, element("td", { colspan: "7", class: "note" }, "No measurement yet.")));
    return;
  }
  body.replaceChildren(...lines.map(({ id, summary, extra, ratio: toReference, note }) => {
    const heading = element("th", { scope: "row" }, nameOf(id));
    if (note !== null) heading.append(element("span", { class: "muted" }, ` (${note})`));
    const values = summary === null
      ? ["–", "–", "–", "–"]
      : [summary.p50, summary.p90, summary.p99, summary.max].map((value) => duration(value / 1e6));
    const shown = summary === null && !isPaced ? "–" : extra;
    const cells = isPaced ? [...values, shown] : [shown, ...values];
    cells.push(toReference === null ? "–" : ratio(toReference));
    return element("tr", { "data-id": id }, heading, ...cells.map((text) => element("td", {}, text)));
  }));
}
