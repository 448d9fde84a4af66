"""Runs clients that change what they send against a live server. It must live, serve an honest client meanwhile, keep its
memory, and end the connections that their clients have ended.

Every client has a seed, which a failure names. APUS_FUZZ_SEED begins elsewhere, and APUS_FUZZ_SECONDS makes each test
go on for so long.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mutations import Mutator
from raw_http3 import HTTP3Peer
from server import Server, resident

FIRST_SEED = int(os.environ.get("APUS_FUZZ_SEED", "1"))
SECONDS = float(os.environ.get("APUS_FUZZ_SECONDS", "0"))
# In seconds: clients that fall silent in the middle must not pile up.
IDLE_TIMEOUT = 3
# In kB: some hundred clients that have not timed out yet.
MEMORY = 120_000
# Of WebSockets, masked with zeros.
MASK = b"\x00\x00\x00\x00"
FRAMES = [
    b"\x81\x85" + MASK + b"Hello", b"\x01\x82" + MASK + b"\xc3\xbc" + b"\x80\x80" + MASK, b"\x89\x84" + MASK + b"ping",
    b"\x82\xfe\x01\x00" + MASK + bytes(256), b"\xc1\x87" + MASK + b"\xf2\x48\xcd\xc9\xc9\x07\x00",
    b"\x88\x85" + MASK + b"\x03\xe8bye",
]


@pytest.fixture(scope="module")
def fuzzed_server(apus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server.start(tmp_path_factory.mktemp("fuzzed"), "--idle-timeout", f"{IDLE_TIMEOUT}s")
    yield running
    running.stop()


def seeds(count: int) -> Iterator[int]:
    """So many, or for as long as APUS_FUZZ_SECONDS says."""
    end = time.monotonic() + SECONDS
    seed = FIRST_SEED
    while seed < FIRST_SEED + count or time.monotonic() < end:
        yield seed
        seed += 1


def serves(server: Server) -> bool:
    """Whether an honest client has a session and an echo."""
    with HTTP3Peer(server) as peer:
        stream = peer.streams[peer.wt_stream(peer.session(), b"honest", end=True)]
        peer.until(lambda: peer.closed or stream.is_finished)
        return stream.data == b"honest"


@dataclass
class Result:
    """How many changes a client has sent, and whether it came so far that they could matter.

    - has_ended: whether the server has ended the connection in order, where the client had ended it; else None.
    """

    sent: int
    has_begun: bool
    has_ended: bool | None = None


def run(server: Server, count: int, client: Callable[[Mutator], Result], ends: bool = False) -> None:
    """Runs one client for each seed.

    - ends: most of them end their connections, for the server to do the same.
    """
    before = resident(server)
    sent = begun = clients = left = ended = 0
    for seed in seeds(count):
        try:
            result = client(Mutator(seed))
        except Exception as error:
            error.add_note(f"again: APUS_FUZZ_SEED={seed}")
            raise
        clients, begun, sent = clients + 1, begun + result.has_begun, sent + result.sent
        left, ended = left + (result.has_ended is not None), ended + (result.has_ended is True)
        assert server.is_running, f"the server died; again: APUS_FUZZ_SEED={seed}"
        if clients % 20 == 0:
            assert serves(server), f"an honest client is not served after seed {seed}"
    assert serves(server)
    growth = resident(server) - before
    print(
        f"{clients} clients from seed {FIRST_SEED} on, {begun} of which began, sent {sent} changes; {left} ended their "
        f"connections, and the server {ended} of these; {growth} kB more")
    assert begun > clients // 4, "too few came so far that their changes could matter"
    assert not ends or left > clients // 2, "too few ended their connections"
    # A reset is the end of a connection, too, where the server has ended it while the client was sending.
    assert ended >= left * 3 // 4, "too few connections came to an end in order"
    assert growth < MEMORY
