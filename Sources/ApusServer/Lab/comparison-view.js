/** The comparison panel: runs what the form asks for, shows how far it is, and keeps the file. */
import { compare, emptyOutcome } from "./comparison.js";
import { ComparisonForm } from "./comparison-form.js";
import { diagnose, probe } from "./diagnosis.js";
import { byID, showLines } from "./dom.js";
import { clockResolution } from "./environment.js";
import { duration } from "./format.js";
import { LivePlot } from "./live-plot.js";
import { comparePaced } from "./paced-comparison.js";
import { benchmarkRecord } from "./record.js";
import { ResultsView } from "./results-view.js";
import { scenario } from "./scenarios.js";
import { certificateHashes, describeServer, sessionURL } from "./server.js";
import { errorText } from "./streams.js";

/**
 * @typedef {import("./comparison.js").Settings} Settings
 * @typedef {import("./paced-comparison.js").PacedSettings} PacedSettings
 * @typedef {{webtransport: string, websocket: string, hashes: string[]}} Target
 *
 * @typedef {object} Found what has been measured up to now
 * @property {import("./comparison.js").Outcome} outcome
 * @property {import("./paced-comparison.js").PacedMeasurement[]} paced
 */

export class ComparisonView {
  #form;
  #results = new ResultsView();
  #live = new LivePlot(byID("live-plot"));
  /** @type {AbortController | null} */
  #running = null;
  /** @type {ReturnType<typeof benchmarkRecord> | null} */
  #record = null;

  /** @param {boolean} webTransport whether the browser has it */
  constructor(webTransport) {
    this.#form = new ComparisonForm(webTransport);
    byID("comparison-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#run();
    });
    byID("cancel").addEventListener("click", () => this.#running?.abort());
    byID("download").addEventListener("click", () => this.#download());
    this.#results.showRoundTrips(emptyOutcome());
  }

  async #run() {
    if (this.#running !== null) return;
    const settings = this.#form.settings();
    if (settings === null) return;
    const running = new AbortController();
    this.#running = running;
    /** @type {Found} */
    const found = { outcome: emptyOutcome(), paced: [] };
    const begin = performance.now();
    let pageWasHidden = document.hidden;
    document.addEventListener("visibilitychange", () => { pageWasHidden = true; }, { signal: running.signal });
    this.#busy(true);
    this.#show(settings, found);
    this.#status("Asking the server for its ports and certificate…");
    /** @type {"finished" | "cancelled" | "failed"} */
    let ended = "finished";
    /** @type {Target} */
    let target = { webtransport: "", websocket: "", hashes: [] };
    try {
      const server = await describeServer();
      target = {
        webtransport: sessionURL("webtransport", server, "/echo", location),
        websocket: sessionURL("websocket", server, "/echo", location),
        hashes: certificateHashes(server),
      };
      this.#status("Running…");
      await this.#measure(settings, target, running.signal, found);
      this.#status(`Finished in ${duration(performance.now() - begin)}.${hiddenNote(pageWasHidden)}`);
    } catch (error) {
      ended = running.signal.aborted ? "cancelled" : "failed";
      if (ended === "failed") await this.#explain(error, settings, target, found);
      else this.#status("Cancelled. What was complete is shown.");
    }
    this.#show(settings, found);
    const date = new Date();
    this.#record = benchmarkRecord({ date, ended, pageWasHidden, target, settings, ...found }, environment());
    this.#fairness(target.websocket);
    running.abort();
    this.#running = null;
    this.#busy(false);
  }

  /**
   * @param {Settings | PacedSettings} settings
   * @param {Target} target
   * @param {AbortSignal} signal
   * @param {Found} found
   */
  async #measure(settings, target, signal, found) {
    const progress = this.#progress.bind(this);
    if (!("load" in settings)) {
      const roundEnded = () => this.#show(settings, found);
      await compare(settings, target, { progress, roundEnded }, signal, found.outcome);
      return;
    }
    this.#live.begin(settings.transports, settings.load, scenario(settings.scenario).subject);
    await comparePaced(settings, target, {
      progress,
      turnBegan: (id) => this.#live.clear(id),
      arrived: (id, arrivals) => this.#live.add(id, arrivals),
      turnEnded: () => this.#show(settings, found),
    }, signal, found.paced);
  }

  /**
   * @param {Settings | PacedSettings} settings
   * @param {Found} found
   */
  #show(settings, { outcome, paced }) {
    if ("load" in settings) this.#results.showPaced(scenario(settings.scenario), paced);
    else this.#results.showRoundTrips(outcome);
  }

  /**
   * @param {unknown} error
   * @param {Settings | PacedSettings} settings
   * @param {Target} target
   * @param {Found} found
   */
  async #explain(error, settings, target, { outcome, paced }) {
    this.#status(`Stopped: ${errorText(error)}. Finding out why…`);
    const transport = settings.transports.every((id) => id === "ws") ? "websocket" : "webtransport";
    const url = target[transport] === "" ? new URL("/echo", location.href) : new URL(target[transport]);
    const hashes = transport === "webtransport" ? target.hashes : [];
    const hadSessions = outcome.roundTrips.length > 0 || outcome.ready[transport].histogram.count > 0
      || paced.some(({ series }) => series.sent > 0);
    const event = hadSessions ? "lost" : "refused";
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

  /** @param {string} webSocket */
  #fairness(webSocket) {
    const tls = webSocket.startsWith("wss:")
      ? "Both transports are encrypted."
      : "The WebSocket is plain ws:// on loopback: no TLS, so its times are a little better than on the web."
        + " apus bench compares both with TLS.";
    byID("fairness").textContent = `${tls} This page's clock ticks every ${duration(clockResolution())}.`;
  }

  #download() {
    if (this.#record === null) return;
    const blob = new Blob([JSON.stringify(this.#record)], { type: "application/json" });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `apus-comparison-${this.#record.date.replace(/:/g, "-")}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }
}

/** @returns {import("./record.js").Environment} */
function environment() {
  const { userAgent, hardwareConcurrency, platform, deviceMemory } = navigator;
  return {
    userAgent, platform,
    coreCount: hardwareConcurrency,
    // A rounded number of GiB, in Chromium alone (W3C Device Memory).
    memoryByteCount: (deviceMemory ?? 0) * 2 ** 30,
    crossOriginIsolated: globalThis.crossOriginIsolated === true,
    clockResolution: Math.round(clockResolution() * 1e6),
  };
}

/** @param {boolean} hidden */
function hiddenNote(hidden) {
  return hidden ? " The page was hidden for a while, which makes timers coarse: run again in the foreground." : "";
}
