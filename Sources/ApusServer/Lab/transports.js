/** The transports of the comparison, with the names of `apus bench` and those on the page. */

/**
 * @typedef {object} Transport
 * @property {import("./paced-paths.js").TransportKind} id
 * @property {string} name
 * @property {string} short
 * @property {"webtransport" | "websocket"} needs
 */

/** @type {Transport[]} */
export const transports = [
  { id: "wt-datagram", name: "WebTransport, datagram", short: "WT datagram", needs: "webtransport" },
  { id: "wt-stream", name: "WebTransport, one stream", short: "WT stream", needs: "webtransport" },
  {
    id: "wt-stream-per-sequence", name: "WebTransport, stream per sequence", short: "WT stream per sequence",
    needs: "webtransport",
  },
  {
    id: "wt-bidi-per-message", name: "WebTransport, stream per message", short: "WT stream per message",
    needs: "webtransport",
  },
  { id: "ws", name: "WebSocket", short: "WebSocket", needs: "websocket" },
];

const names = new Map(transports.map(({ id, name }) => [/** @type {string} */ (id), name]));

/** @param {string} id */
export function transportName(id) {
  return names.get(id) ?? id;
}
