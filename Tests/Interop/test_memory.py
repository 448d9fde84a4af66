"""What sessions and streams cost a server: memory is returned, and a session takes no more than it is said to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from http3_client import Client, client
from server import Server

# In seconds: nothing is said on an idle session, and a busy machine takes its time for a thousand handshakes.
IDLE_TIMEOUT = 600
# In kB. A debug build of the server takes about 150 for an idle session, and 110 is what the libraries alone need.
PER_SESSION = 250
# In kB: the allocator's own slack. One lost allocation of 100 bytes a stream would be 1,000.
SLACK = 800


def resident(server: Server) -> int:
    """The server's memory in kB."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))


async def open_sessions(server: Server, stack: AsyncExitStack, count: int) -> list[Client]:
    """Sessions, each on a connection of its own, a few handshakes at a time."""
    gate = asyncio.Semaphore(16)

    async def one() -> Client:
        async with gate:
            protocol = await stack.enter_async_context(client(server, idle_timeout=IDLE_TIMEOUT))
            session = await protocol.session("/echo")
            assert protocol.answers[session].status == 200
            return protocol

    return await asyncio.gather(*(one() for _ in range(count)))


@pytest.fixture
def patient_server(apus: Path, tmp_path: Path) -> Iterator[Server]:
    running = Server.start(tmp_path, "--idle-timeout", f"{IDLE_TIMEOUT}s")
    yield running
    running.stop()


def test_a_thousand_idle_sessions(patient_server: Server) -> None:
    """All of them at once, twice: the second thousand finds the room that the first has left."""

    async def thousand() -> int:
        async with AsyncExitStack() as stack:
            sessions = await open_sessions(patient_server, stack, 1000)
            memory = resident(patient_server)
            assert not [session.termination for session in sessions if session.termination]
            return memory

    async def body() -> tuple[int, int]:
        return await thousand(), await thousand()

    before = resident(patient_server)
    first, second = asyncio.run(body())
    print(f"{(first - before) / 1000:.1f} kB for each of 1,000 idle sessions")
    assert first - before < 1000 * PER_SESSION
    # The first thousand may linger for some round trips as the second comes.
    assert second - first < (first - before) / 4


def test_ten_thousand_streams_one_after_the_other(own_server: Server) -> None:
    """On one session, each with an answer of its own and both ends finished."""

    async def rounds(protocol: Client, session: int, count: int) -> None:
        for number in range(count):
            text = b"%d" % number
            stream = protocol.open(session, text, end=True)
            await protocol.until(lambda: stream in protocol.ended)
            assert protocol.streams.pop(stream) == text

    async def body() -> int:
        async with client(own_server) as protocol:
            session = await protocol.session("/echo")
            await rounds(protocol, session, 2000)
            before = resident(own_server)
            await rounds(protocol, session, 10_000)
            return resident(own_server) - before

    growth = asyncio.run(body())
    print(f"{growth} kB for 10,000 streams")
    assert growth < SLACK
