/** The log's memory: bounded, filterable. Pure. */

/**
 * @typedef {"state" | "datagram" | "bidirectional" | "unidirectional" | "message" | "error"} Kind
 * @typedef {"sent" | "received" | "local"} Direction
 * @typedef {object} Entry
 * @property {number} id ascending
 * @property {Date} time
 * @property {Kind} kind
 * @property {Direction} direction
 * @property {string} text
 * @property {number | null} size bytes, null when the entry carries none
 */

/** Keeps the newest `limit` entries and counts what it let go. */
export class EventLog {
  /** @type {Entry[]} */
  #entries = [];
  #nextID = 1;

  /** @param {number} limit */
  constructor(limit) {
    this.limit = limit;
    this.dropped = 0;
  }

  /**
   * @param {Omit<Entry, "id" | "time">} event
   * @param {Date} time
   * @returns {Entry}
   */
  append(event, time) {
    const entry = { ...event, id: this.#nextID, time };
    this.#nextID += 1;
    this.#entries.push(entry);
    if (this.#entries.length > this.limit) {
      this.#entries.shift();
      this.dropped += 1;
    }
    return entry;
  }

  clear() {
    this.#entries = [];
    this.dropped = 0;
  }

  get entries() {
    return this.#entries;
  }

  /**
   * @param {Filter} filter
   * @returns {Entry[]}
   */
  matching(filter) {
    return this.#entries.filter((entry) => matches(entry, filter));
  }
}

/**
 * @typedef {{kinds: Set<Kind>, text: string}} Filter
 * @param {Entry} entry
 * @param {Filter} filter an empty text matches everything
 */
export function matches(entry, filter) {
  return filter.kinds.has(entry.kind) && entry.text.toLowerCase().includes(filter.text.trim().toLowerCase());
}
