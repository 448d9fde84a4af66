"""What sessions and streams cost a server: memory is returned, and a session takes no more than it is said to.

APUS_MEMORY=full takes a thousand sessions and ten thousand streams, for the figures; a part of them shows the rule.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

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
