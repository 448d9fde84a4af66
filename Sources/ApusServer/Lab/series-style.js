/** How each transport is drawn: by colour, dash and marker, so that none of them alone has to tell them apart. */

/** @type {Record<string, {dash: string, marker: string, short: string}>} */
export const styles = {
  "wt-datagram": { dash: "", marker: "M0-5A5 5 0 1 1 0 5A5 5 0 1 1 0-5Z", short: "datagram" },
  "wt-stream": { dash: "9 5", marker: "M-4.5-4.5H4.5V4.5H-4.5Z", short: "one stream" },
  "wt-stream-per-sequence": { dash: "14 4 2 4 2 4", marker: "M0 5.5L5.5-4.5H-5.5Z", short: "per sequence" },
  "wt-bidi-per-message": { dash: "2 5", marker: "M0-5.5L5.5 4.5H-5.5Z", short: "per message" },
  "ws": { dash: "12 4 2 4", marker: "M0-6L6 0L0 6L-6 0Z", short: "WebSocket" },
};

/** @param {string} id */
export function color(id) {
  return `var(--series-${id})`;
}

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 * @param {string} text
 */
export function svg(name, attributes, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  if (text !== "") made.textContent = text;
  return made;
}

/** A swatch for the legend, drawn like the curve. @param {string} id */
export function swatch(id) {
  const { dash, marker } = styles[id];
  const image = svg("svg", { width: 44, height: 14, viewBox: "0 0 44 14", "aria-hidden": "true" });
  image.append(
    svg("path", { d: "M1 7H43", stroke: color(id), "stroke-width": 2.25, "stroke-dasharray": dash, fill: "none" }),
    svg("path", { d: marker, fill: color(id), transform: "translate(22 7)" }));
  return image;
}
