/** Serves the commands of a harness, one at a time: text in, text out. It knows neither socket nor page. */
import { assignment, isRecord } from "./measure-commands.js";
import { UnsupportedError } from "./measuring-errors.js";
import { errorText } from "./streams.js";

/**
 * @typedef {"unavailable" | "mismatch" | "tooLarge" | "unsupported" | "cancelled"} ErrorKind
 * @typedef {(task: string, parameters: object, signal: AbortSignal) => Promise<unknown>} Run
 *
 * @typedef {object} Outlet
 * @property {(text: string) => void} send takes an answer
 * @property {(activity: string | null) => void} show takes what is measured now, or null when nothing is
 */

/** By the names of errors, which all that crosses from a worker has. What a session fails with is of any name. */
const kinds = new Map(/** @type {[string, ErrorKind][]} */ ([
  ["MismatchError", "mismatch"], ["TooLargeError", "tooLarge"], ["UnsupportedError", "unsupported"],
  ["CancelledError", "cancelled"],
]));

export class MeasureControl {
  #run;
  #outlet;
  /** @type {AbortController | null} */
  #running = null;

  /** @param {Run} run @param {Outlet} outlet */
  constructor(run, outlet) {
    this.#run = run;
    this.#outlet = outlet;
  }

  /**
   * Serves one message. Its answer may come later.
   * @param {unknown} text
   */
  async receive(text) {
    /** @type {unknown} */
    let id = null;
    try {
      const command = parsed(text);
      id = command.id ?? null;
      if (command.command === "cancel") this.cancel();
      else this.#answer({ id, result: await this.#measure(command) });
    } catch (error) {
      const kind = (error instanceof Error ? kinds.get(error.name) : undefined) ?? "unavailable";
      this.#answer({ id, error: { kind, message: errorText(error) } });
    }
  }

  /** Ends what is measured now, whose answer then says so. */
  cancel() {
    this.#running?.abort();
  }

  /** @param {Record<string, unknown>} command */
  async #measure(command) {
    const { task, parameters, activity } = assignment(command);
    if (this.#running !== null) throw new UnsupportedError("another command runs; wait for its answer, or cancel it");
    const running = new AbortController();
    this.#running = running;
    this.#outlet.show(activity);
    try {
      return await this.#run(task, parameters, running.signal);
    } catch (error) {
      throw running.signal.aborted ? new CancelledError("the command was cancelled") : error;
    } finally {
      this.#running = null;
      this.#outlet.show(null);
    }
  }

  /** @param {{id: unknown, result: unknown} | {id: unknown, error: {kind: ErrorKind, message: string}}} answer */
  #answer(answer) {
    this.#outlet.send(JSON.stringify(answer));
  }
}

class CancelledError extends Error {
  name = "CancelledError";
}

/** @param {unknown} text @returns {Record<string, unknown>} */
function parsed(text) {
  /** @type {unknown} */
  let command;
  try {
    command = JSON.parse(String(text));
  } catch (error) {
    throw new UnsupportedError(`a command must be JSON: ${errorText(error)}`);
  }
  if (!isRecord(command)) throw new UnsupportedError("a command must be a JSON object");
  return command;
}
