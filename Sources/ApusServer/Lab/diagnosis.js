/**
 * Why a session failed. Browsers say only "Opening handshake failed" or "Connection lost", so the page
 * asks the server in other ways (`probe`) and concludes from the answers (`diagnose`, which is pure).
 */
import { certificateHashes, describeServer, isHealthy, sessionURL, webSocketOpens } from "./server.js";

/**
 * @typedef {object} Facts
 * @property {import("./server.js").Transport} transport
 * @property {"refused" | "lost"} event
 * @property {boolean} ownServer whether the URL names the server that delivered this page
 * @property {boolean} healthy GET /healthz answered
 * @property {boolean | null} pathOpens a WebSocket to the same path opened; null when not tried
 * @property {boolean | null} echoOpens a WebSocket to /echo opened; null when not tried
 * @property {boolean | null} hashOffered the hash in use is one the server offers now; null when none was used
 * @property {boolean} hashAllowed the server has a certificate that browsers take by its hash
 * @property {string} hostname of the session's URL
 * @property {boolean} expired the newest certificate has expired
 *
 * @typedef {{cause: string, title: string, advice: string[]}} Diagnosis
 */

/**
 * @param {{transport: import("./server.js").Transport, event: "refused" | "lost", url: URL, hashes: string[]}} failure
 * @param {Location} page
 * @returns {Promise<Facts>}
 */
export async function probe({ transport, event, url, hashes }, page) {
  /** @type {Facts} */
  const facts = {
    transport, event, ownServer: false, healthy: await isHealthy(),
    pathOpens: null, echoOpens: null, hashOffered: null, hashAllowed: true, hostname: url.hostname, expired: false,
  };
  const server = facts.healthy ? await describeServer().catch(() => null) : null;
  const ports = server === null ? [] : [server.port, server.httpPort].map(String);
  // A stopped server cannot say which ports it had; then the host alone decides.
  facts.ownServer = sameMachine(url.hostname, page.hostname) && (server === null || ports.includes(url.port));
  if (server === null || !facts.ownServer) return facts;
  const offered = server.certificates.map((certificate) => certificate.sha256.toLowerCase());
  if (hashes.length > 0) facts.hashOffered = hashes.some((hash) => offered.includes(hash));
  facts.hashAllowed = certificateHashes(server).length > 0;
  facts.expired = server.certificates.every((certificate) => Date.parse(certificate.notAfter) < Date.now());
  // The session's own host name, because the server compares it with the page's origin.
  const place = { protocol: page.protocol, hostname: url.hostname };
  facts.pathOpens = await webSocketOpens(sessionURL("websocket", server, url.pathname + url.search, place));
  facts.echoOpens = facts.pathOpens || await webSocketOpens(sessionURL("websocket", server, "/echo", place));
  return facts;
}

/** Loopback has three names, and each is an origin of its own. @param {string} a @param {string} b */
function sameMachine(a, b) {
  const loopback = ["localhost", "127.0.0.1", "[::1]"];
  return a === b || (loopback.includes(a) && loopback.includes(b));
}

/**
 * @param {Facts} facts
 * @returns {Diagnosis}
 */
export function diagnose(facts) {
  const lost = facts.event === "lost";
  if (!facts.healthy && facts.ownServer) {
    return {
      cause: "server-down",
      title: lost ? "The connection was lost: the server no longer answers." : "The server does not answer.",
      advice: [
        "It has stopped, or something on the way blocks it. Look at the terminal that runs apus serve.",
        "Start it again with scripts/run, then reload this page: a new start may bring a new certificate.",
      ],
    };
  }
  if (!facts.ownServer) {
    return {
      cause: "foreign-server",
      title: lost ? "The connection was lost." : "The session could not be opened.",
      advice: [
        "The address is not the server that delivered this page, so nothing more can be found out from here.",
        "There, check: does a server listen on that UDP port? Does it allow this page's origin (--allow-origin)?"
          + " Does the certificate hash belong to it?",
      ],
    };
  }
  if (lost) {
    return {
      cause: "lost",
      title: "The connection was lost, but the server is up.",
      advice: facts.transport === "webtransport"
        ? [
            "The server answers over TCP; the QUIC connection ended without a goodbye: server restarted, idle timeout,"
              + " the computer slept, or the network changed.",
            "Connect again. If it happens again and again, a firewall may drop UDP after a while.",
          ]
        : [
            "The TCP connection ended without a closing handshake: server restarted, a proxy timed out,"
              + " or the network changed.",
            "Connect again.",
          ],
    };
  }
  if (facts.echoOpens === false) {
    return {
      cause: "origin-refused",
      title: "The server is up, but refuses sessions from this page's origin.",
      advice: [
        "Its log names the origin it refused and why (403).",
        "Open the lab page on the same host as the session's address, or start the server with --allow-origin"
          + " and this page's origin.",
      ],
    };
  }
  if (facts.pathOpens === false) {
    return {
      cause: "path-refused",
      title: "The server is up and accepts this page, but refuses this path.",
      advice: ["Unknown paths get 404. Try /echo, /sink, /source?bytes=65536 or /close?code=4242&reason=bye."],
    };
  }
  if (facts.transport === "websocket") {
    return {
      cause: "transient",
      title: "The WebSocket failed once; a second try to the same path succeeded.",
      advice: ["Connect again. With wss:// the browser must trust the certificate: hashes work for WebTransport only."],
    };
  }
  if (facts.expired) {
    return {
      cause: "certificate-expired",
      title: "The server's certificate has expired.",
      advice: ["Make a new one with apus certificate and restart the server, then reload this page."],
    };
  }
  if (!facts.hashAllowed && facts.hashOffered !== null) {
    return {
      cause: "hash-not-allowed",
      title: "The server's certificate is not one that browsers take by its hash.",
      advice: [
        "It is valid for more than 14 days, or has an RSA key. Clear the hash: then an authority that the browser"
          + " trusts must have signed it. Or use a certificate made by apus certificate.",
      ],
    };
  }
  if (facts.hashOffered === false) {
    return {
      cause: "hash-mismatch",
      title: "The certificate hash is not the server's.",
      advice: [
        "Load the hash from the server again (button below the field), or reload this page:"
          + " the server may have renewed its certificate.",
      ],
    };
  }
  if (facts.hashOffered === null) {
    return {
      cause: "no-hash",
      title: "The server is up over TCP, but the QUIC handshake failed.",
      advice: [
        "No certificate hash was given, and a development certificate is accepted by its hash only:"
          + " load it from the server.",
        "Otherwise UDP may be blocked between here and the server.",
      ],
    };
  }
  return {
    cause: "udp-blocked",
    title: "The same path opens over TCP, but not over QUIC: UDP is probably blocked.",
    advice: [
      "Check firewalls, VPNs and container port mappings: the port must be open for UDP as well as TCP.",
      "The certificate hash is right, and path and origin were accepted over WebSocket.",
      ...(facts.hostname === "localhost"
        ? ["localhost is both [::1] and 127.0.0.1: a server that was started with --host and one of the two is reached"
            + " over QUIC under that address only. Open this page there."]
        : []),
    ],
  };
}
