/** Starts the page that measures for a harness: its control socket on one side, a worker on the other. */
import { byID } from "./dom.js";
import { MeasureControl } from "./measure-control.js";
import { MeasuringRunner } from "./measuring-runner.js";
import { errorText } from "./streams.js";

/** Milliseconds. Commands follow each other at once; only a longer pause is worth a word on the page. */
const pause = 1000;

const address = new URLSearchParams(location.hash.slice(1)).get("control") ?? `ws://${location.host}/control`;
const runner = new MeasuringRunner();

/** @param {"connecting" | "open" | "failed" | "ended"} state @param {string} badge @param {string} text */
function show(state, badge, text) {
  if (byID("badge").textContent === badge && byID("activity").textContent === text) return;
  byID("status").dataset.state = state;
  byID("badge").textContent = badge;
  byID("activity").textContent = text;
}

/** @param {string} text */
function fail(text) {
  runner.close();
  show("failed", "Cannot measure", text);
}

/** @param {WebSocket} socket that is open */
function serve(socket) {
  let idle = 0;
  const control = new MeasureControl((task, parameters, signal) => runner.run(task, parameters, signal), {
    send: (text) => socket.send(text),
    show(activity) {
      clearTimeout(idle);
      if (socket.readyState !== WebSocket.OPEN) return;
      if (activity !== null) show("open", "Measuring", activity);
      else idle = setTimeout(() => show("open", "Waiting", "for the next command"), pause);
    },
  });
  socket.addEventListener("message", ({ data }) => control.receive(data));
  socket.addEventListener("close", () => {
    clearTimeout(idle);
    control.cancel();
    show("ended", "Ended", "The control connection has closed; nothing is measured any more. You can close the page.");
  });
  show("open", "Waiting", "for the first command");
}

show("connecting", "Connecting", `to ${address}`);
try {
  const { crossOriginIsolated, resolution } = await runner.run("clock", {}, new AbortController().signal);
  const socket = new WebSocket(address);
  socket.addEventListener("error", () => fail(`${address} gives no control connection.`));
  socket.addEventListener("open", () => {
    serve(socket);
    socket.send(JSON.stringify({
      hello: { userAgent: navigator.userAgent, crossOriginIsolated, clockResolution: resolution },
    }));
  });
} catch (error) {
  fail(`${errorText(error)}.`);
}
