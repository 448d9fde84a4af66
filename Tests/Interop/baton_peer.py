"""A client that plays devious baton by hand, and can break its rules."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from aioquic.buffer import Buffer, BufferReadError

from raw_http3 import WT_CLOSE_SESSION, HTTP3Peer, http_datagram, wt_header
from raw_quic import TIMEOUT, varint
from rules import OneOf, expect

DRAFT = "draft-frindell-webtrans-devious-baton"
PATH = "/webtransport/devious-baton"
# How WebTransport carries an application's code below 30 (draft-ietf-webtrans-http3 § 4.4).
WT_APPLICATION_ERROR = 0x52E4A40FA8DB
IDC, WHATEVER, I_LIED = (WT_APPLICATION_ERROR + code for code in (1, 2, 3))
DA_YAMN, BRUH, SUS, BORED = (f"WT_CLOSE_SESSION with {name}" for name in ("DA_YAMN", "BRUH", "SUS", "BORED"))
SESSION_ERRORS = {1: DA_YAMN, 2: BRUH, 3: SUS, 4: BORED}
NO_ERROR = "FIN on the CONNECT stream"
# What a session without WT_CLOSE_SESSION stands for (draft-ietf-webtrans-http3 § 6).
CODE_0 = "WT_CLOSE_SESSION with 0"
WITHOUT_ERROR = OneOf(NO_ERROR, CODE_0)
STAYS_OPEN = "the session stays open"
MAX_STREAMS_BIDI, MAX_STREAMS_UNI = 0x08, 0x09

# Kinds of stream, by their two least significant bits (RFC 9000 § 2.1).
CLIENTS_BIDIRECTIONAL, SERVERS_BIDIRECTIONAL, CLIENTS_UNIDIRECTIONAL, SERVERS_UNIDIRECTIONAL = range(4)
KINDS = [
    "a bidirectional stream of the client's", "a bidirectional stream of the server's",
    "a unidirectional stream of the client's", "a unidirectional stream of the server's",
]
# The client's replies, by what they reply to.
REPLIES = {
    SERVERS_UNIDIRECTIONAL: CLIENTS_BIDIRECTIONAL, CLIENTS_BIDIRECTIONAL: CLIENTS_UNIDIRECTIONAL,
    SERVERS_BIDIRECTIONAL: SERVERS_BIDIRECTIONAL,
}
WAYS = pytest.mark.parametrize("kind", REPLIES.values(), ids=lambda kind: KINDS[kind].removeprefix("a "))


def message(baton: int, padding: bytes = b"", encode: Callable[[int], bytes] = varint) -> bytes:
    return encode(len(padding)) + padding + bytes([baton])


def baton_of(data: bytes) -> int | str:
    """The baton of exactly one message, with whatever padding."""
    buffer = Buffer(data=data)
    try:
        buffer.pull_bytes(buffer.pull_uint_var())
        baton = buffer.pull_uint8()
    except BufferReadError:
        return f"an incomplete message ({data[:20].hex()})"
    return baton if buffer.eof() else f"a message with more behind it ({data[:20].hex()})"


class Game:
    """The client's end of a session."""

    def __init__(self, peer: HTTP3Peer, query: str) -> None:
        self.peer = peer
        self.session = peer.session(f"{PATH}?{query}" if query else PATH)
        self._taken: set[int] = set()

    @property
    def is_over(self) -> bool:
        state = self.peer.streams[self.session]
        return self.peer.closed is not None or state.aborted is not None or state.is_finished

    def _arrived(self, unidirectional: bool) -> list[int]:
        header = wt_header(self.session, unidirectional)
        kind = 3 if unidirectional else 1
        return [
            number for number, stream in sorted(self.peer.streams.items())
            if number % 4 == kind and number not in self._taken
            and stream.is_finished and stream.data.startswith(header)
        ]

    def take(self, unidirectional: bool, count: int = 1) -> list[int]:
        """The streams of the server's that have come whole since the last call: so many, where none is missing."""
        self.peer.until(lambda: self.is_over or len(self._arrived(unidirectional)) >= count, timeout=3)
        streams = self._arrived(unidirectional)
        self._taken.update(streams)
        return streams

    def baton_on(self, stream: int) -> int | str:
        """The baton of a stream that the server has ended; on one of the client's there is no header before it."""
        state = self.peer.streams[stream]
        self.peer.until(lambda: self.peer.closed or state.aborted or state.is_finished, timeout=3)
        if not state.is_finished:
            return str(self.peer.closed or state.aborted or f"{self.peer.silence} after {state.data[:20].hex()!r}")
        header = wt_header(self.session, stream % 4 == 3) if stream % 2 else b""
        return baton_of(state.data.removeprefix(header))

    def next_baton(self, unidirectional: bool) -> tuple[int, int | str]:
        """The server's next stream of a kind, and the baton on it."""
        streams = self.take(unidirectional)
        return (streams[0], self.baton_on(streams[0])) if streams else (-1, str(self.peer.closed or self.peer.silence))

    def open(self, data: bytes, unidirectional: bool = False, end: bool = True) -> int:
        return self.peer.wt_stream(self.session, data, end, unidirectional)

    def pass_on(self, arrival: int, data: bytes, end: bool = True) -> int:
        """Sends where § 4.2 wants the reply to what has come on a stream."""
        if arrival % 4 == SERVERS_BIDIRECTIONAL:
            self.peer.send(arrival, data, end)
            return arrival
        return self.open(data, unidirectional=arrival % 4 == CLIENTS_BIDIRECTIONAL, end=end)

    def reply(self, sent: int) -> tuple[int, int | str]:
        """What comes where § 4.2 wants the server's reply to what was sent on a stream."""
        if sent % 4 == CLIENTS_BIDIRECTIONAL:
            return sent, self.baton_on(sent)
        return self.next_baton(unidirectional=sent % 4 == SERVERS_BIDIRECTIONAL)

    def until_it_is_to_go_on(self, kind: int, arrival: int | None = None) -> tuple[int, int]:
        """Plays a baton, else the only one, until its next message goes on this kind of stream: where it has come."""
        arrival = self.take(unidirectional=True)[0] if arrival is None else arrival
        baton = self.baton_on(arrival)
        while REPLIES[arrival % 4] != kind:
            arrival, baton = self.step(arrival, baton)
        return arrival, baton

    def step(self, arrival: int, baton: int) -> tuple[int, int]:
        stream = self.pass_on(arrival, message(baton + 1))
        arrival, came = self.reply(stream)
        expect(f"{DRAFT} § 4.2", f"{baton + 1} on {KINDS[stream % 4]}", baton + 2, came)
        return arrival, came

    def play_home(self, arrival: int, baton: int) -> None:
        """From an odd number on, so that the server gets 0."""
        while baton != 255:
            arrival, baton = self.step(arrival, baton)
        self.pass_on(arrival, message(0))

    def datagrams(self) -> list[bytes]:
        """The session's, without the quarter stream ID."""
        header = http_datagram(self.session)
        return [datagram.removeprefix(header) for datagram in self.peer.datagrams if datagram.startswith(header)]

    def end(self) -> str:
        """How the server has ended the session."""
        state = self.peer.streams[self.session]
        # The draft sets no time, and so the server may wait for what it lacks.
        self.peer.until(lambda: self.is_over, timeout=2 * TIMEOUT)
        if not state.is_finished:
            return str(self.peer.closed or state.aborted or STAYS_OPEN)
        codes = [int.from_bytes(payload[:4], "big") for kind, payload in self.peer.capsules(self.session)
                 if kind == WT_CLOSE_SESSION]
        return SESSION_ERRORS.get(codes[0], f"WT_CLOSE_SESSION with {codes[0]}") if codes else NO_ERROR

    def is_open(self) -> bool:
        """Whether the session is open after the server has all that was sent."""
        self.peer.settle()
        return not self.is_over

    def surplus(self) -> list[int]:
        """Streams of the server's that nothing has asked for."""
        return self._arrived(unidirectional=True) + self._arrived(unidirectional=False)
