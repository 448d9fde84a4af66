"""Floods of one connection [38] (RFC 9000 § 21.9; RFC 9114 § 10.5): each ends with H3_EXCESSIVE_LOAD, is counted, costs
the server little, and harms nobody else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from abuse import (
    BOUND, Step, await_metric, await_places, exceeded, flood, packets, settle_now_and_then, stream_frame,
)
from raw_http3 import (
    DATA, PRIORITY_UPDATE, SETTINGS, WT_DRAIN_SESSION, HTTP3Peer, capsule, connect, frame, get, headers, table_capacity,
    wt_header,
)
from raw_quic import random_id, varint
from rules import http3_error
from server import Server, resident

PING, RESET_STREAM, STOP_SENDING, PATH_CHALLENGE = 0x01, 0x04, 0x05, 0x1A
REQUEST_CANCELLED = varint(0x10C)
RESERVED = 0x21
# Floods of the same kind in a row, and what they may leave behind from the second to the last.
ROUNDS = 4
REPEATED = 3_000


def pings(peer: HTTP3Peer) -> Step:
    return packets(peer, lambda: varint(PING))


def path_challenges(peer: HTTP3Peer) -> Step:
    return packets(peer, lambda: varint(PATH_CHALLENGE) + random_id())


def old_acknowledgements(peer: HTTP3Peer) -> Step:
    """Packet 0 is acknowledged again and again."""
    return packets(peer, lambda: b"\x02\x00\x00\x00\x00")


def old_data(peer: HTTP3Peer) -> Step:
    """The first byte of the control stream, once more."""
    return packets(peer, lambda: stream_frame(peer.control, b"\x00", 0))


def limits_that_do_not_grow(peer: HTTP3Peer) -> Step:
    """MAX_DATA and MAX_STREAMS of less than was allowed (RFC 9000 § 19.9: ignored)."""
    return packets(peer, lambda: b"\x10\x01" + b"\x12\x01")


def abandoned(payload: Callable[[HTTP3Peer, int], bytes], unidirectional: bool = False) -> Callable[[HTTP3Peer], Step]:
    """Streams that are opened and given up in one packet, each, as many as are allowed."""

    def start(peer: HTTP3Peer) -> Step:
        session = peer.session()

        def step() -> None:
            await_places(peer, unidirectional, 500)
            for sent in range(500):
                if peer.closed is not None:
                    break
                stream = peer.new_stream(unidirectional)
                data = payload(peer, session)
                reset = varint(RESET_STREAM) + varint(stream) + REQUEST_CANCELLED + varint(len(data))
                stop = b"" if unidirectional else varint(STOP_SENDING) + varint(stream) + REQUEST_CANCELLED
                peer.send_frames((stream_frame(stream, data) if data else b"") + reset + stop)
                settle_now_and_then(peer, sent)

        return step

    return start


def rejected_streams(peer: HTTP3Peer) -> Step:
    """Streams of a session that does not exist."""

    def step() -> None:
        await_places(peer, True, 400)
        for _ in range(400):
            peer.quic.send_stream_data(peer.new_stream(True), wt_header(1 << 20, unidirectional=True), True)
        peer.transmit()

    return step


def typed_streams(data: bytes) -> Callable[[HTTP3Peer], Step]:
    """Unidirectional streams that hold this and end."""

    def start(peer: HTTP3Peer) -> Step:

        def step() -> None:
            await_places(peer, True, 400)
            for _ in range(400):
                peer.quic.send_stream_data(peer.new_stream(True), data, True)
            peer.transmit()

        return step

    return start


# Set Dynamic Table Capacity (RFC 9204 § 4.3.1) 4096.
CAPACITY = table_capacity(4096)


def compression(instructions: bytes) -> Callable[[HTTP3Peer], Step]:
    """The same instructions on the encoder stream, again and again (RFC 9204 § 4.3)."""
    return lambda peer: lambda: peer.send(peer.encoder, instructions * (60_000 // len(instructions)))


def on_session(data: bytes) -> Callable[[HTTP3Peer], Step]:
    """The same bytes on a session's CONNECT stream, four thousand times each step."""

    def start(peer: HTTP3Peer) -> Step:
        session = peer.session()
        return lambda: peer.send(session, data * 4000)

    return start


def on_control(data: bytes) -> Callable[[HTTP3Peer], Step]:
    return lambda peer: lambda: peer.send(peer.control, data * 4000)


def on_request(data: bytes) -> Callable[[HTTP3Peer], Step]:
    def start(peer: HTTP3Peer) -> Step:
        request = peer.request(headers(get()), end=False)
        return lambda: peer.send(request, data * 4000)

    return start


def byte_by_byte(data: bytes) -> bytes:
    return b"".join(frame(DATA, bytes([byte])) for byte in data)


FLOODS: dict[str, tuple[str, Callable[[HTTP3Peer], Step]]] = {
    "PING": ("idle_packets", pings),
    "PATH_CHALLENGE": ("idle_packets", path_challenges),
    "acknowledgements of the same packet": ("idle_packets", old_acknowledgements),
    "data that was delivered before": ("idle_packets", old_data),
    "limits that do not grow": ("idle_packets", limits_that_do_not_grow),
    "rapid reset of half a request": ("abandoned_streams", abandoned(lambda *_: headers(get())[:20])),
    "rapid reset of a request": ("abandoned_streams", abandoned(lambda *_: headers(get()))),
    "rapid reset of a CONNECT": ("abandoned_streams", abandoned(lambda *_: headers(connect()))),
    "rapid reset of bidirectional streams": (
        "abandoned_streams", abandoned(lambda _, session: wt_header(session) + b"x"),
    ),
    "rapid reset of unidirectional streams": (
        "abandoned_streams", abandoned(lambda _, session: wt_header(session, True) + b"x", unidirectional=True),
    ),
    "rapid reset of streams without data": ("abandoned_streams", abandoned(lambda *_: b"")),
    "streams of no session": ("stray_streams", rejected_streams),
    "streams of an unknown type": ("stray_streams", typed_streams(varint(RESERVED) + b"x")),
    "streams that end before their type": ("stray_streams", typed_streams(b"\x40")),
    "QPACK: the capacity of the table": ("compression", compression(b"\x20" + CAPACITY)),
    "QPACK: entries and duplicates of them": ("compression", compression(CAPACITY + b"\x41x\x01y" + b"\x00" * 30)),
    "QPACK: cancelled streams": ("compression", lambda peer: lambda: peer.send(peer.decoder, b"\x40" * 60_000)),
    "unknown capsules": ("capsules", on_session(frame(DATA, capsule(0x29)))),
    "unknown capsules, many in a frame": ("capsules", on_session(frame(DATA, capsule(0x29, b"x") * 10))),
    "unknown capsules, one byte in a frame": ("capsules", on_session(byte_by_byte(capsule(0x29)))),
    "WT_DRAIN_SESSION": ("capsules", on_session(frame(DATA, capsule(WT_DRAIN_SESSION)))),
    "empty DATA on a session": ("empty_frames", on_session(frame(DATA))),
    "empty DATA on a request": ("empty_frames", on_request(frame(DATA))),
    "reserved frames on a request": ("empty_frames", on_request(frame(RESERVED, b"x"))),
    "reserved frames on the control stream": ("empty_frames", on_control(frame(RESERVED))),
    "PRIORITY_UPDATE": ("empty_frames", on_control(frame(PRIORITY_UPDATE, varint(0) + b"u=1"))),
}


@pytest.mark.parametrize("limit, start", FLOODS.values(), ids=FLOODS)
def test_a_flood_ends_the_connection(own_server: Server, limit: str, start: Callable[[HTTP3Peer], Step]) -> None:
    levels = []
    for _ in range(ROUNDS):
        with HTTP3Peer(own_server) as peer:
            outcome = flood(own_server, peer, start(peer), steps=120)
        assert outcome.closed == http3_error("H3_EXCESSIVE_LOAD")
        assert outcome.growth < BOUND
        levels.append(resident(own_server))
    print(f"{levels[-1] - levels[1]} kB from the second to the last")
    assert levels[-1] - levels[1] < REPEATED
    assert await_metric(own_server, exceeded(limit), lambda count: count >= ROUNDS) == ROUNDS


def settings_without_end(peer: HTTP3Peer) -> Step:
    """A SETTINGS frame that says to be a megabyte long."""
    peer.open_control(varint(SETTINGS) + varint(1 << 20))
    # Settings that nobody knows (RFC 9114 § 7.2.4.1), each with the value 0.
    return lambda: peer.send(peer.control, varint(0x21) + b"\x00" * 1000)


def connects_without_settings(peer: HTTP3Peer) -> Step:
    return lambda: peer.request(headers(connect()), end=False)


def capsules_without_settings(peer: HTTP3Peer) -> Step:
    stream = peer.request(headers(connect()), end=False)
    return lambda: peer.send(stream, frame(DATA, capsule(RESERVED, bytes(4000))))


EARLY: dict[str, tuple[str, Callable[[HTTP3Peer], Step]]] = {
    "SETTINGS": ("settings", settings_without_end),
    "CONNECTs without SETTINGS": ("held_requests", connects_without_settings),
    "capsules without SETTINGS": ("held_requests", capsules_without_settings),
}


@pytest.mark.parametrize("limit, start", EARLY.values(), ids=EARLY)
def test_what_comes_before_sessions_may_begin(
    own_server: Server, limit: str, start: Callable[[HTTP3Peer], Step],
) -> None:
    """RFC 9114 § 10.5 [38]: those who never finish saying SETTINGS may not pile up what must wait for them."""
    with HTTP3Peer(own_server, settings=None) as peer:
        outcome = flood(own_server, peer, start(peer), steps=120)
    assert outcome.closed == http3_error("H3_EXCESSIVE_LOAD")
    # A few kilobytes are kept, and the connection itself.
    assert outcome.growth < 4_000
    assert await_metric(own_server, exceeded(limit), bool) == 1
