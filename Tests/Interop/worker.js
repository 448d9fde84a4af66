// A worker of any kind: it runs the body of an async function and answers on the port that came with it.
const AsyncFunction = (async () => {}).constructor;
const run = async ({ data: { body, args }, ports: [port] }) => {
  try {
    const value = await new AsyncFunction("args", body)(args);
    port.postMessage({ value: value ?? null });
  } catch ({ name, message, stack }) {
    port.postMessage({ error: { name, message: `${message}\n${stack}` } });
  }
};
// A service worker lives only as long as it says it has to do.
globalThis.onmessage = (event) => {
  const running = run(event);
  event.waitUntil?.(running);
};
globalThis.onconnect = ({ ports: [port] }) => { port.onmessage = run; };
