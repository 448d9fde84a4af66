/** Starts the page. */
import { ComparisonView } from "./comparison-view.js";
import { byID, element, showFacts } from "./dom.js";
import { availability } from "./environment.js";
import { remaining } from "./format.js";
import { LogView } from "./log-view.js";
import { describeServer } from "./server.js";
import { SessionView } from "./session-view.js";
import { errorText } from "./streams.js";

const { webTransport } = availability(window, null);
const session = new SessionView(new LogView(), webTransport, (healthy) => {
  const state = document.querySelector("#server-facts dd");
  if (state !== null) state.textContent = healthy ? "up" : "does not answer";
});
new ComparisonView(webTransport);

/** @type {number | null} */
let httpPort = null;
try {
  const server = await describeServer();
  httpPort = server.httpPort;
  session.use(server);
  const [newest] = [...server.certificates].sort((a, b) => b.notAfter.localeCompare(a.notAfter));
  showFacts(byID("server-facts"), [
    ["Server", "up"],
    ["HTTP/3 and TLS", `port ${server.port}`],
    ["Plain HTTP, loopback", `port ${server.httpPort}`],
    ...(newest === undefined ? [] : [["Certificate", remaining(new Date(newest.notAfter), new Date())]]),
  ]);
} catch (error) {
  showFacts(byID("server-facts"), [["Server", `does not answer: ${errorText(error)}`]]);
}

const { problem } = availability(window, httpPort);
if (problem !== null) {
  byID("environment").replaceChildren(
    element("h2", {}, problem.title), element("ul", {}, ...problem.advice.map((line) => element("li", {}, line))));
  byID("environment").hidden = false;
}
