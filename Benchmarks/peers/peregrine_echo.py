"""The echo endpoints on peregrine, a server in Swift: WebTransport and WebSocket, as an ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
from pathlib import Path

from peregrine.webtransport import SessionClosed, WebTransportSession, WebTransportStream

import peer


async def app(scope: dict, receive: object, send: object) -> None:
    match scope["type"]:
        case "webtransport":
            await echo(WebTransportSession(scope, receive, send))
        case "websocket":
            await echo_messages(receive, send)


async def echo(session: WebTransportSession) -> None:
    async with session, asyncio.TaskGroup() as group:
        group.create_task(echo_datagrams(session))
        async for stream in session.incoming_streams():
            group.create_task(echo_stream(stream))


async def echo_datagrams(session: WebTransportSession) -> None:
    with contextlib.suppress(SessionClosed):
        async for datagram in session.datagrams():
            await session.send_datagram(datagram)


async def echo_stream(stream: WebTransportStream) -> None:
    with contextlib.suppress(SessionClosed):
        async for data in stream:
            await stream.send(data)
        await stream.end()


async def echo_messages(receive: object, send: object) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "bytes": message["bytes"]})


def main() -> None:
    """The server is a program that makes its workers from this file; its log tells when they listen."""
    options = peer.options()
    port = peer.free_port(options.port)
    server = subprocess.Popen(
        [
            sys.executable, "-m", "peregrine", "--host", "127.0.0.1", "--port", str(port), "--http3",
            "--tls-cert", options.certificate, "--tls-key", options.key,
            "--python-path", Path(__file__).parent, "peregrine_echo:app",
        ],
        stderr=subprocess.PIPE, text=True,
    )
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    for line in server.stderr:
        sys.stderr.write(line)
        if "worker ready" in line:
            peer.ready("peregrine-server", port, "wt", "ws")
    sys.exit(server.wait())


if __name__ == "__main__":
    main()
