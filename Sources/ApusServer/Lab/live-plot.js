/** Draws turns while they run: a strip for each transport, with the same axes, so that their places tell them apart. */
import { byID } from "./dom.js";
import { tickDuration } from "./format.js";
import { agePoints, stalenessPeaks } from "./live-trace.js";
import { enclosingSteps, linear, linearTicks, logarithmic, logarithmicTicks } from "./scales.js";
import { color, svg } from "./series-style.js";
import { transportName } from "./transports.js";

/** Of each strip: its name, what is drawn, and what is left free below; pixels. */
const [nameHeight, traceHeight, gap] = [20, 56, 8];
const axisHeight = 36;
/** Where the traces begin and end, from the left and right edge. */
const [left, right] = [52, 10];

const abouts = {
  age: "Each dot is a message, at the time when it was due. Lower is younger.",
  staleness: "How old the newest was that had come back, each time just before news came. Lower is fresher.",
};

/** @typedef {import("./paced-load.js").PacedLoad} PacedLoad */

export class LivePlot {
  #box;
  /** @type {{load: PacedLoad, subject: "age" | "staleness"} | null} */
  #run = null;
  /** @type {Map<string, [number, number][]>} of the latest turn of each transport */
  #arrivals = new Map();
  #isDue = false;

  /** @param {HTMLElement} box */
  constructor(box) {
    this.#box = box;
    new ResizeObserver(() => this.#drawSoon()).observe(box);
  }

  /**
   * @param {string[]} transports
   * @param {PacedLoad} load
   * @param {"age" | "staleness"} subject
   */
  begin(transports, load, subject) {
    this.#run = { load, subject };
    this.#arrivals = new Map(transports.map((id) => [id, []]));
    byID("live-about").textContent = abouts[subject];
    this.#drawSoon();
  }

  /** A new turn of a transport takes the place of its last. @param {string} id */
  clear(id) {
    this.#arrivals.set(id, []);
    this.#drawSoon();
  }

  /** @param {string} id @param {[number, number][]} arrivals */
  add(id, arrivals) {
    this.#arrivals.get(id)?.push(...arrivals);
    this.#drawSoon();
  }

  #drawSoon() {
    if (this.#isDue || this.#run === null) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.#draw();
    });
  }

  #draw() {
    if (this.#run === null) return;
    const { load, subject } = this.#run;
    const width = Math.max(260, Math.round(this.#box.clientWidth));
    const height = this.#arrivals.size * (nameHeight + traceHeight + gap) + axisHeight;
    const name = subject === "age" ? "Age of each message" : "Staleness";
    const image = svg("svg", {
      viewBox: `0 0 ${width} ${height}`, height, role: "img",
      "aria-label": `${name} in the latest turn of each transport. The table below has the numbers.`,
    });
    const traces = [...this.#arrivals].map(([id, arrivals]) => ({
      id, lines: subject === "age" ? [agePoints(load, arrivals)] : stalenessPeaks(load, arrivals),
    }));
    // A coarse clock can say zero; a logarithmic axis cannot.
    const values = traces.flatMap(({ lines }) => lines.flat().map(({ value }) => value)).filter((value) => value > 0);
    const domain = values.length === 0
      ? /** @type {[number, number]} */ ([0.1, 10])
      : enclosingSteps(values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b)));
    const x = linear([-load.warmUpSeconds, load.seconds], [left, width - right]);
    for (const [index, { id, lines }] of traces.entries()) {
      const top = index * (nameHeight + traceHeight + gap) + nameHeight;
      const y = logarithmic(domain, [top + traceHeight, top]);
      image.append(
        svg("path", { class: "warm-up", d: `M${left} ${top}H${x(0)}V${top + traceHeight}H${left}Z` }),
        svg("text", { class: "series-label", x: left, y: top - 6, style: `fill: ${color(id)}` }, transportName(id)));
      for (const tick of logarithmicTicks(domain[0], domain[1], 4)) {
        const at = Math.round(y(tick)) + 0.5;
        image.append(
          svg("path", { class: "grid", d: `M${left} ${at}H${width - right}` }),
          svg("text", { x: left - 8, y: at + 4, "text-anchor": "end" }, tickDuration(tick)));
      }
      const trace = svg("g", { "data-series": id });
      trace.append(...lines.map((line) => subject === "age" ? dots(id, line, x, y) : curve(id, line, x, y)));
      image.append(trace);
    }
    this.#timeAxis(image, x, load, height - axisHeight, width);
    this.#box.replaceChildren(image);
  }

  /**
   * @param {Element} image
   * @param {(value: number) => number} x
   * @param {PacedLoad} load
   * @param {number} bottom
   * @param {number} width
   */
  #timeAxis(image, x, load, bottom, width) {
    for (const tick of linearTicks(0, load.seconds, width < 560 ? 4 : 8)) {
      image.append(svg("text", { x: x(tick).toFixed(1), y: bottom + 14, "text-anchor": "middle" }, `${tick} s`));
    }
    image.append(svg("text", { x: (left + width - right) / 2, y: bottom + 32, "text-anchor": "middle" },
      "time in the turn; what is shaded does not count"));
  }
}

/**
 * Lines without length, which round caps make dots: one element however many there are.
 * @param {string} id
 * @param {import("./live-trace.js").Point[]} points
 * @param {(value: number) => number} x
 * @param {(value: number) => number} y
 */
function dots(id, points, x, y) {
  // Those that fall on the same place are drawn once.
  const places = new Set(points.map(({ time, value }) => `M${x(time).toFixed(1)} ${y(value).toFixed(1)}h0`));
  return svg("path", { class: "dots", stroke: color(id), d: [...places].join("") });
}

/**
 * @param {string} id
 * @param {import("./live-trace.js").Point[]} points
 * @param {(value: number) => number} x
 * @param {(value: number) => number} y
 */
function curve(id, points, x, y) {
  const path = points.map(({ time, value }) => `${x(time).toFixed(1)} ${y(value).toFixed(1)}`);
  return svg("path", { class: "trace", stroke: color(id), d: path.length === 0 ? "" : `M${path.join("L")}` });
}
