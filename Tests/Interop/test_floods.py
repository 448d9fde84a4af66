"""Floods of one connection [38] (RFC 9000 § 21.9; RFC 9114 § 10.5): each ends with H3_EXCESSIVE_LOAD, is counted, costs the
server little, and harms nobody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count, islice

import pytest
from aioquic.quic.connection import QuicConnectionId

from abuse import PATIENCE, await_metric, exceeded, flood
from raw_http3 import (
    DATA, HEADERS, PRIORITY_UPDATE, SETTINGS, WT_DRAIN_SESSION, HTTP3Peer, capsule, close_capsule, connect, field_section, frame, get,
    headers, http_datagram, without, wt_header,
)
from raw_quic import random_id, varint
from rules import http3_error, quic_error
from server import Server, resident

PING, RESET_STREAM, STOP_SENDING, STREAM, NEW_CONNECTION_ID, PATH_CHALLENGE = 0x01, 0x04, 0x05, 0x0A, 0x18, 0x1A
REQUEST_CANCELLED = varint(0x10C)
RESERVED = 0x21
DATAGRAM = 0x31
DROPPED = 'apus_webtransport_datagrams_dropped_total{direction="received"}'
# In kB. What the flooder's connection may cost, and what an allocator keeps of it; a debug build's.
BOUND = 4_000
# Floods of the same kind in a row, and what they may leave behind from the second to the last.
ROUNDS = 4
REPEATED = 3_000

Step = Callable[[], object]


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


def await_places(peer: HTTP3Peer, unidirectional: bool, count: int) -> None:
    """Waits until the server allows that many streams more."""
    quic = peer.quic

    def are_free() -> bool:
        allowed = quic._remote_max_streams_uni if unidirectional else quic._remote_max_streams_bidi
        return peer.closed is not None or quic.get_next_available_stream_id(unidirectional) // 4 + count <= allowed

    assert peer.until(are_free, timeout=PATIENCE), "the server allows no further streams"


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
CAPACITY = b"\x3f" + bytes([4096 - 31 & 127 | 128, 4096 - 31 >> 7])


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


def test_path_challenges_are_not_all_answered(own_server: Server) -> None:
    """RFC 9000 § 8.2.2 demands one response each, § 21.9 lets an endpoint discard: a burst gets fewer packets than it has."""
    with HTTP3Peer(own_server) as peer:
        packets(peer, lambda: varint(PATH_CHALLENGE) + random_id(), number=2000)()
        peer.settle()
        assert 0 < len(peer.quic.path_responses) < 2000


def holes(peer: HTTP3Peer, each: int) -> Step:
    """Every second byte of streams, so many on each and a hundred and forty in a packet; their first bytes never come."""
    session = peer.session()
    first = len(wt_header(session))

    def places() -> Iterator[tuple[int, int]]:
        for _ in range(1000):
            stream = peer.new_stream()
            yield from ((stream, first + 2 * number) for number in range(each))

    remaining = places()

    def payload() -> bytes:
        # At the end only PING is left.
        frames = (stream_frame(stream, b"x", offset) for stream, offset in islice(remaining, 140))
        return b"".join(frames) or varint(PING)

    return packets(peer, payload, 250)


@pytest.mark.parametrize("each", [100_000, 900], ids=["on one stream", "on a thousand streams"])
def test_data_with_holes_is_bounded(own_server: Server, each: int) -> None:
    """RFC 9000 § 2.2, § 21.5: a byte here and a byte there costs a receiver many times what flow control counts. The
    library ends it for one stream, we for all."""
    with HTTP3Peer(own_server) as peer:
        outcome = flood(own_server, peer, holes(peer, each), steps=120)
    if each == 900:
        assert outcome.closed == http3_error("H3_EXCESSIVE_LOAD")
        assert await_metric(own_server, exceeded("library_memory"), bool) == 1
    else:
        # The newer generation of ngtcp2 has a limit of its own for one stream, which is reached first.
        assert outcome.closed in (http3_error("H3_EXCESSIVE_LOAD"), quic_error("PROTOCOL_VIOLATION"))
    # 64 MiB by the server's own count, and the connection itself.
    assert outcome.growth < 64 * 1024 + BOUND


def test_connection_ids_that_replace_each_other(own_server: Server) -> None:
    """RFC 9000 § 5.1.2, § 19.15: NEW_CONNECTION_ID that retires all before it, for each of which RETIRE_CONNECTION_ID is
    due."""
    with HTTP3Peer(own_server) as peer:
        numbers = count(8)

        def new_id() -> bytes:
            number, identifier = next(numbers), random_id()
            # The server is to use it, and aioquic to know it.
            peer.quic._host_cids.append(QuicConnectionId(cid=identifier, sequence_number=number))
            return varint(NEW_CONNECTION_ID) + varint(number) + varint(number) + b"\x08" + identifier + bytes(16)

        outcome = flood(own_server, peer, packets(peer, new_id, 200), steps=200)
    assert outcome.closed is not None
    assert outcome.growth < BOUND


def test_connection_ids_that_are_retired_at_once(own_server: Server) -> None:
    """RFC 9000 § 5.1.2, § 19.16: for each retired ID another is issued; the routes of the old ones go."""
    with HTTP3Peer(own_server) as peer:

        def step() -> None:
            for _ in range(50):
                peer.quic.change_connection_id()
                peer.settle()

        outcome = flood(own_server, peer, step, steps=10)
    assert outcome.closed is None
    assert outcome.growth < 1000


def dynamic_fields(peer: HTTP3Peer) -> Step:
    """A field of 3.9 kB in QPACK's dynamic table, and requests that are little more than sixteen references to it."""
    value = bytes(b"a" * 3900)
    # Insert With Literal Name (RFC 9204 § 4.3.3).
    length = b"\x7f" + bytes([3900 - 127 & 127 | 128, 3900 - 127 >> 7])
    peer.send(peer.encoder, CAPACITY + b"\x45x-big" + length + value)
    peer.settle()
    # Required Insert Count 1, Base 1; the section says to be longer than what ever comes of it.
    beginning = b"\x02\x00" + field_section(without(get(), ":path"))[2:] + b"\x80" * 16

    def step() -> None:
        for _ in range(50):
            data = varint(HEADERS) + varint(60_000) + beginning
            peer.quic.send_stream_data(peer.new_stream(), data, False)
        peer.transmit()

    return step


def test_header_sections_without_end_are_bounded(own_server: Server) -> None:
    """RFC 9204 § 7.3.2: a hundred bytes of references stand for 64 kB, and a thousand requests may be open."""
    with HTTP3Peer(own_server) as peer:
        outcome = flood(own_server, peer, dynamic_fields(peer), steps=20)
    assert outcome.closed == http3_error("H3_EXCESSIVE_LOAD")
    # 4 MiB by the server's own count, and the connection itself.
    assert outcome.growth < 4 * 1024 + BOUND
    assert await_metric(own_server, exceeded("field_sections"), bool) == 1


@pytest.mark.parametrize("unidirectional", [False, True], ids=["half a header", "half a session ID"])
def test_as_many_streams_as_are_allowed_and_nothing_on_them(own_server: Server, unidirectional: bool) -> None:
    """RFC 9000 § 4.6: the limit of streams is what bounds them; who waits at it may go on when some have ended."""
    with HTTP3Peer(own_server) as peer:
        beginning = wt_header(1 << 40, True)[:3] if unidirectional else headers(get())[:10]
        opened = []

        def step() -> None:
            for _ in range(250):
                opened.append(peer.new_stream(unidirectional))
                peer.quic.send_stream_data(opened[-1], beginning)
            peer.transmit()

        outcome = flood(own_server, peer, step, steps=4)
        assert outcome.closed is None
        assert outcome.growth < BOUND
        # Given up, they make room for others.
        for stream in opened[:500]:
            peer.quic.reset_stream(stream, 0x10C)
        peer.transmit()
        assert peer.http_outcome() == "the connection goes on"
        assert peer.until(
            lambda: (peer.quic._remote_max_streams_uni if unidirectional else peer.quic._remote_max_streams_bidi) > 1200,
            timeout=PATIENCE,
        )


def unread(peer: HTTP3Peer) -> int:
    """A session whose application never takes a datagram."""
    return peer.session("/test/export")


def ended(peer: HTTP3Peer) -> int:
    session = peer.session()
    peer.send(session, frame(DATA, close_capsule(0)), end=True)
    assert peer.until(lambda: peer.streams[session].is_finished)
    return session


@pytest.mark.parametrize("begin", [unread, ended, lambda _: 1 << 20], ids=["unread", "of an ended session", "of no session"])
def test_datagrams_that_nobody_takes(own_server: Server, begin: Callable[[HTTP3Peer], int]) -> None:
    """RFC 9297 § 2.1, draft-ietf-webtrans-http3 § 4.5 [27, 28, 38]: they are no offence, the network may have delayed them;
    the oldest give way, and are counted."""
    with HTTP3Peer(own_server) as peer:
        datagram = http_datagram(begin(peer), bytes(1000))

        def step() -> None:
            for sent in range(1000):
                peer.send_frames(varint(DATAGRAM) + varint(len(datagram)) + datagram)
                settle_now_and_then(peer, sent)

        outcome = flood(own_server, peer, step, steps=10)
        assert outcome.closed is None
        assert outcome.growth < BOUND
        # Some hundreds wait; what the kernel dropped is not counted.
        assert await_metric(own_server, DROPPED, lambda count: count > 5000)
