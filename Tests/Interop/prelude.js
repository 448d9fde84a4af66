// Helpers for the scripts of the browser tests; `args` comes from conftest.py.
const hashValue = Uint8Array.from(args.hash.match(/../g), (digits) => Number.parseInt(digits, 16));
const connect = (path, options = {}) => new WebTransport(args.base + path, {
  serverCertificateHashes: [{ algorithm: "sha-256", value: hashValue }],
  ...options,
});
const open = async (path, options) => {
  const session = connect(path, options);
  session.closed.catch(() => {});
  await session.ready;
  return session;
};
const bytes = (text) => new TextEncoder().encode(text);
const text = (data) => new TextDecoder().decode(data);
// With a reader: Firefox's Response takes a stream that was reset for one that has ended.
const readAll = async (readable) => {
  const reader = readable.getReader();
  const chunks = [];
  for (let item = await reader.read(); !item.done; item = await reader.read()) chunks.push(item.value);
  const all = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0));
  let end = 0;
  for (const chunk of chunks) {
    all.set(chunk, end);
    end += chunk.length;
  }
  return all;
};
const next = async (streams) => {
  const reader = streams.getReader();
  const { value } = await reader.read();
  reader.releaseLock();
  return value;
};
const writeAll = async (writable, data) => {
  const writer = writable.getWriter();
  await writer.write(data);
  await writer.close();
};
// Pseudo-random, so that a reordered or repeated block shows.
const pattern = (length) => {
  const data = new Uint8Array(length);
  let state = 0x2545f491;
  for (let index = 0; index < length; index += 1) {
    state ^= state << 13; state ^= state >>> 17; state ^= state << 5;
    data[index] = state;
  }
  return data;
};
const equal = (a, b) => a.length === b.length && a.every((value, index) => value === b[index]);
// Chromium's constructor still takes everything in one object.
const streamError = (streamErrorCode) => {
  try {
    return new WebTransportError("enough", { streamErrorCode });
  } catch {
    return new WebTransportError({ message: "enough", streamErrorCode });
  }
};
const outcome = (promise) => promise.then(
  (value) => ({ fulfilled: value ?? null }),
  (error) => ({
    rejected: error.name, message: error.message, source: error.source ?? null, code: error.streamErrorCode ?? null,
  }));
