/** Reading streams with bounded memory. */

/**
 * Reads to the end, counts all bytes and keeps only the first `keep`.
 * @param {ReadableStream<Uint8Array>} readable
 * @param {number} keep
 * @returns {Promise<{head: Uint8Array, size: number}>}
 */
export async function collect(readable, keep) {
  const head = new Uint8Array(keep);
  let size = 0;
  const reader = readable.getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return { head: head.subarray(0, Math.min(size, keep)), size };
    if (size < keep) head.set(value.subarray(0, keep - size), size);
    size += value.byteLength;
  }
}

/**
 * An error that resets or stops a stream with an application code.
 * The specification passes the message first; Chromium 156 takes everything in one object.
 * @param {number} streamErrorCode
 * @param {string} message
 */
export function streamError(streamErrorCode, message) {
  try {
    return new WebTransportError(message, { streamErrorCode });
  } catch {
    // @ts-ignore: the older signature
    return new WebTransportError({ message, streamErrorCode });
  }
}

/**
 * What a browser tells about a failure, with the stream's error code where there is one.
 * @param {unknown} error
 */
export function errorText(error) {
  if (!(error instanceof Error)) return String(error);
  const code = /** @type {{streamErrorCode?: number | null}} */ (error).streamErrorCode;
  const message = (error.message || error.name).replace(/\.$/, "");
  return code === null || code === undefined ? message : `${message} (stream error code ${code})`;
}
