/** The comparison panel: settings, progress, tables, plot, download. */
import { compare } from "./comparison.js";
import { diagnose, probe } from "./diagnosis.js";
import { byID, element, showLines } from "./dom.js";
import { echoTransports } from "./echo-transports.js";
import { clockResolution } from "./environment.js";
import { count, duration, ratio } from "./format.js";
import { depthLabel, Plot, swatch } from "./plot.js";
import { report, rows } from "./results.js";
import { certificateHashes, describeServer, sessionURL } from "./server.js";
import { nines, percentile, shareAtDepth, sorted } from "./statistics.js";
import { errorText } from "./streams.js";

const names = new Map(echoTransports.map(({ id, name }) => [id, name]));
const plotHint = "Lower is faster. Both axes are logarithmic: each nine on the right is ten times rarer.";

export class ComparisonView {
  #plot;
  /** @type {import("./plot.js").PlotSeries[]} */
  #series = [];
  /** @type {Map<string, Element>} */
  #readings = new Map();
  /** @type {AbortController | null} */
  #running = null;
  /** @type {ReturnType<typeof report> | null} */
  #report = null;
  #webTransport;

  /** @param {boolean} webTransport whether the browser has it */
  constructor(webTransport) {
    this.#webTransport = webTransport;
    this.#plot = new Plot(byID("plot"), (depth) => this.#read(depth));
    byID("comparison-transports").append(...echoTransports.map(({ id, short, needs }) => {
      const box = element("input", { type: "checkbox", value: id });
      const possible = webTransport || needs === "websocket";
      /** @type {HTMLInputElement} */ (box).checked = possible;
      /** @type {HTMLInputElement} */ (box).disabled = !possible;
      return element("label", {}, box, element("span", {}, short));
    }));
    byID("comparison-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#run();
    });
    byID("cancel").addEventListener("click", () => this.#running?.abort());
    byID("download").addEventListener("click", () => this.#download());
    this.#show({ roundTrips: [], ready: { webtransport: [], websocket: [] } });
  }

  /** @returns {import("./comparison.js").Settings | null} null when a field is out of range, which is then said */
  #settings() {
    const fields = ["messages", "size", "warm-up", "rounds", "connections"].map((id) => byID(id));
    const boxes = byID("comparison-transports").querySelectorAll("input:checked");
    const transports = Array.from(boxes, (box) => box.value);
    const wrong = fields.find((field) => !field.checkValidity() || Number.isNaN(field.valueAsNumber));
    for (const field of fields) field.setAttribute("aria-invalid", String(field === wrong));
    const error = wrong !== undefined
      ? `${wrong.labels[0].firstElementChild.textContent}: a whole number from ${wrong.min} to ${wrong.max}.`
      : transports.length === 0 ? "Choose at least one transport." : "";
    byID("comparison-error").textContent = error;
    byID("comparison-error").hidden = error === "";
    if (error !== "") {
      wrong?.focus();
      return null;
    }
    const [messages, size, warmUp, rounds, connections] = fields.map((field) => field.valueAsNumber);
    return { messages, size, warmUp, rounds, connections, transports };
  }

  async #run() {
    const settings = this.#settings();
    if (settings === null || this.#running !== null) return;
    const running = new AbortController();
    this.#running = running;
    /** @type {import("./comparison.js").Outcome} */
    const outcome = { roundTrips: [], ready: { webtransport: [], websocket: [] } };
    const date = new Date();
    let pageWasHidden = document.hidden;
    document.addEventListener("visibilitychange", () => { pageWasHidden = true; }, { signal: running.signal });
    this.#busy(true);
    this.#show(outcome);
    this.#status("Asking the server for its ports and certificate…");
    /** @type {"finished" | "cancelled" | "failed"} */
    let ended = "finished";
    let target = { webtransport: "", websocket: "", hashes: /** @type {string[]} */ ([]) };
    try {
      const server = await describeServer();
      target = {
        webtransport: sessionURL("webtransport", server, "/echo", location),
        websocket: sessionURL("websocket", server, "/echo", location),
        hashes: certificateHashes(server),
      };
      this.#status("Running…");
      await compare(settings, target, {
        progress: (done, total, activity) => this.#progress(done, total, activity),
        roundEnded: (current) => this.#show(current),
      }, running.signal, outcome);
      this.#status(`Finished in ${duration(Date.now() - date.getTime())}.${hiddenNote(pageWasHidden)}`);
    } catch (error) {
      ended = running.signal.aborted ? "cancelled" : "failed";
      if (ended === "cancelled") this.#status("Cancelled. The rounds that were complete are shown.");
      else await this.#explain(error, settings, target, outcome);
    }
    this.#show(outcome);
    const { webtransport, websocket } = target;
    this.#report = report({
      date, userAgent: navigator.userAgent, crossOriginIsolated: globalThis.crossOriginIsolated === true,
      clockResolution: clockResolution(), ended, pageWasHidden, settings, target: { webtransport, websocket }, outcome,
    });
    this.#fairness(websocket);
    running.abort();
    this.#running = null;
    this.#busy(false);
  }

  /**
   * @param {unknown} error
   * @param {import("./comparison.js").Settings} settings
   * @param {{webtransport: string, websocket: string, hashes: string[]}} target
   * @param {import("./comparison.js").Outcome} outcome
   */
  async #explain(error, settings, target, outcome) {
    this.#status(`Stopped: ${errorText(error)}. Finding out why…`);
    const transport = settings.transports.every((id) => id === "ws") ? "websocket" : "webtransport";
    const url = target[transport] === "" ? new URL("/echo", location.href) : new URL(target[transport]);
    const hashes = transport === "webtransport" ? target.hashes : [];
    const event = outcome.roundTrips.length > 0 || outcome.ready[transport].length > 0 ? "lost" : "refused";
    const { title, advice } = diagnose(await probe({ transport, event, url, hashes }, location));
    this.#status(`Stopped: ${errorText(error)}. ${title}`);
    showLines(byID("run-advice"), advice);
  }

  /** @param {boolean} busy */
  #busy(busy) {
    byID("run").disabled = busy;
    byID("cancel").hidden = !busy;
    byID("progress").hidden = !busy;
    byID("progress").value = 0;
    byID("download").disabled = busy;
    byID("comparison").setAttribute("aria-busy", String(busy));
    if (busy) showLines(byID("run-advice"), []);
    // Focus must not fall off the page with the button that held it.
    if (!busy && document.activeElement === document.body) byID("run").focus({ preventScroll: true });
  }

  /** @param {number} done @param {number} total @param {string} activity */
  #progress(done, total, activity) {
    byID("progress").value = done / total;
    // Written per activity, not per message: a live region that changes all the time cannot be listened to.
    if (byID("run-status").textContent !== activity) this.#status(activity);
  }

  /** @param {string} text */
  #status(text) {
    byID("run-status").textContent = text;
  }

  /** @param {import("./comparison.js").Outcome} outcome */
  #show(outcome) {
    fill(byID("round-trips"), rows(outcome.roundTrips.map(({ id, samples, lost, skipped }) => ({
      id, name: names.get(id) ?? id, samples, note: skipped ?? (lost > 0 ? `${count(lost)} lost` : null),
    })), "ws"));
    fill(byID("ready-times"), rows([
      { id: "webtransport", name: "WebTransport", samples: outcome.ready.webtransport, note: null },
      { id: "websocket", name: "WebSocket", samples: outcome.ready.websocket, note: null },
    ].filter(({ samples }) => samples.length > 0), "websocket"));
    this.#series = outcome.roundTrips.map(({ id, samples }) =>
      ({ id, name: names.get(id) ?? id, sorted: sorted(samples) }));
    this.#plot.show(this.#series);
    this.#legend();
  }

  #legend() {
    this.#readings.clear();
    const drawn = this.#series.filter(({ sorted: values }) => values.length > 0);
    byID("legend").replaceChildren(...drawn.map(({ id, name }) => {
      const reading = element("output", {});
      this.#readings.set(id, reading);
      return element("li", { "data-series": id }, swatch(id), element("span", {}, name), reading);
    }));
  }

  /** @param {number | null} depth */
  #read(depth) {
    byID("plot-reading").textContent = depth === null ? plotHint : `At ${depthLabel(roundedDepth(depth))}:`;
    for (const { id, sorted: values } of this.#series) {
      const reading = this.#readings.get(id);
      if (reading === undefined) continue;
      const known = depth !== null && depth <= nines(values.length);
      reading.textContent = known ? duration(percentile(values, shareAtDepth(depth))) : "";
    }
  }

  /** @param {string} webSocket */
  #fairness(webSocket) {
    const tls = webSocket.startsWith("wss:")
      ? "Both transports are encrypted."
      : "The WebSocket is plain ws:// on loopback: no TLS, so its times are a little better than on the web."
        + " apus bench compares both with TLS.";
    byID("fairness").textContent = `${tls} This page's clock ticks every ${duration(clockResolution())}.`;
  }

  #download() {
    if (this.#report === null) return;
    const blob = new Blob([JSON.stringify(this.#report, null, 1)], { type: "application/json" });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `apus-comparison-${this.#report.date.replace(/[:.]/g, "-")}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }
}

/** @param {number} depth so that the label has as many digits as the position is exact */
function roundedDepth(depth) {
  const digits = Math.max(0, Math.ceil(depth) - 1);
  const share = Number(shareAtDepth(depth).toFixed(digits + 2));
  return share >= 1 ? depth : -Math.log10(1 - share);
}

/** @param {boolean} hidden */
function hiddenNote(hidden) {
  return hidden ? " The page was hidden for a while, which makes timers coarse: run again in the foreground." : "";
}

/**
 * @param {HTMLTableElement} table
 * @param {import("./results.js").Row[]} lines
 */
function fill(table, lines) {
  const body = table.tBodies[0];
  if (lines.length === 0) {
    body.replaceChildren(element("tr", {}, element("td", { colspan: "7", class: "note" }, "No measurement yet.")));
    return;
  }
  body.replaceChildren(...lines.map(({ id, name, summary, ratio: toReference, note }) => {
    const heading = element("th", { scope: "row" }, name);
    if (note !== null) heading.append(element("span", { class: "muted" }, ` (${note})`));
    if (summary === null) {
      return element("tr", { "data-id": id }, heading, ...Array.from({ length: 6 }, () => element("td", {}, "–")));
    }
    const { p50, p90, p99, max } = summary;
    const cells = [p50, p90, p99, max].map((value) => element("td", {}, duration(value)));
    return element("tr", { "data-id": id }, heading, element("td", {}, count(summary.count)), ...cells,
      element("td", {}, toReference === null ? "–" : ratio(toReference)));
  }));
}
