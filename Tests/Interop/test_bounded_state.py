"""What one connection may make the server keep [38]: it is bounded, and another client does not notice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count, islice

import pytest
from aioquic.quic.connection import QuicConnectionId

from abuse import BOUND, PATIENCE, Step, await_metric, exceeded, flood, packets, settle_now_and_then, stream_frame
from raw_http3 import (
    DATA, HEADERS, HTTP3Peer, close_capsule, field_section, frame, get, headers, http_datagram, table_capacity, without,
    wt_header,
)
from raw_quic import random_id, varint
from rules import GOES_ON, expect, http3_error, quic_error
from server import Server

PING, NEW_CONNECTION_ID, PATH_CHALLENGE, DATAGRAM = 0x01, 0x18, 0x1A, 0x31
DROPPED = 'apus_webtransport_datagrams_dropped_total{direction="received"}'


def test_path_challenges_are_not_all_answered(own_server: Server) -> None:
    """RFC 9000 § 8.2.2 demands one response each, § 21.9 lets an endpoint discard: a burst gets fewer packets than it
    has."""
    with HTTP3Peer(own_server) as peer:
        packets(peer, lambda: varint(PATH_CHALLENGE) + random_id(), number=2000)()
        peer.settle()
        print(len(peer.quic.path_responses), "responses")
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
        assert await_metric(own_server, exceeded("memory"), bool) == 1
    else:
        # The newer generation of ngtcp2 has a limit of its own for one stream, which is reached first.
        assert outcome.closed in (http3_error("H3_EXCESSIVE_LOAD"), quic_error("PROTOCOL_VIOLATION"))
    # 64 MiB by the server's own count, and the connection itself.
    assert outcome.growth < 64 * 1024 + BOUND


@pytest.mark.parametrize("begin", [lambda peer: peer.session("/test/export"), lambda _: 1 << 10],
                         ids=["that nobody takes", "of no session"])
def test_streams_whose_bytes_come_one_by_one_in_turn(own_server: Server, begin: Callable[[HTTP3Peer], int]) -> None:
    """RFC 9000 § 21.5: flow control counts bytes, and each of them must not cost much more than that."""
    with HTTP3Peer(own_server) as peer:
        header = wt_header(begin(peer), True)
        streams = [peer.new_stream(unidirectional=True) for _ in range(8)]
        for stream in streams:
            peer.send_frames(stream_frame(stream, header, 0))
        offsets = count(len(header))

        def payload() -> bytes:
            return b"".join(stream_frame(stream, b"x", offset) for offset in islice(offsets, 16) for stream in streams)

        outcome = flood(own_server, peer, packets(peer, payload, 250), steps=16)
        assert outcome.closed is None
        # Half a megabyte of data.
        assert outcome.growth < BOUND


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
    assert outcome.closed == quic_error("CONNECTION_ID_LIMIT_ERROR")
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
    peer.send(peer.encoder, table_capacity(4096) + b"\x45x-big" + length + value)
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
        expect("RFC 9000 § 4.6", "streams that are given up", GOES_ON, peer.http_outcome())
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


@pytest.mark.parametrize("begin", [unread, ended, lambda _: 1 << 10], ids=["unread", "of an ended session", "of no session"])
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
