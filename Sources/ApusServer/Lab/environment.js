/** What this browser and this page's address allow. */

/**
 * @typedef {object} Availability
 * @property {boolean} webTransport
 * @property {{title: string, advice: string[]} | null} problem why WebTransport is missing
 *
 * @param {{isSecureContext: boolean, WebTransport?: unknown, location: Location, navigator: Navigator}} page
 * @param {number | null} httpPort the server's plain port, where it is known
 * @returns {Availability}
 */
export function availability(page, httpPort) {
  if (typeof page.WebTransport === "function") return { webTransport: true, problem: null };
  if (!page.isSecureContext) {
    return {
      webTransport: false,
      problem: {
        title: "This address is not a secure context, so the browser hides WebTransport.",
        advice: [
          `Open http://localhost:${httpPort ?? 8080}/ on the machine that runs the server,`
            + ` or tunnel the port there (ssh -L).`,
          "Any other host needs https with a certificate that the browser trusts.",
        ],
      },
    };
  }
  const safari = /Safari\//.test(page.navigator.userAgent) && !/Chrom(e|ium)\//.test(page.navigator.userAgent);
  return {
    webTransport: false,
    problem: {
      title: "This browser has no WebTransport.",
      advice: [
        safari ? "Safari has it from version 26.4."
          : "Chromium, Chrome and Edge have it from 97, Firefox from 114, Safari from 26.4.",
        "Private windows and enterprise policies can switch it off.",
        "WebSocket works here: choose it below. The comparison will measure WebSocket alone.",
      ],
    },
  };
}

/**
 * The finest step that performance.now() shows, in milliseconds.
 * Without cross-origin isolation browsers round it (Chromium to 0.1 ms), which a loopback round trip notices.
 */
export function clockResolution() {
  let finest = Infinity;
  for (let change = 0; change < 20; change += 1) {
    const start = performance.now();
    let now = start;
    while (now === start) now = performance.now();
    finest = Math.min(finest, now - start);
  }
  return Number(finest.toPrecision(2));
}
