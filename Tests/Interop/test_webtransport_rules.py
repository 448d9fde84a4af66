"""Streams, datagrams and capsules of WebTransport sessions, and what a peer may not make of them.

The checklist's numbers stand in brackets; NOT-APPLICABLE.md has those that are not here.
"""

from __future__ import annotations

import pytest

from raw_http3 import (
    DATA, SESSION_GOES_ON, WT_STREAM, WT_UNIDIRECTIONAL, HTTP3Peer, capsule, close_capsule, connect, frame, get,
    headers, http_datagram, wt_header,
)
from raw_quic import TIMEOUT, Peer, long_varint, varint
from rules import GOES_ON, expect, http3_error, rules, stream_error
from server import Memory, Server

DRAFT = "draft-ietf-webtrans-http3"
SESSION_GONE = stream_error("WT_SESSION_GONE")
BUFFERED_STREAM_REJECTED = stream_error("WT_BUFFERED_STREAM_REJECTED")
WT_APPLICATION_ERROR = 0x52E4A40FA8DB


# Streams


@pytest.mark.parametrize("encode", [varint, long_varint], ids=["shortest", "longest"])
@pytest.mark.parametrize("kind", ["bidirectional", "unidirectional"])
def test_a_stream_header_may_come_byte_by_byte(server: Server, kind: str, encode: object) -> None:
    """draft-ietf-webtrans-http3 § 4.2, § 4.3 [13]; RFC 9000 § 16: in any encoding"""
    unidirectional = kind == "unidirectional"
    with HTTP3Peer(server) as peer:
        session = peer.session()
        stream = peer.new_stream(unidirectional)
        header = encode(WT_UNIDIRECTIONAL if unidirectional else WT_STREAM) + encode(session)
        for byte in header + b"body":
            peer.send(stream, bytes([byte]))
            # Else the server might read several at once.
            peer.settle()
        peer.send(stream, end=True)
        answer = peer.echo_of(stream, session)
        expect(f"{DRAFT} § 4", f"a {kind} stream's header, each byte in a packet of its own", b"body", answer)


@pytest.mark.parametrize("kind", ["bidirectional", "unidirectional"])
@pytest.mark.parametrize("identifier", [1, 2, 3, (1 << 62) - 1])
def test_a_session_id_that_cannot_be_one_closes_the_connection(server: Server, identifier: int, kind: str) -> None:
    """draft-ietf-webtrans-http3 § 4 [15]"""
    with HTTP3Peer(server) as peer:
        peer.session()
        peer.wt_stream(identifier, b"x", unidirectional=kind == "unidirectional")
        sent = f"a {kind} stream of session {identifier}"
        expect(f"{DRAFT} § 4", sent, http3_error("H3_ID_ERROR"), peer.http_outcome())


@pytest.mark.parametrize("kind", ["bidirectional", "unidirectional"])
def test_an_empty_stream_is_a_stream(server: Server, kind: str) -> None:
    """draft-ietf-webtrans-http3 § 4.2, § 4.3 [18]"""
    with HTTP3Peer(server) as peer:
        session = peer.session()
        stream = peer.wt_stream(session, end=True, unidirectional=kind == "unidirectional")
        expect(f"{DRAFT} § 4", f"an empty {kind} stream", b"", peer.echo_of(stream, session))
        expect(f"{DRAFT} § 4", f"an empty {kind} stream", SESSION_GOES_ON, peer.session_outcome(session))


def test_streams_before_their_session_are_held_within_bounds(server: Server) -> None:
    """draft-ietf-webtrans-http3 § 4.6 [17]: the first 24 streams are held and delivered, further ones rejected; of
    datagrams the last 24 are kept"""
    with HTTP3Peer(server) as peer:
        session = peer.new_stream()
        streams = [peer.wt_stream(session, b"early %d" % number, end=True) for number in range(30)]
        one_way = peer.wt_stream(session, b"early, one way", unidirectional=True)
        for number in range(30):
            peer.send_datagram(http_datagram(session, b"early %d" % number))
        peer.settle()
        held, further = streams[:24], [*streams[24:], one_way]
        peer.until(lambda: peer.closed or all(peer.streams[stream].aborted for stream in further), timeout=3)
        outcomes = {peer.stream_outcome(stream) for stream in further}
        expect(f"{DRAFT} § 4.6", "31 streams of a session that is not there yet", {BUFFERED_STREAM_REJECTED}, outcomes)
        rejected = [stream for stream in [*streams, one_way] if peer.streams[stream].aborted]
        expect(f"{DRAFT} § 4.6", "31 streams of a session that is not there yet", further, rejected)
        peer.send(session, headers(connect()))
        expect(f"{DRAFT} § 4.6", "then CONNECT", 200, peer.answer(session))
        peer.until(lambda: all(peer.streams[stream].is_finished for stream in held))
        expect(f"{DRAFT} § 4.6", "then CONNECT", [b"early %d" % streams.index(stream) for stream in held],
               [peer.streams[stream].data for stream in held])
        expect(f"{DRAFT} § 4.6", "then CONNECT", SESSION_GOES_ON, peer.session_outcome(session))
        early = [datagram for datagram in peer.datagrams if b"early" in datagram]
        expect(f"{DRAFT} § 4.6", "30 datagrams of a session that is not there yet",
               [http_datagram(session, b"early %d" % number) for number in range(6, 30)], early)


def test_early_streams_of_a_refused_session_are_aborted(server: Server) -> None:
    """draft-ietf-webtrans-http3 § 4.6, § 6 [17]"""
    with HTTP3Peer(server) as peer:
        session = peer.new_stream()
        stream = peer.wt_stream(session, b"early")
        peer.settle()
        peer.send(session, headers(connect("/nothing")))
        expect(f"{DRAFT} § 6", "CONNECT for what is not there", 404, peer.answer(session))
        expect(f"{DRAFT} § 6", "a stream, then a CONNECT that is refused", SESSION_GONE, peer.stream_outcome(stream))
        late = peer.wt_stream(session, b"late")
        expect(f"{DRAFT} § 6", "a stream of a refused session", SESSION_GONE, peer.stream_outcome(late))


def test_early_streams_of_a_malformed_request_are_aborted(server: Server) -> None:
    """draft-ietf-webtrans-http3 § 4.6, RFC 9114 § 4.1.2 [5, 17]: there will be no session"""
    with HTTP3Peer(server) as peer:
        session = peer.new_stream()
        stream = peer.wt_stream(session, b"early")
        peer.settle()
        peer.send(session, headers([*connect(), (":path", "/twice")]))
        expect("RFC 9114 § 4.3", "CONNECT with :path twice", stream_error("H3_MESSAGE_ERROR"), peer.answer(session))
        expect(f"{DRAFT} § 4.6", "a stream, then a malformed CONNECT", SESSION_GONE, peer.stream_outcome(stream))
        late = peer.wt_stream(session, b"late")
        expect(f"{DRAFT} § 4.6", "a stream of a malformed request", SESSION_GONE, peer.stream_outcome(late))


def test_streams_of_a_request_that_is_none_for_a_session_are_aborted(server: Server) -> None:
    """draft-ietf-webtrans-http3 § 4.6 [17]: they do not take the room of others until the connection ends"""
    with HTTP3Peer(server) as peer:
        request = peer.new_stream()
        stream = peer.wt_stream(request, b"early")
        peer.settle()
        peer.send(request, headers(get()), end=True)
        expect(f"{DRAFT} § 4.6", "GET", 200, peer.answer(request))
        expect(f"{DRAFT} § 4.6", "a stream, then GET", SESSION_GONE, peer.stream_outcome(stream))


def test_the_servers_streams_name_their_session(server: Server) -> None:
    """draft-ietf-webtrans-http3 § 4.2, § 4.3 [14]: many more than the 128 that the client allows at first"""
    count = 1000
    with HTTP3Peer(server) as peer:
        session = peer.session(f"/test/streams?count={count}")

        def bodies(unidirectional: bool) -> list[bytes]:
            header = wt_header(session, unidirectional)
            kind = 3 if unidirectional else 1
            return [
                stream.data.removeprefix(header) for number, stream in sorted(peer.streams.items())
                if number % 4 == kind and stream.is_finished and stream.data.startswith(header)
            ]

        peer.until(lambda: peer.closed or len(bodies(True)) == len(bodies(False)) == count)
        expected = [b"stream %d" % number for number in range(count)]
        expect(f"{DRAFT} § 4.3", f"CONNECT for {count} streams", expected, bodies(False))
        expect(f"{DRAFT} § 4.2", f"CONNECT for {count} streams", expected, bodies(True))


@pytest.mark.parametrize("code", [WT_APPLICATION_ERROR + 7, 0x1234, 0])
def test_a_stopped_stream_is_reset_with_the_same_code(server: Server, code: int) -> None:
    """RFC 9000 § 3.5 [22]"""
    with HTTP3Peer(server) as peer:
        session = peer.session("/source?bytes=1000000000")
        header = wt_header(session, unidirectional=True)
        peer.until(lambda: any(stream.data.startswith(header) for stream in peer.streams.values()))
        (number,) = (number for number, stream in peer.streams.items() if stream.data.startswith(header))
        peer.quic.stop_stream(number, code)
        peer.until(lambda: peer.closed or peer.streams[number].reset is not None, timeout=3)
        expect("RFC 9000 § 3.5", f"STOP_SENDING with {code:#x}", code, peer.streams[number].reset)
        # /source waits for the session's end, which a stopped stream is not.
        expect(f"{DRAFT} § 4.4", f"STOP_SENDING with {code:#x}", GOES_ON, peer.http_outcome())


@pytest.mark.parametrize("code", [WT_APPLICATION_ERROR + 30, 0x1234, 0, 0x170D7B68, 0x3994BD84])
def test_codes_that_are_no_applications_end_only_their_stream(server: Server, code: int) -> None:
    """draft-ietf-webtrans-http3 § 4.4 [21]: outside of the range, reserved (31 n + 0x21), or the transport's own"""
    with HTTP3Peer(server) as peer:
        session = peer.session()
        stream = peer.wt_stream(session, b"x")
        peer.until(lambda: peer.streams[stream].data)
        peer.quic.reset_stream(stream, code)
        peer.quic.stop_stream(stream, code)
        expect(f"{DRAFT} § 4.4", f"RESET_STREAM and STOP_SENDING with {code:#x}", SESSION_GOES_ON,
               peer.session_outcome(session))


@pytest.mark.parametrize("unidirectional", [False, True])
def test_a_stream_that_begins_with_its_reset_gives_its_place_to_one_other(
    server: Server, unidirectional: bool
) -> None:
    """RFC 9000 § 3.2, § 4.6 [23]: nothing else comes of it; its place comes back, and no second one with it"""
    with HTTP3Peer(server) as peer:
        peer.session()
        quic = peer.quic

        def left() -> int:
            allowed = quic._remote_max_streams_uni if unidirectional else quic._remote_max_streams_bidi
            return allowed - quic.get_next_available_stream_id(unidirectional) // 4

        before = left()
        for _ in range(200):
            quic.reset_stream(peer.new_stream(unidirectional), 7)
        peer.until(lambda: peer.closed or left() >= before)
        expect("RFC 9000 § 4.6", "RESET_STREAM for 200 streams of which nothing was sent", before, left())
        expect("RFC 9000 § 4.6", "and a request", GOES_ON, peer.http_outcome())
        expect("RFC 9000 § 4.6", "and a request", before - (not unidirectional), left())


@pytest.mark.parametrize("unidirectional", [False, True], ids=["bidirectional", "unidirectional"])
def test_places_for_streams_come_back_and_memory_does_not_grow(own_server: Server, unidirectional: bool) -> None:
    """RFC 9000 § 4.6 [23, 24]: four times as many streams as are allowed at once"""
    with HTTP3Peer(own_server) as peer:
        session = peer.session("/sink")

        def open_streams(count: int) -> None:
            numbers = [peer.new_stream(unidirectional) for _ in range(count)]
            for number in numbers:
                peer.quic.send_stream_data(number, wt_header(session, unidirectional) + b"x", end_stream=True)
            streams = [peer.quic._streams[number] for number in numbers]
            # A unidirectional one has an answer on a stream of the server's.
            done = peer.until(lambda: peer.closed or all(
                stream.sender.is_finished and (unidirectional or stream.receiver.is_finished) for stream in streams
            ))
            expect("RFC 9000 § 4.6", f"{count} streams", True, done and peer.closed is None)

        for _ in range(4):
            open_streams(250)
        memory = Memory(own_server)
        for _ in range(12):
            open_streams(250)
        growth = memory.growth
        # A unidirectional one costs some hundred bytes with the older library (NOT-APPLICABLE.md).
        bound = 2048 if unidirectional else 1024
        assert growth < bound, f"3,000 streams that have ended cost {growth} kB"


# Datagrams


DATAGRAMS = [
    ("RFC 9297 § 2.1 (too large)", "a quarter stream ID of 2^60", varint(1 << 60) + b"x"),
    ("RFC 9297 § 2.1 (largest)", "a quarter stream ID of 2^62 - 1", varint((1 << 62) - 1)),
    ("RFC 9297 § 2.1 (empty)", "a DATAGRAM frame without a payload", b""),
    ("RFC 9297 § 2.1 (cut)", "a quarter stream ID that is cut", b"\xc0\x00\x00"),
]


@pytest.mark.parametrize("rule, sent, datagram", rules(DATAGRAMS))
def test_a_malformed_datagram_closes_the_connection(server: Server, rule: str, sent: str, datagram: bytes) -> None:
    """[25]"""
    with HTTP3Peer(server) as peer:
        peer.session()
        peer.send_datagram(datagram)
        expect(rule, sent, http3_error("H3_DATAGRAM_ERROR"), peer.http_outcome())


def test_datagrams_of_unknown_sessions_are_dropped(server: Server) -> None:
    """RFC 9297 § 2.1; draft-ietf-webtrans-http3 § 4.6 [25]"""
    with HTTP3Peer(server) as peer:
        session = peer.session()
        request = peer.request(headers(get()))
        peer.answer(request)
        for number in (request, session + 400):
            for _ in range(100):
                peer.send_datagram(http_datagram(number, b"nobody's"))
        expect("RFC 9297 § 2.1", "datagrams for a request and for what is not there", SESSION_GOES_ON,
               peer.session_outcome(session))


def test_a_datagram_for_a_stream_beyond_the_limit_is_an_error(server: Server) -> None:
    """RFC 9297 § 2.1: H3_ID_ERROR, where the stream cannot have been created [25]"""
    with HTTP3Peer(server) as peer:
        session = peer.session()
        peer.send_datagram(http_datagram(4 * 1023, b"early"))
        expect("RFC 9297 § 2.1", "a datagram for the last stream that may be", SESSION_GOES_ON,
               peer.session_outcome(session))
        peer.send_datagram(http_datagram(4 * 100_000, b"impossible"))
        expect("RFC 9297 § 2.1", "a datagram for a stream far beyond", http3_error("H3_ID_ERROR"), peer.http_outcome())


@pytest.mark.parametrize("size", [0, 1, 1000])
def test_datagrams_of_any_size_come_back(server: Server, size: int) -> None:
    """RFC 9221 § 3 [26]: an empty one too"""
    with HTTP3Peer(server) as peer:
        session = peer.session()
        datagram = http_datagram(session, b"x" * size)
        peer.send_datagram(datagram)
        expect("RFC 9221 § 3", f"a datagram of {size} bytes", True, peer.until(lambda: datagram in peer.datagrams, 3))


def test_two_hundred_datagrams_in_a_row_all_come_back(server: Server) -> None:
    """[27]: as many as the interop runner sends, where nothing is lost on the way"""
    with HTTP3Peer(server) as peer:
        session = peer.session()
        sent = [http_datagram(session, b"%03d" % number + bytes(597)) for number in range(200)]
        for datagram in sent:
            peer.quic.send_datagram_frame(datagram)
        peer.until(lambda: peer.closed or len(peer.datagrams) >= 200)
        expect("RFC 9221 § 5", "200 datagrams at once", set(sent), set(peer.datagrams))


def test_a_client_need_not_take_datagrams_to_send_one(server: Server) -> None:
    """RFC 9221 § 3 [26]: it is the receiver who must have offered to take them, and the server has"""
    with Peer(server, datagrams=None) as peer:
        peer.send_frames(b"\x31\x02\x00x")
        expect("RFC 9221 § 3", "a DATAGRAM frame of a client without max_datagram_frame_size", GOES_ON,
               peer.connection_outcome())


# Capsules


def test_unknown_capsules_are_skipped(server: Server) -> None:
    """RFC 9297 § 3.2 [36]: a byte at a time, empty ones, in the longest encodings, cut anywhere by DATA frames"""
    with HTTP3Peer(server) as peer:
        session = peer.session()
        capsules = (
            capsule(0x21) + capsule(0x21 + 0x1F * 5, bytes(200)) + long_varint(0x17F7) + long_varint(3) + b"abc"
            + capsule((1 << 62) - 1) + capsule(0x00, b"DATAGRAM?")
        )
        for byte in capsules:
            peer.quic.send_stream_data(session, frame(DATA, bytes([byte])))
        for byte in capsules[:30]:
            peer.send(session, frame(DATA, bytes([byte])))
            peer.settle()
        peer.send_capsules(session, capsules[30:])
        expect("RFC 9297 § 3.2", "capsules of unknown types, a byte at a time", SESSION_GOES_ON,
               peer.session_outcome(session))
        # And the decoder is where it ought to be: a known one follows.
        for byte in close_capsule(1, b"bye"):
            peer.send(session, frame(DATA, bytes([byte])))
        expect("RFC 9297 § 3.2", "then WT_CLOSE_SESSION", "the stream ends in order", peer.stream_outcome(session))


def test_a_capsule_of_any_announced_length_is_skipped_without_being_kept(own_server: Server) -> None:
    """RFC 9297 § 3.3 [36]: 2^62 - 1 bytes announced, 24 MiB sent, more than flow control allows at once"""
    size, piece = 24 << 20, bytes(1 << 20)
    with HTTP3Peer(own_server) as peer:
        session = peer.session()
        memory = Memory(own_server)
        peer.send_capsules(session, varint(0x21) + varint((1 << 62) - 1))
        peer.send(session, varint(DATA) + varint(size))
        for _ in range(size // len(piece)):
            peer.send(session, piece)
            sender = peer.quic._streams[session].sender
            arrived = peer.until(lambda: peer.closed or sender.buffer_is_empty, timeout=2 * TIMEOUT)
            expect("RFC 9297 § 3.3", "a large capsule", True, arrived and peer.closed is None)
        expect("RFC 9297 § 3.3", "24 MiB of a capsule", SESSION_GOES_ON, peer.session_outcome(session))
        growth = memory.growth
        assert growth < 12 << 10, f"24 MiB of a capsule that nobody wants cost {growth} kB"


SESSION_ERRORS = [
    (f"{DRAFT} § 5.4 (WT_MAX_STREAM_DATA)", "WT_MAX_STREAM_DATA", capsule(0x190B4D3E, varint(0) + varint(9))),
    (f"{DRAFT} § 5.4 (WT_STREAM_DATA_BLOCKED)", "WT_STREAM_DATA_BLOCKED", capsule(0x190B4D42, varint(0) + varint(9))),
]


@pytest.mark.parametrize("rule, sent, data", rules(SESSION_ERRORS))
def test_capsules_that_http3_has_no_use_for_end_the_session(server: Server, rule: str, sent: str, data: bytes) -> None:
    """[37]"""
    with HTTP3Peer(server) as peer:
        session = peer.session()
        stream = peer.wt_stream(session, b"open")
        peer.until(lambda: peer.streams[stream].data)
        peer.send_capsules(session, data)
        expect(rule, sent, SESSION_GONE, peer.stream_outcome(stream))


def test_flow_control_capsules_are_ignored_while_it_is_off(server: Server) -> None:
    """draft-ietf-webtrans-http3 § 5.1 [39]: neither side offered it"""
    with HTTP3Peer(server) as peer:
        session = peer.session()
        for kind in (0x190B4D3D, 0x190B4D3F, 0x190B4D40, 0x190B4D41, 0x190B4D43, 0x190B4D44):
            peer.send_capsules(session, capsule(kind, varint(9)) + capsule(kind, varint(8)))
        expect(f"{DRAFT} § 5.1", "every flow control capsule", SESSION_GOES_ON, peer.session_outcome(session))


def test_a_connect_stream_carries_data_alone(server: Server) -> None:
    """RFC 9114 § 4.4"""
    with HTTP3Peer(server) as peer:
        session = peer.session()
        peer.send(session, headers([("trailer", "no")]))
        expect("RFC 9114 § 4.4", "HEADERS on an established CONNECT stream", http3_error("H3_FRAME_UNEXPECTED"),
               peer.connection_outcome())
