/** Draws percentile curves as SVG. Each series has its own colour, dash and marker. */
import { tickDuration } from "./format.js";
import { enclosingSteps, linear, logarithmic, logarithmicTicks, spread } from "./scales.js";
import { color, styles, svg } from "./series-style.js";
import { depthAtShare, nines, percentileCurve, shareAtDepth } from "./statistics.js";

/**
 * @typedef {object} PlotSeries
 * @property {string} id
 * @property {string} name
 * @property {import("./histogram.js").Histogram} histogram of nanoseconds
 */

const height = 300;
const labelRoom = 100;

export class Plot {
  #box;
  /** @type {PlotSeries[]} */
  #series = [];
  #subject = "";
  /** @type {(depth: number | null) => void} */
  #read;
  /** @type {{depthAt: (x: number) => number, x: (depth: number) => number, cursor: Element} | null} */
  #scale = null;

  /**
   * @param {HTMLElement} box
   * @param {(depth: number | null) => void} read told the depth (nines) under the pointer, null when it leaves
   */
  constructor(box, read) {
    this.#box = box;
    this.#read = read;
    new ResizeObserver(() => this.#draw()).observe(box);
    box.addEventListener("pointermove", (event) => this.#point(event.clientX - box.getBoundingClientRect().left));
    box.addEventListener("pointerleave", () => this.#point(null));
  }

  /**
   * @param {string} subject what is drawn, in the plural
   * @param {PlotSeries[]} series those without samples are left out
   */
  show(subject, series) {
    this.#subject = subject;
    this.#series = series.filter(({ histogram }) => histogram.count > 0);
    this.#draw();
  }

  /** @param {number | null} x */
  #point(x) {
    if (this.#scale === null) return;
    const depth = x === null ? null : this.#scale.depthAt(x);
    this.#scale.cursor.setAttribute("visibility", depth === null ? "hidden" : "visible");
    if (depth !== null) this.#scale.cursor.setAttribute("transform", `translate(${this.#scale.x(depth)} 0)`);
    this.#read(depth);
  }

  #draw() {
    const width = Math.max(260, Math.round(this.#box.clientWidth));
    const image = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "data-series": this.#series.length });
    this.#scale = null;
    if (this.#series.length === 0) {
      image.setAttribute("aria-label", "No measurement yet.");
      this.#empty(image, width);
    } else {
      image.setAttribute("aria-label", this.#summary());
      this.#curves(image, width);
    }
    this.#box.replaceChildren(image);
  }

  #summary() {
    const medians = this.#series.map(({ name, histogram }) =>
      `${name} ${tickDuration(histogram.percentile(0.5) / 1e6)}`);
    return `Percentile curves of ${this.#subject}. Medians: ${medians.join(", ")}. The table below has the numbers.`;
  }

  /** @param {Element} image @param {number} width */
  #empty(image, width) {
    const middle = { x: (width + 44) / 2, y: height / 2 - 14, "text-anchor": "middle" };
    image.append(
      svg("path", { class: "axis", d: `M44.5 12V${height - 40.5}H${width}`, fill: "none" }),
      svg("text", middle, "Run a comparison to see its curves."));
  }

  /** @param {Element} image @param {number} width */
  #curves(image, width) {
    const narrow = width < 560;
    const box = { left: 52, right: width - (narrow ? 10 : labelRoom), top: 12, bottom: height - 42 };
    const curves = this.#series.map((series) => ({
      ...series,
      points: percentileCurve(series.histogram).map(({ depth, value }) => ({ depth, value: value / 1e6 })),
    }));
    const values = curves.flatMap(({ points }) => [points[0].value, points[points.length - 1].value]);
    // A coarse clock can say zero; a logarithmic axis cannot.
    const positive = values.filter((value) => value > 0);
    const domain = enclosingSteps(Math.min(...positive, 1000), Math.max(...positive, 0.001));
    const deepest = Math.max(...curves.map(({ histogram }) => nines(histogram.count)));
    const x = linear([0, deepest], [box.left, box.right]);
    const y = logarithmic(domain, [box.bottom, box.top]);

    this.#axes(image, box, x, y, domain, deepest, narrow);
    const cursor = svg("path", { class: "cursor", d: `M0 ${box.top}V${box.bottom}`, visibility: "hidden" });
    image.append(cursor);

    const ends = curves.map(({ points }) => y(points[points.length - 1].value));
    const labels = spread(ends, 16, [box.top + 4, box.bottom - 2]);
    for (const [index, { id, histogram, points }] of curves.entries()) {
      const { dash, marker, short } = styles[id];
      const path = points.map(({ depth, value }) => `${x(depth).toFixed(1)} ${y(value).toFixed(1)}`);
      image.append(svg("path", {
        class: "curve", "data-series": id, d: `M${path.join("L")}`, stroke: color(id), "stroke-dasharray": dash,
      }));
      const last = nines(histogram.count) + 1e-9;
      for (const share of [0.5, 0.9, 0.99, 0.999].filter((value) => depthAtShare(value) <= last)) {
        const [left, top] = [x(depthAtShare(share)), y(histogram.percentile(share) / 1e6)];
        image.append(svg("path", {
          class: "marker", d: marker, fill: color(id), transform: `translate(${left.toFixed(1)} ${top.toFixed(1)})`,
        }));
      }
      if (narrow) continue;
      const end = points[points.length - 1];
      image.append(svg("text", {
        class: "series-label", x: x(end.depth) + 10, y: labels[index] + 4, style: `fill: ${color(id)}`,
      }, short));
    }
    this.#scale = {
      cursor, x,
      depthAt: (/** @type {number} */ at) =>
        Math.min(deepest, Math.max(0, ((at - box.left) / (box.right - box.left)) * deepest)),
    };
  }

  /**
   * @param {Element} image
   * @param {{left: number, right: number, top: number, bottom: number}} box
   * @param {(depth: number) => number} x
   * @param {(value: number) => number} y
   * @param {[number, number]} domain
   * @param {number} deepest
   * @param {boolean} narrow
   */
  #axes(image, box, x, y, domain, deepest, narrow) {
    for (const tick of logarithmicTicks(domain[0], domain[1], 8)) {
      const at = Math.round(y(tick)) + 0.5;
      image.append(
        svg("path", { class: "grid", d: `M${box.left} ${at}H${box.right}` }),
        svg("text", { x: box.left - 8, y: at + 4, "text-anchor": "end" }, tickDuration(tick)));
    }
    // On a narrow screen the label of the median would run into that of the minimum.
    const median = narrow ? [] : [depthAtShare(0.5)];
    const depths = [0, ...median, ...Array.from({ length: deepest }, (_, index) => index + 1)];
    for (const depth of depths) {
      const at = Math.round(x(depth)) + 0.5;
      const anchor = depth === 0 ? "start" : depth === deepest && narrow ? "end" : "middle";
      image.append(
        svg("path", { class: "grid", d: `M${at} ${box.top}V${box.bottom}` }),
        svg("text", { x: at, y: box.bottom + 18, "text-anchor": anchor }, depthLabel(depth)));
    }
    image.append(
      svg("path", { class: "axis", d: `M${box.left + 0.5} ${box.top}V${box.bottom + 0.5}H${box.right}`, fill: "none" }),
      svg("text", { x: (box.left + box.right) / 2, y: height - 4, "text-anchor": "middle" }, "percentile"));
  }
}

/** @param {number} depth nines */
export function depthLabel(depth) {
  if (depth === 0) return "min";
  const digits = Math.max(0, Math.ceil(depth) - 2);
  return `p${Number((shareAtDepth(depth) * 100).toFixed(digits))}`;
}
