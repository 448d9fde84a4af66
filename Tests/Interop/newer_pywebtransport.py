"""pywebtransport in a Python that is newer than the tests' own, as a program: one JSON line in, one JSON line out.

    {"part": "echo_stream", "url": "https://…", "data": "…"}      →  {"came": "…"}
    {"part": "serve", "certificate": "…", "key": "…", "port": 1}  →  {"listening": 1}, until the input ends

What goes wrong is a line, too: {"error": "…"}. `peer_newer.py` is the other end.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import sys
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pywebtransport import (
    ClientConfig,
    ServerConfig,
    WebTransportClient,
    WebTransportConnection,
    WebTransportError,
    WebTransportServer,
    WebTransportSession,
)
from pywebtransport.types import EventType

TIMEOUT = 10.0


@asynccontextmanager
async def session_to(url: str) -> AsyncIterator[WebTransportSession]:
    config = ClientConfig(verify_mode=ssl.CERT_NONE, stream_create_timeout=TIMEOUT)
    async with WebTransportClient(config=config) as client:
        session = await client.connect(url=url, timeout=TIMEOUT)
        await session.ensure_ready()
        yield session


async def open_session(url: str) -> dict:
    async with session_to(url) as session:
        diagnostics = await session.diagnose()
        return {"state": diagnostics.state, "flowControl": diagnostics.flow_control_negotiated}


async def echo_stream(url: str, data: str) -> dict:
    async with session_to(url) as session:
        stream = await session.create_bidirectional_stream()
        await stream.write_all(data=data.encode(), end_stream=True)
        return {"came": (await stream.read_all()).decode()}


async def echo_on_another_stream(url: str, data: str) -> dict:
    async with session_to(url) as session:
        stream = await session.create_unidirectional_stream()
        await stream.write_all(data=data.encode(), end_stream=True)
        async for incoming in session.incoming_unidirectional_streams():
            return {"came": (await incoming.read_all()).decode()}


async def echo_datagram(url: str, data: str) -> dict:
    async with session_to(url) as session:
        await session.send_datagram(data=data.encode())
        return {"came": (await session.read_datagram()).decode()}


async def echo_many(url: str, streams: int, size: int) -> dict:
    """So many streams of each kind on one session, one after the other."""
    data = bytes(size)
    async with session_to(url) as session:
        incoming = session.incoming_unidirectional_streams()
        for _ in range(streams):
            both = await session.create_bidirectional_stream()
            await both.write_all(data=data, end_stream=True)
            assert await both.read_all() == data
            out = await session.create_unidirectional_stream()
            await out.write_all(data=data, end_stream=True)
            assert await (await anext(incoming)).read_all() == data
        diagnostics = await session.diagnose()
        return {"flowControl": diagnostics.flow_control_negotiated, "sent": diagnostics.data_sent}


async def be_closed(url: str) -> dict:
    """The server closes."""
    async with session_to(url) as session:
        event = await session.events.wait_for(event_type=EventType.SESSION_CLOSED, timeout=TIMEOUT)
        return {"code": event.data["error_code"], "reason": event.data["reason"]}


async def close(url: str, code: int, reason: str) -> dict:
    """The client closes."""
    async with session_to(url) as session:
        await session.close(error_code=code, reason=reason)
        return {"closed": session.is_closed}


async def serve(certificate: str, key: str, port: int) -> dict:
    async with WebTransportServer(
        config=ServerConfig(bind_host="127.0.0.1", bind_port=port, certfile=certificate, keyfile=key)
    ) as server, asyncio.TaskGroup() as group:
        await server.listen()
        accepting = group.create_task(accept(server, group))
        say({"listening": port})
        await input_has_ended()
        accepting.cancel()
        return {}


async def accept(server: WebTransportServer, group: asyncio.TaskGroup) -> None:
    async for connection in server.incoming_connections():
        group.create_task(serve_connection(connection, group))


async def serve_connection(connection: WebTransportConnection, group: asyncio.TaskGroup) -> None:
    async for session in connection.incoming_sessions():
        group.create_task(serve_session(session))


async def serve_session(session: WebTransportSession) -> None:
    """The endpoints of `apus serve` that the peers' rows need."""
    match session.path:
        case "/echo":
            await session.accept()
            async with asyncio.TaskGroup() as group:
                group.create_task(echo_datagrams(session))
                group.create_task(echo_streams(session))
                group.create_task(echo_unidirectional_streams(session))
        case "/close":
            await session.accept()
            await session.close(error_code=4242, reason="bye")
        case _:
            await session.reject(status_code=404)


async def echo_datagrams(session: WebTransportSession) -> None:
    # Reading ends with the session.
    with contextlib.suppress(WebTransportError):
        while True:
            await session.send_datagram(data=await session.read_datagram())


async def echo_streams(session: WebTransportSession) -> None:
    async for stream in session.incoming_bidirectional_streams():
        await stream.write_all(data=await stream.read_all(), end_stream=True)


async def echo_unidirectional_streams(session: WebTransportSession) -> None:
    async for stream in session.incoming_unidirectional_streams():
        back = await session.create_unidirectional_stream()
        await back.write_all(data=await stream.read_all(), end_stream=True)


def say(line: dict) -> None:
    print(json.dumps(line), flush=True)


async def input_has_ended() -> None:
    await asyncio.to_thread(sys.stdin.read)


async def main() -> None:
    order = json.loads(sys.stdin.readline())
    parts = [open_session, echo_stream, echo_on_another_stream, echo_datagram, echo_many, be_closed, close, serve]
    part = next(part for part in parts if part.__name__ == order["part"])
    try:
        answer = await part(**{name: value for name, value in order.items() if name != "part"})
    except Exception as error:  # noqa: BLE001: the test at the other end decides what it means
        traceback.print_exc()
        answer = {"error": f"{type(error).__name__}: {error}"}
    say(answer)


asyncio.run(main())
