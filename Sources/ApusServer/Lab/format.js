/** How numbers, times and bytes are written on the page. Pure. */

/** @param {number} milliseconds three significant digits, in µs, ms or s */
export function duration(milliseconds) {
  if (milliseconds >= 1000) return `${significant(milliseconds / 1000)} s`;
  if (milliseconds >= 1) return `${significant(milliseconds)} ms`;
  return `${significant(milliseconds * 1000)} µs`;
}

/** @param {number} value */
function significant(value) {
  if (value >= 1000) return count(Math.round(value));
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2);
}

/** @param {number} value a tick, with no needless zeros */
export function tickDuration(value) {
  if (value >= 1000) return `${Number((value / 1000).toPrecision(3))} s`;
  if (value >= 1) return `${Number(value.toPrecision(3))} ms`;
  return `${Number((value * 1000).toPrecision(3))} µs`;
}

/** @param {number} value */
export function count(value) {
  return value.toLocaleString("en-GB");
}

/** @param {number} value */
export function bytes(value) {
  if (value < 10_000) return `${count(value)} B`;
  if (value < 1024 * 1024) return `${significant(value / 1024)} KiB`;
  return `${significant(value / 1024 / 1024)} MiB`;
}

/** @param {number} value */
export function ratio(value) {
  return `${value >= 10 ? value.toFixed(1) : value.toFixed(2)}×`;
}

/** @param {number} value 0…1, with at most two digits after the point */
export function share(value) {
  return `${Number((value * 100).toFixed(2))} %`;
}

/** @param {Date} date local time with milliseconds */
export function clock(date) {
  const part = (/** @type {number} */ value, width = 2) => String(value).padStart(width, "0");
  const seconds = `${part(date.getHours())}:${part(date.getMinutes())}:${part(date.getSeconds())}`;
  return `${seconds}.${part(date.getMilliseconds(), 3)}`;
}

/**
 * The first bytes as text, or as hex when they are no text.
 * @param {Uint8Array} data
 * @param {number} limit bytes shown
 */
export function preview(data, limit = 200) {
  const head = data.subarray(0, limit);
  const rest = data.length > limit ? "…" : "";
  try {
    // A cut may fall inside a character; `stream` leaves that one out instead of failing.
    const text = new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: rest !== "" });
    if (!/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.test(text)) return text + rest;
  } catch {
    // Not UTF-8: shown as hex below.
  }
  const hex = Array.from(head.subarray(0, 24), (byte) => byte.toString(16).padStart(2, "0"));
  return `${hex.join(" ")}${data.length > 24 ? " …" : ""}`;
}

/**
 * @param {string} hex 64 digits; colons and spaces are allowed
 * @returns {Uint8Array<ArrayBuffer> | null} null when it is not a SHA-256
 */
export function hashBytes(hex) {
  const digits = hex.replace(/[\s:]/g, "");
  if (!/^[0-9a-fA-F]{64}$/.test(digits)) return null;
  return Uint8Array.from({ length: 32 }, (_, index) => Number.parseInt(digits.slice(index * 2, index * 2 + 2), 16));
}

/** @param {Date} date @param {Date} now */
export function remaining(date, now) {
  const hours = (date.getTime() - now.getTime()) / 3_600_000;
  if (hours <= 0) return "expired";
  return hours < 48 ? `${Math.floor(hours)} h left` : `${Math.floor(hours / 24)} days left`;
}
