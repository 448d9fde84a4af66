/** Shows the log: follows its end while the reader is there, and never holds more rows than the log does. */
import { byID, element } from "./dom.js";
import { EventLog, matches } from "./event-log.js";
import { bytes, clock, count } from "./format.js";

/** Rows kept: an hour of clicking, or the last moments of a flood. */
const limit = 500;

/** @type {Record<import("./event-log.js").Kind, string>} */
const names = {
  state: "State", datagram: "Datagram", bidirectional: "Bidi", unidirectional: "Uni", message: "Message",
  error: "Error",
};
const arrows = { sent: "→", received: "←", local: "·" };
const spoken = { sent: "sent", received: "received", local: "" };

export class LogView {
  #log = new EventLog(limit);
  #list = byID("log");
  #scroll = byID("log-scroll");
  /** @type {import("./event-log.js").Filter} */
  #filter = { kinds: new Set(), text: "" };
  /** @type {Map<number, Element>} */
  #rows = new Map();
  /** @type {import("./event-log.js").Entry[]} */
  #fresh = [];

  constructor() {
    byID("log-kinds").addEventListener("change", () => this.#refilter());
    byID("log-search").addEventListener("input", () => this.#refilter());
    byID("log-clear").addEventListener("click", () => {
      this.#log.clear();
      this.#fresh = [];
      this.#refilter();
    });
    this.#refilter();
  }

  /** @param {Omit<import("./event-log.js").Entry, "id" | "time">} event */
  append(event) {
    const entry = this.#log.append(event, new Date());
    // One layout per frame, however many datagrams arrive in it.
    if (this.#fresh.length === 0) requestAnimationFrame(() => this.#flush());
    this.#fresh.push(entry);
    if (this.#fresh.length > limit) this.#fresh.shift();
  }

  #flush() {
    const atEnd = this.#scroll.scrollHeight - this.#scroll.scrollTop - this.#scroll.clientHeight < 24;
    const oldest = this.#log.entries[0]?.id ?? Infinity;
    for (const [id, row] of this.#rows) {
      if (id >= oldest) break;
      row.remove();
      this.#rows.delete(id);
    }
    this.#add(this.#fresh.filter((entry) => entry.id >= oldest && matches(entry, this.#filter)));
    this.#fresh = [];
    if (atEnd) this.#scroll.scrollTop = this.#scroll.scrollHeight;
  }

  #refilter() {
    const boxes = byID("log-kinds").querySelectorAll("input:checked");
    this.#filter = {
      kinds: new Set(Array.from(boxes, (box) => /** @type {HTMLInputElement} */ (box).value)),
      text: byID("log-search").value,
    };
    this.#fresh = [];
    this.#rows.clear();
    this.#list.replaceChildren();
    this.#add(this.#log.matching(this.#filter));
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
  }

  /** @param {import("./event-log.js").Entry[]} entries */
  #add(entries) {
    for (const entry of entries) this.#rows.set(entry.id, row(entry));
    this.#list.append(...entries.map((entry) => /** @type {Element} */ (this.#rows.get(entry.id))));
    const { length } = this.#log.entries;
    byID("log-empty").hidden = this.#rows.size > 0;
    byID("log-empty").textContent = length === 0
      ? "Nothing yet. What you send and what arrives is written here." : "No entry matches the filter.";
    const dropped = this.#log.dropped > 0 ? `, ${count(this.#log.dropped)} older dropped` : "";
    const shown = `${count(this.#rows.size)} of ${count(length)} shown${dropped}.`;
    byID("log-count").textContent = length === 0 ? "" : shown;
  }
}

/** @param {import("./event-log.js").Entry} entry */
function row({ time, kind, direction, text, size }) {
  return element(
    "li", { "data-kind": kind, "data-direction": direction },
    element("time", { datetime: time.toISOString() }, clock(time)),
    element(
      "span", { class: "kind" },
      element("span", { "aria-hidden": "true" }, `${arrows[direction]} `), names[kind],
      element("span", { class: "visually-hidden" }, ` ${spoken[direction]}`)),
    element("span", { class: "text" }, text),
    element("span", { class: "size" }, size === null ? "" : bytes(size)));
}
