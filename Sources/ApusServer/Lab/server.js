/** What the page knows about the server that delivered it. */

/**
 * @typedef {{sha256: string, base64: string, notAfter: string, trustedByHash: boolean}} Certificate
 * @typedef {{port: number, httpPort: number, certificates: Certificate[]}} ServerDescription
 * @typedef {"webtransport" | "websocket"} Transport
 */

/**
 * Asks for ports and certificate hashes; both change when the server restarts, so nothing is cached.
 * @returns {Promise<ServerDescription>}
 */
export async function describeServer() {
  const response = await fetch("/api/certificate", { cache: "no-store", signal: AbortSignal.timeout(5000) });
  if (!response.ok) throw new Error(`/api/certificate answered ${response.status}`);
  return response.json();
}

/**
 * What a page may pass as serverCertificateHashes. Browsers refuse the hash of a certificate that is valid for long, or
 * has an RSA key, even when an authority that they trust has signed it.
 * @param {ServerDescription} server
 */
export function certificateHashes(server) {
  return server.certificates.filter(({ trustedByHash }) => trustedByHash).map(({ sha256 }) => sha256.toLowerCase());
}

/**
 * @param {Transport} transport
 * @param {ServerDescription} server
 * @param {string} path with query
 * @param {{protocol: string, hostname: string}} page the page's own address
 */
export function sessionURL(transport, server, path, page) {
  if (transport === "webtransport") return `https://${page.hostname}:${server.port}${path}`;
  return page.protocol === "https:"
    ? `wss://${page.hostname}:${server.port}${path}`
    : `ws://${page.hostname}:${server.httpPort}${path}`;
}

/**
 * The transport that a URL's scheme asks for.
 * @param {string} text
 * @returns {{transport: Transport, url: URL} | null} null when it is no URL that a session can have
 */
export function parseSessionURL(text) {
  let url;
  try {
    url = new URL(text);
  } catch {
    return null;
  }
  if (url.hash !== "") return null;
  if (url.protocol === "https:") return { transport: "webtransport", url };
  if (url.protocol === "ws:" || url.protocol === "wss:") return { transport: "websocket", url };
  return null;
}

/** Whether the server behind the page answers at all. */
export async function isHealthy() {
  try {
    const response = await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(3000) });
    return response.ok;
  } catch {
    return false;
  }
}

/**
 * Whether a WebSocket to this address opens: the same checks of path and origin as for WebTransport, but over TCP.
 * @param {string} url
 * @returns {Promise<boolean>}
 */
export function webSocketOpens(url) {
  return new Promise((resolve) => {
    let socket;
    try {
      socket = new WebSocket(url);
    } catch {
      resolve(false);
      return;
    }
    const finish = (/** @type {boolean} */ opens) => {
      clearTimeout(timer);
      socket.close();
      resolve(opens);
    };
    const timer = setTimeout(finish, 3000, false);
    socket.addEventListener("open", () => finish(true));
    socket.addEventListener("error", () => finish(false));
  });
}
