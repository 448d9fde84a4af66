/** The session panel: connect, state, close, send. */
import { diagnose, probe } from "./diagnosis.js";
import { byID, showFacts, showLines } from "./dom.js";
import { duration, hashBytes } from "./format.js";
import { certificateHashes, describeServer, parseSessionURL, sessionURL } from "./server.js";
import { errorText } from "./streams.js";
import { WebSocketSession } from "./websocket-session.js";
import { WebTransportSession } from "./webtransport-session.js";

/** @typedef {"idle" | "invalid" | "connecting" | "open" | "closing" | "closed" | "failed" | "lost"} State */

/** @type {Record<State, string>} */
const titles = {
  idle: "Not connected", invalid: "Not connected", connecting: "Connecting", open: "Open", closing: "Closing",
  closed: "Closed", failed: "Refused", lost: "Lost",
};

export class SessionView {
  /** @type {WebTransportSession | WebSocketSession | null} */
  #session = null;
  /** @type {import("./server.js").ServerDescription | null} */
  #server = null;
  #log;
  #tellHealth;

  /**
   * @param {import("./log-view.js").LogView} log
   * @param {boolean} webTransport whether the browser has it
   * @param {(healthy: boolean) => void} tellHealth told whether the server answered when it was last asked
   */
  constructor(log, webTransport, tellHealth) {
    this.#log = log;
    this.#tellHealth = tellHealth;
    if (!webTransport) {
      const [first, second] = document.querySelectorAll('input[name="transport"]');
      /** @type {HTMLInputElement} */ (first).disabled = true;
      /** @type {HTMLInputElement} */ (second).checked = true;
    }
    byID("connect-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#connect();
    });
    byID("close-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#close();
    });
    byID("send-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    byID("connect-form").addEventListener("change", (event) => {
      if (event.target.name === "transport" || event.target.id === "endpoint") this.#fillURL();
    });
    byID("send-kinds").addEventListener("change", () => this.#showStreamTools());
    byID("url").addEventListener("input", () => this.#followScheme());
    byID("hashes").addEventListener("input", () => this.#summarizeHashes());
    byID("reload-hashes").addEventListener("click", () => this.#reloadHashes());
    byID("end-stream").addEventListener("click", () => this.#onHeld((session) => session.endHeldStream()));
    byID("reset-stream").addEventListener("click", () =>
      this.#onHeld((session) => session.resetHeldStream(byID("reset-code").valueAsNumber || 0)));
  }

  /** @param {import("./server.js").ServerDescription} server */
  use(server) {
    this.#server = server;
    byID("hashes").value = certificateHashes(server).join("\n");
    this.#summarizeHashes();
    this.#fillURL();
  }

  get #transport() {
    return /** @type {HTMLInputElement} */ (document.querySelector('input[name="transport"]:checked')).value;
  }

  #fillURL() {
    if (this.#server === null) return;
    byID("url").value = sessionURL(this.#transport, this.#server, byID("endpoint").value, location);
    byID("url").removeAttribute("aria-invalid");
  }

  #followScheme() {
    byID("url").removeAttribute("aria-invalid");
    const parsed = parseSessionURL(byID("url").value);
    if (parsed === null) return;
    const radio = document.querySelector(`input[name="transport"][value="${parsed.transport}"]`);
    if (radio instanceof HTMLInputElement && !radio.disabled) radio.checked = true;
  }

  #hashes() {
    return byID("hashes").value.split(/\n/).map((line) => line.trim()).filter((line) => line !== "");
  }

  #summarizeHashes() {
    const hashes = this.#hashes();
    const valid = hashes.every((hash) => hashBytes(hash) !== null);
    byID("hashes").setAttribute("aria-invalid", String(!valid));
    if (hashes.length === 0) {
      byID("hash-summary").textContent = "none: the browser's own trust decides";
    } else if (valid) {
      const more = hashes.length > 1 ? ` and ${hashes.length - 1} more` : "";
      byID("hash-summary").textContent = `${hashes[0].slice(0, 8)}…${hashes[0].slice(-8)}${more}`;
    } else {
      byID("hash-summary").textContent = "a SHA-256 has 64 hexadecimal digits";
    }
  }

  async #reloadHashes() {
    try {
      this.use(await describeServer());
    } catch (error) {
      byID("hash-summary").textContent = `not loaded: ${errorText(error)}`;
    }
  }

  async #connect() {
    const parsed = parseSessionURL(byID("url").value.trim());
    byID("url").setAttribute("aria-invalid", String(parsed === null));
    if (parsed === null) {
      this.#show("invalid", "That is no address for a session: use https://, ws:// or wss://, without a # part.");
      byID("url").focus();
      return;
    }
    const { transport, url } = parsed;
    if (transport === "webtransport" && typeof WebTransport !== "function") {
      this.#show("invalid", "This browser has no WebTransport here; the note above says why. Choose WebSocket.");
      return;
    }
    const hashes = this.#hashes();
    if (transport === "webtransport" && hashes.some((hash) => hashBytes(hash) === null)) {
      byID("hash-details").open = true;
      byID("hashes").focus();
      this.#show("invalid", "A certificate hash is not a SHA-256: it has 64 hexadecimal digits.");
      return;
    }
    this.#show("connecting", url.href);
    this.#local("state", `Connecting to ${url.href}`);
    const start = performance.now();
    /** @type {WebTransportSession | WebSocketSession} */
    let session;
    try {
      session = transport === "webtransport"
        ? new WebTransportSession(url.href, hashes, (event) => this.#log.append(event))
        : new WebSocketSession(url.href, (event) => this.#log.append(event));
    } catch (error) {
      this.#show("invalid", errorText(error));
      this.#local("error", errorText(error));
      return;
    }
    const failure = { transport, url, hashes: transport === "webtransport" ? hashes.map(normalized) : [] };
    try {
      await session.ready;
    } catch (error) {
      this.#local("error", `Refused: ${errorText(error)}`);
      await this.#explain("failed", { ...failure, event: "refused" });
      return;
    }
    const elapsed = duration(performance.now() - start);
    this.#session = session;
    this.#local("state", `Open after ${elapsed}.`);
    this.#show("open", `${transport === "webtransport" ? "WebTransport" : "WebSocket"}, usable after ${elapsed}.`);
    showFacts(byID("session-facts"), [["Address", url.href], ["Time to usable", elapsed], ...session.facts]);
    const ending = await session.ended;
    this.#session = null;
    if (ending.by === "lost") {
      this.#local("error", `Lost: ${ending.reason}`);
      await this.#explain("lost", { ...failure, event: "lost" });
      return;
    }
    const text = describe(ending);
    this.#local("state", text);
    this.#show("closed", text);
  }

  /**
   * @param {"failed" | "lost"} state
   * @param {Parameters<typeof probe>[0]} failure
   */
  async #explain(state, failure) {
    this.#show(state, "Finding out why…");
    byID("connect").disabled = true;
    const facts = await probe(failure, location);
    this.#tellHealth(facts.healthy);
    const { title, advice, cause } = diagnose(facts);
    this.#show(state, title);
    byID("status").dataset.cause = cause;
    showLines(byID("advice"), advice);
    this.#local("error", title);
  }

  #close() {
    if (this.#session === null) return;
    const code = byID("close-code").valueAsNumber || 0;
    const reason = byID("close-reason").value;
    try {
      this.#session.close({ code, reason });
      this.#show("closing", `with code ${code}${reason === "" ? "" : ` and reason “${reason}”`}`);
    } catch (error) {
      const rule = this.#session instanceof WebSocketSession ? " A page may use 1000 and 3000 to 4999 (0: none)." : "";
      this.#local("error", `${errorText(error)}.${rule}`);
      this.#show("open", `Not closed: ${errorText(error)}.${rule}`);
    }
  }

  async #send() {
    const session = this.#session;
    if (session === null) return;
    byID("send-error").hidden = true;
    const kind = document.querySelector('#send-kinds label:not([hidden]) input:checked').value;
    const data = padded(new TextEncoder().encode(byID("message").value), byID("pad").valueAsNumber || 0);
    try {
      const sent = session.send(kind, data, byID("keep-open").checked);
      await sent;
    } catch (error) {
      // A closed session has said so itself.
      if (this.#session === session) {
        byID("send-error").textContent = errorText(error);
        byID("send-error").hidden = false;
      }
    }
    this.#showStreamTools();
  }

  /** @param {(session: WebTransportSession) => Promise<void>} action */
  async #onHeld(action) {
    if (!(this.#session instanceof WebTransportSession)) return;
    await action(this.#session).catch((error) => this.#local("error", errorText(error)));
    this.#showStreamTools();
  }

  #showStreamTools() {
    const webTransport = this.#session instanceof WebTransportSession;
    const kind = document.querySelector("#send-kinds label:not([hidden]) input:checked")?.value;
    byID("stream-tools").hidden = !(webTransport && kind === "bidirectional");
    const held = webTransport ? this.#session.heldStream : null;
    byID("held-tools").hidden = held === null;
    byID("held-name").textContent = held ?? "";
  }

  /** @param {State} state @param {string} text */
  #show(state, text) {
    byID("status").dataset.state = state;
    delete byID("status").dataset.cause;
    byID("state").textContent = titles[state];
    byID("state-text").textContent = text;
    showLines(byID("advice"), []);
    const usable = state === "open";
    byID("connect").disabled = usable || state === "connecting" || state === "closing";
    byID("session-facts").hidden = !usable;
    byID("close-form").hidden = !usable;
    if (usable && byID("send-form").hidden) this.#chooseKinds();
    byID("send-form").hidden = !usable;
    byID("send-error").hidden = true;
    this.#showStreamTools();
  }

  #chooseKinds() {
    const transport = this.#session instanceof WebTransportSession ? "webtransport" : "websocket";
    const labels = Array.from(byID("send-kinds").querySelectorAll("label"));
    for (const label of labels) label.hidden = label.dataset.for !== transport;
    const shown = labels.filter((label) => !label.hidden);
    for (const label of labels) {
      label.classList.toggle("first", label === shown[0]);
      label.classList.toggle("last", label === shown[shown.length - 1]);
    }
    if (!shown.some((label) => label.querySelector("input").checked)) shown[0].querySelector("input").checked = true;
  }

  /** @param {import("./event-log.js").Kind} kind @param {string} text */
  #local(kind, text) {
    this.#log.append({ kind, direction: "local", text, size: null });
  }
}

/** @param {import("./webtransport-session.js").Ending} ending */
function describe({ by, code, reason }) {
  const who = by === "client" ? "by this page" : "by the server";
  // 1005 is never on the wire: a WebSocket was closed without a code.
  if (code === 1005) return `Closed ${who} without a code.`;
  return `Closed ${who} with code ${code}${reason === "" ? ", no reason given." : ` and reason “${reason}”.`}`;
}

/** @param {string} hash */
function normalized(hash) {
  return hash.replace(/[\s:]/g, "").toLowerCase();
}

/**
 * @param {Uint8Array<ArrayBuffer>} data
 * @param {number} length with dots behind the text, up to this many bytes
 */
function padded(data, length) {
  if (length <= data.byteLength) return data;
  const longer = new Uint8Array(length).fill(0x2e);
  longer.set(data);
  return longer;
}
