"""Floods, and how a server is to bear them: its metrics, its memory, and a client beside the flood that must not notice."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

from raw_http3 import HTTP3Peer, http_datagram
from raw_quic import varint
from rules import Close
from server import Memory, Server

# Generous: a correct server takes a part of a second.
PATIENCE = 60.0
# In kB. What the flooder's connection may cost, and what an allocator keeps of it; a debug build's.
BOUND = 4_000

STREAM = 0x0A

Step = Callable[[], object]


def metrics(server: Server) -> dict[str, float]:
    """The server's metrics by name and labels, as Prometheus would read them."""
    with urllib.request.urlopen(server.page + "metrics", timeout=PATIENCE) as answer:
        lines = answer.read().decode().splitlines()
    return {series: float(value) for series, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}


def await_metric(server: Server, series: str, condition: Callable[[float], object], timeout: float = PATIENCE) -> float:
    """Waits until a series has a value like that. Metrics are published once a second."""
    deadline = time.monotonic() + timeout
    while not condition(value := metrics(server).get(series, 0)):
        assert time.monotonic() < deadline, f"{series} stays at {value}"
        time.sleep(0.1)
    return value


def exceeded(limit: str) -> str:
    return f'apus_limits_exceeded_total{{limit="{limit}"}}'


class Bystander(HTTP3Peer):
    """A client of the same server with a session, whose echoes come while others misbehave."""

    def __enter__(self) -> Bystander:
        super().__enter__()
        self._session = self.session()
        self._echoes = 0
        return self

    def check(self) -> None:
        """A stream and a datagram come back. A datagram may get lost beside a flood; some must come."""
        self._echoes += 1
        text = b"echo %d" % self._echoes
        stream = self.wt_stream(self._session, text, end=True)
        state = self.streams[stream]
        # A list: the server resends nothing of a datagram.
        datagram = http_datagram(self._session, text)

        def is_back() -> bool:
            return self.closed is not None or state.is_finished and datagram in self.datagrams

        deadline = time.monotonic() + PATIENCE
        while not is_back() and time.monotonic() < deadline:
            self.send_datagram(datagram)
            self.until(is_back, timeout=1)
        assert self.closed is None, f"another client's flood ended this connection: {self.closed}"
        assert state.data == text and datagram in self.datagrams, "another client's flood keeps this one from its echo"


@dataclass
class Outcome:
    closed: Close | None
    # In kB: the most that the server has grown by.
    growth: int
    steps: int


def flood(server: Server, peer: HTTP3Peer, step: Callable[[], object], steps: int) -> Outcome:
    """Repeats a step until the server closes the connection, or for that many times, beside a bystander."""
    with Bystander(server) as bystander:
        bystander.check()
        memory = Memory(server)
        count = 0
        while count < steps and peer.closed is None:
            step()
            count += 1
            bystander.check()
            if peer.closed is None:
                peer.settle()
        bystander.check()
    assert server.is_running
    growth = memory.growth
    print(f"{count} steps, {growth} kB; then {peer.closed or 'the connection goes on'}")
    return Outcome(peer.closed, growth, count)


# MARK: What floods are made of


def stream_frame(stream: int, data: bytes, offset: int | None = None) -> bytes:
    if offset is None:
        return varint(STREAM) + varint(stream) + varint(len(data)) + data
    return varint(STREAM | 0x04) + varint(stream) + varint(offset) + varint(len(data)) + data


def settle_now_and_then(peer: HTTP3Peer, sent: int) -> None:
    """What is sent by hand is not sent again: no more at once than the server's socket takes."""
    if sent % 100 == 99:
        peer.settle()


def packets(peer: HTTP3Peer, payload: Callable[[], bytes], number: int = 1000) -> Step:
    """Packets by hand, each with nothing else in it."""

    def step() -> None:
        for sent in range(number):
            if peer.closed is not None:
                break
            peer.send_frames(payload())
            settle_now_and_then(peer, sent)

    return step


def await_places(peer: HTTP3Peer, unidirectional: bool, count: int) -> None:
    """Waits until the server allows that many streams more."""
    quic = peer.quic

    def are_free() -> bool:
        allowed = quic._remote_max_streams_uni if unidirectional else quic._remote_max_streams_bidi
        return peer.closed is not None or quic.get_next_available_stream_id(unidirectional) // 4 + count <= allowed

    assert peer.until(are_free, timeout=PATIENCE), "the server allows no further streams"
