"""The echo endpoint on pywebtransport: WebTransport of draft-16."""

from __future__ import annotations

import asyncio
import contextlib

from pywebtransport import (
    ServerConfig,
    WebTransportBidirectionalStream,
    WebTransportConnection,
    WebTransportError,
    WebTransportServer,
    WebTransportSession,
)

import peer


async def serve(connection: WebTransportConnection) -> None:
    async with asyncio.TaskGroup() as group:
        async for session in connection.incoming_sessions():
            group.create_task(echo(session) if session.path == "/echo" else session.reject(status_code=404))


async def echo(session: WebTransportSession) -> None:
    await session.accept()
    async with asyncio.TaskGroup() as group:
        group.create_task(echo_datagrams(session))
        async for stream in session.incoming_bidirectional_streams():
            group.create_task(echo_stream(stream))


async def echo_datagrams(session: WebTransportSession) -> None:
    # Reading ends with the session.
    with contextlib.suppress(WebTransportError):
        while True:
            await session.send_datagram(data=await session.read_datagram())


async def echo_stream(stream: WebTransportBidirectionalStream) -> None:
    # A stream may end with its session.
    with contextlib.suppress(WebTransportError):
        async for data in stream:
            await stream.write_all(data=data)
        await stream.write(data=b"", end_stream=True)


async def main() -> None:
    options = peer.options()
    port = peer.free_port(options.port)
    config = ServerConfig(
        bind_host="127.0.0.1", bind_port=port, certfile=options.certificate, keyfile=options.key)
    async with WebTransportServer(config=config) as server, asyncio.TaskGroup() as group:
        await server.listen()
        peer.ready("pywebtransport", port, "wt")
        async for connection in server.incoming_connections():
            group.create_task(serve(connection))


asyncio.run(main())
