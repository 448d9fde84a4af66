// What the tests of behaviours ask of the endpoints under /test, beside prelude.js.
const answer = async (session) => text(await readAll(await next(session.incomingUnidirectionalStreams)));
const ask = async (path, options) => {
  const session = await open(path, options);
  const said = await answer(session);
  session.close();
  return said;
};
// What the server has noted under this test's token, once it has noted enough.
const noted = async (conditions = "") => JSON.parse(await ask(`/test/query?token=${args.token}${conditions}`));
const recorded = (options = "") => open(`/test/record?token=${args.token}${options}`);
const echo = async (session, data) => {
  const stream = await session.createBidirectionalStream();
  const received = readAll(stream.readable);
  await writeAll(stream.writable, data);
  return received;
};
const isAlive = async (session) => text(await echo(session, bytes("alive"))) === "alive";
// Several streams that the server opens; `readable` says which part of a stream is to be read.
const take = async (streams, count, readable = (stream) => stream) => {
  const reader = streams.getReader();
  const texts = [];
  while (texts.length < count) {
    const { value, done } = await reader.read();
    if (done) break;
    texts.push(text(await readAll(readable(value))));
  }
  reader.releaseLock();
  return texts;
};
const datagramWriter = (session) => (session.datagrams.createWritable?.() ?? session.datagrams.writable).getWriter();
// A datagram may be lost even on loopback, so it is repeated until an answer comes.
const exchange = async (session, data) => {
  const writer = datagramWriter(session);
  const reader = session.datagrams.readable.getReader();
  const send = () => writer.write(data).catch(() => {});
  send();
  const repeat = setInterval(send, 100);
  const { value } = await reader.read();
  clearInterval(repeat);
  reader.releaseLock();
  writer.releaseLock();
  return value;
};
const need = (feature, isThere) => {
  if (!isThere) throw new DOMException(feature, "MissingFeature");
};
// What a browser may fail to do at all: then it has never come, once the time that is allowed for it is over.
const within = (promise) => Promise.race([
  promise, new Promise((resolve) => { setTimeout(resolve, args.patience, "never"); })]);
