/** The comparison's form: which scenario, which transports, how much. */
import { byID, element } from "./dom.js";
import { count } from "./format.js";
import { messageCount } from "./paced-load.js";
import { patience, scenario, scenarios, warmUpSeconds } from "./scenarios.js";
import { transports } from "./transports.js";

/** Of a turn. The page keeps and draws each, which a longer turn would make slow. */
const mostMessages = 100_000;

/** @typedef {import("./comparison.js").Settings} Settings */
/** @typedef {import("./paced-comparison.js").PacedSettings} PacedSettings */

export class ComparisonForm {
  #scenario = scenarios[0];
  #webTransport;

  /** @param {boolean} webTransport whether the browser has it */
  constructor(webTransport) {
    this.#webTransport = webTransport;
    byID("scenario").append(...scenarios.map(({ id, name }) => element("option", { value: id }, name)));
    byID("comparison-transports").append(...transports.map(({ id, short, needs }) => {
      const box = element("input", { type: "checkbox", value: id });
      /** @type {HTMLInputElement} */ (box).checked = webTransport || needs === "websocket";
      return element("label", {}, box, element("span", {}, short));
    }));
    byID("scenario").addEventListener("change", () => this.#choose(byID("scenario").value));
    byID("comparison-form").addEventListener("input", () => this.#adapt());
    this.#choose(this.#scenario.id);
  }

  /** @param {string} id */
  #choose(id) {
    this.#scenario = scenario(id);
    const { load, about } = this.#scenario;
    byID("scenario-about").textContent = about;
    byID("round-trip-help").hidden = load !== null;
    byID("paced-help").hidden = load === null;
    for (const field of document.querySelectorAll("#comparison-form [data-for]")) {
      field.hidden = (field.dataset.for === "paced") !== (load !== null);
    }
    if (load !== null) {
      byID("rate").value = String(load.rate);
      byID("sequences").value = String(load.sequences);
    }
    this.#accept();
    this.#adapt();
  }

  /** What follows from the fields: which transports there are, and how long it takes. */
  #adapt() {
    // With one sequence, its stream is the one stream.
    const hasSequences = this.#scenario.load !== null && byID("sequences").valueAsNumber > 1;
    for (const box of byID("comparison-transports").querySelectorAll("input")) {
      const { needs } = transports.find(({ id }) => id === box.value);
      box.disabled = needs === "webtransport" && !this.#webTransport
        || box.value === "wt-stream-per-sequence" && !hasSequences;
    }
    if (this.#scenario.load === null) return;
    const [seconds, rounds] = ["seconds", "rounds"].map((id) => byID(id).valueAsNumber);
    const turns = rounds * this.#chosen().length;
    byID("paced-help").textContent = "Messages a second are those of each sequence. "
      + (turns * seconds > 0
        ? `${count(turns)} turns of ${seconds} s, each after ${warmUpSeconds} s that do not count: `
          + `about ${roughly(turns * (seconds + warmUpSeconds))}.`
        : "");
  }

  /** @returns {import("./paced-paths.js").TransportKind[]} */
  #chosen() {
    return Array.from(byID("comparison-transports").querySelectorAll("input:checked:enabled"), (box) => box.value);
  }

  /** @returns {Settings | PacedSettings | null} null when something is out of range, which is then said */
  settings() {
    const own = this.#scenario.load === null ? ["messages", "warm-up", "connections"] : ["rate", "sequences", "seconds"];
    const inputs = ["size", "rounds", ...own].map((id) => byID(id));
    const wrong = inputs.find((input) => !input.checkValidity() || Number.isNaN(input.valueAsNumber));
    if (wrong !== undefined) {
      const name = wrong.labels[0].firstElementChild.textContent;
      const kind = wrong.step === "any" ? "number" : "whole number";
      return this.#refuse(`${name}: a ${kind} from ${wrong.min} to ${wrong.max}.`, wrong);
    }
    const chosen = this.#chosen();
    if (chosen.length === 0) return this.#refuse("Choose at least one transport.", null);
    const [size, rounds, ...numbers] = inputs.map((input) => input.valueAsNumber);
    if (this.#scenario.load === null) {
      const [messages, warmUp, connections] = numbers;
      this.#accept();
      return { messages, size, warmUp, rounds, connections, transports: chosen };
    }
    const [rate, sequences, seconds] = numbers;
    const load = { sequences, rate, seconds, warmUpSeconds };
    if (messageCount(load) > mostMessages) {
      return this.#refuse(`A turn would have ${count(messageCount(load))} messages, and ${count(mostMessages)} are the`
        + " limit: choose fewer seconds or sequences, or fewer messages a second.", byID("rate"));
    }
    this.#accept();
    return { scenario: this.#scenario.id, load, size, rounds, patience, transports: chosen };
  }

  #accept() {
    this.#mark("", null);
  }

  /**
   * @param {string} error
   * @param {HTMLInputElement | null} wrong
   * @returns {null}
   */
  #refuse(error, wrong) {
    this.#mark(error, wrong);
    wrong?.focus();
    return null;
  }

  /** @param {string} error @param {HTMLInputElement | null} wrong */
  #mark(error, wrong) {
    for (const input of byID("comparison-form").querySelectorAll(".numbers input")) {
      input.setAttribute("aria-invalid", String(input === wrong));
    }
    byID("comparison-error").textContent = error;
    byID("comparison-error").hidden = error === "";
  }
}

/** @param {number} seconds */
function roughly(seconds) {
  return seconds < 120 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}
