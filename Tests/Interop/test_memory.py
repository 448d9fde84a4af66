"""What sessions and streams cost a server: memory is returned, and a session takes no more than it is said to.

APUS_MEMORY=full takes a thousand sessions and ten thousand streams, for the figures; a part of them shows the rule.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest

import raw_http2 as http2
from abuse import await_metric
from http2_client import TIMEOUT, tls
from http3_client import Client, client
from server import Server, resident

SESSIONS, STREAMS = (1000, 10_000) if os.environ.get("APUS_MEMORY") == "full" else (100, 2500)
# In seconds: nothing is said on an idle session, and a busy machine takes its time for a thousand handshakes.
IDLE_TIMEOUT = 600
# In kB. A debug build of the server takes about 150 for an idle session, and 110 is what the libraries alone need.
PER_SESSION = 180
# In kB: what 80 bytes a stream come to.
SLACK = STREAMS * 80 // 1000
# A session of a later lot may cost this much more, in kB: the allocator's holes fill up by and by.
LOST_PER_SESSION = 10


async def idle(server: Server, count: int) -> int:
    """The server's memory while that many sessions are open, each on a connection of its own."""
    gate, measured = asyncio.Semaphore(16), asyncio.Event()
    opened: list[Client] = []

    async def one() -> None:
        async with AsyncExitStack() as stack:
            async with gate:
                protocol = await stack.enter_async_context(client(server, idle_timeout=IDLE_TIMEOUT))
                session = await protocol.session("/echo")
            assert protocol.answers[session].status == 200
            opened.append(protocol)
            if len(opened) == count:
                everybody.set()
            await measured.wait()

    everybody = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(one())
        await everybody.wait()
        memory = resident(server)
        assert not [protocol.termination for protocol in opened if protocol.termination]
        # They close together: aioquic takes its time for each.
        measured.set()
    return memory


@pytest.fixture
def patient_server(apus: Path, tmp_path: Path) -> Iterator[Server]:
    running = Server.start(tmp_path, "--idle-timeout", f"{IDLE_TIMEOUT}s")
    yield running
    running.stop()


def test_many_idle_sessions(patient_server: Server) -> None:
    """All of them at once, and again: later lots find the room that earlier ones have left."""

    async def body() -> list[int]:
        return [await idle(patient_server, SESSIONS) for _ in range(8)]

    before = resident(patient_server)
    lots = asyncio.run(body())
    print(f"{(lots[0] - before) / SESSIONS:.1f} kB for each of {SESSIONS} idle sessions; after each lot: {lots}")
    assert lots[0] - before < SESSIONS * PER_SESSION
    assert lots[7] - lots[4] < 3 * SESSIONS * LOST_PER_SESSION


def test_many_streams_one_after_the_other(own_server: Server) -> None:
    """On one session, each with an answer of its own and both ends finished [24]."""

    async def rounds(protocol: Client, session: int, count: int) -> None:
        for number in range(count):
            text = b"%d" % number
            stream = protocol.open(session, text, end=True)
            await protocol.until(lambda: stream in protocol.ended)
            assert protocol.streams.pop(stream) == text

    async def body() -> int:
        async with client(own_server) as protocol:
            session = await protocol.session("/echo")
            await rounds(protocol, session, 1000)
            before = resident(own_server)
            await rounds(protocol, session, STREAMS)
            return resident(own_server) - before

    growth = asyncio.run(body())
    print(f"{growth} kB for {STREAMS} streams")
    assert growth < SLACK


REQUESTS = {
    "GET over HTTP/2": ("h2", http2.PREFACE, http2.SETTINGS_SEEN + http2.frame(http2.HEADERS, 5, 1, http2.GET)),
    "a WebSocket over HTTP/2": ("h2", http2.PREFACE, http2.SETTINGS_SEEN + http2.frame(http2.HEADERS, 4, 1, http2.CONNECT)),
    "GET over HTTP/1.1": ("http/1.1", b"", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    "a WebSocket over HTTP/1.1": (
        "http/1.1", b"", b"GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"),
}
# How a client's direction ends, behind its request and perhaps in the same read.
ENDS = {
    "close_notify": lambda connection, plain: connection.unwrap(),
    "a record that is none": lambda connection, plain: os.write(plain, b"\x17\x03\x03\x00\x14" + bytes(20)),
    "FIN": lambda connection, plain: connection.shutdown(socket.SHUT_WR),
    "RST": lambda connection, plain: connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)),
}
LOT = 60
# In kB: half of what a connection of HTTP/2 takes.
LOST_PER_CONNECTION = 5


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("request_kind", REQUESTS)
def test_connections_over_tcp_leave_nothing_behind(own_server: Server, request_kind: str, end: str) -> None:
    """However they end. NIOHTTP2 keeps a connection for ever that is closed in the middle of a read."""
    protocol, first, rest = REQUESTS[request_kind]

    def connect() -> None:
        plain = socket.create_connection(("127.0.0.1", own_server.port), timeout=TIMEOUT)
        # The server may answer behind our close_notify, or end the connection at once.
        with suppress(OSError), tls(protocol).wrap_socket(plain) as connection:
            if first:
                connection.sendall(first)
                connection.recv(65536)
            connection.sendall(rest)
            ENDS[end](connection, connection.fileno())
            while end == "FIN" and connection.recv(65536):
                pass

    levels = []
    for _ in range(4):
        for _ in range(LOT):
            connect()
        await_metric(own_server, "apus_tcp_connections", lambda count: count <= 1)
        levels.append(resident(own_server))
    print(f"{levels} kB")
    assert levels[3] - levels[1] < 2 * LOT * LOST_PER_CONNECTION
