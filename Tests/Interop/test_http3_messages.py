"""Messages of HTTP/3: malformed ones end their stream alone, and what a server must put up with it puts up with."""

from __future__ import annotations

import time

import pylsqpack
import pytest

from abuse import PATIENCE, await_metric, exceeded
from raw_http3 import (
    CLIENT_SETTINGS, DATA, GOAWAY, HEADERS, MAX_PUSH_ID, PRIORITY_UPDATE, SETTINGS, Fields, HTTP3Peer, connect,
    SESSION_GOES_ON, field_section, frame, get, headers, settings_frame, without,
)
from raw_quic import long_varint, varint
from rules import GOES_ON, OneOf, expect, http3_error, librarys, rules, stream_error
from server import Server

SECTION = field_section(get())
REQUEST = frame(HEADERS, SECTION)
MAX_FIELD_SECTION_SIZE = 0x06
RESERVED = 0x21
LARGEST_RESERVED = RESERVED + 0x1F * (((1 << 62) - 1 - RESERVED) // 0x1F)

MALFORMED = [
    ("RFC 9114 § 4.3 (duplicate)", ":path twice", get("/healthz", (":path", "/"))),
    ("RFC 9114 § 4.3.1 (no :method)", "no :method", without(get(), ":method")),
    ("RFC 9114 § 4.3.1 (no :scheme)", "no :scheme", without(get(), ":scheme")),
    ("RFC 9114 § 4.3.1 (no :path)", "no :path", without(get(), ":path")),
    ("RFC 9114 § 4.3.1 (no authority)", "neither :authority nor host", without(get(), ":authority")),
    ("RFC 9114 § 4.3.1 (empty :path)", "an empty :path", get("")),
    ("RFC 9114 § 4.3 (prohibited)", ":status in a request", get("/healthz", (":status", "200"))),
    ("RFC 9114 § 4.3 (unknown)", ":foo", get("/healthz", (":foo", "bar"))),
    ("RFC 9114 § 4.3 (late)", ":path after a field", [*without(get(), ":path"), ("a", "b"), (":path", "/healthz")]),
    ("RFC 9114 § 4.2 (upper case)", "a name in upper case", get("/healthz", ("Accept", "text/html"))),
    ("RFC 9114 § 4.2 (connection)", "connection", get("/healthz", ("connection", "close"))),
    ("RFC 9114 § 4.2 (transfer-encoding)", "transfer-encoding", get("/healthz", ("transfer-encoding", "chunked"))),
    ("RFC 9114 § 4.2 (te)", "te other than trailers", get("/healthz", ("te", "gzip"))),
    ("RFC 9114 § 10.3 (value)", "a line feed in a value", get("/healthz", ("a", "b\nc"))),
    ("RFC 9114 § 10.3 (name)", "a blank in a name", get("/healthz", ("a b", "c"))),
    ("RFC 9114 § 4.4 (:path)", "CONNECT with :path and no :protocol", without(connect(), ":protocol")),
    ("RFC 9114 § 4.4 (no authority)", "CONNECT with :method alone", [(":method", "CONNECT")]),
    ("RFC 9220 § 3", ":protocol on GET", [*get(), (":protocol", "webtransport")]),
]

DROPPED = librarys("nghttp3 drops the field and lets the request pass")
MALFORMED_MARKS = {"RFC 9114 § 10.3 (value)": DROPPED, "RFC 9114 § 10.3 (name)": DROPPED}


@pytest.mark.parametrize("rule, sent, fields", rules(MALFORMED, MALFORMED_MARKS))
def test_a_malformed_request_ends_its_stream_alone(server: Server, rule: str, sent: str, fields: Fields) -> None:
    """RFC 9114 § 4.1.2 [42]"""
    with HTTP3Peer(server) as peer:
        expect(rule, sent, stream_error("H3_MESSAGE_ERROR"), peer.answer(peer.request(headers(fields))))
        expect("RFC 9114 § 4.1.2", f"{sent}, then another request", GOES_ON, peer.http_outcome())


REFUSED = [
    ("RFC 9110 § 15.5.15", "a target that is too long", get("/" + "x" * 9_000), 414),
    ("RFC 9110 § 15.5.14", "a body that is too large", get("/healthz", ("content-length", "70000")), 413),
    ("RFC 9110 § 15.5.14", "the largest length", get("/healthz", ("content-length", str((1 << 63) - 1))), 413),
    ("RFC 9110 § 7.4", "the other scheme", [*without(get(), ":scheme"), (":scheme", "http")], 421),
    ("RFC 9114 § 4.3.1", "a fragment", get("/a#b"), 400),
    ("RFC 9114 § 4.3.1", "user information", [*without(get(), ":authority"), (":authority", "a@b")], 400),
    ("RFC 9114 § 4.3.1", "a Host that contradicts", get("/healthz", ("host", "elsewhere")), 400),
    ("RFC 9110 § 15.5.15", "a session at a path that is too long", connect("/" + "x" * 9_000), 414),
    ("RFC 9110 § 7.4", "a session of the other scheme", [*without(connect(), ":scheme"), (":scheme", "http")], 421),
]


@pytest.mark.parametrize("rule, sent, fields, status", rules(REFUSED))
def test_what_is_refused_is_refused_as_over_http2(
    server: Server, rule: str, sent: str, fields: Fields, status: int,
) -> None:
    """RFC 9110 § 15.5: `test_http2.py` and the Swift tests for HTTP/1.1 have the same list."""
    with HTTP3Peer(server) as peer:
        expect(rule, sent, status, peer.answer(peer.request(headers(sorted(fields, key=is_a_field)), end=False)))
        expect(rule, f"{sent}, then another request", GOES_ON, peer.http_outcome())


def is_a_field(item: tuple[str, str]) -> bool:
    """Pseudo-header fields come first (RFC 9114 § 4.3)."""
    return not item[0].startswith(":")


def test_a_body_that_nobody_wants_is_stopped(server: Server) -> None:
    """RFC 9114 § 4.1: the whole response, and STOP_SENDING with H3_NO_ERROR when more has come than is accepted"""
    with HTTP3Peer(server) as peer:
        request = peer.request(REQUEST, end=False)
        stream = peer.streams[request]
        expect("RFC 9114 § 4.1", "GET with a body to come", 200, peer.answer(request))
        peer.send(request, frame(DATA, bytes(64 << 10)))
        expect("RFC 9114 § 4.1", "as much as is accepted", GOES_ON, peer.http_outcome())
        assert stream.stopped is None
        peer.send(request, frame(DATA, b"x"))
        peer.until(lambda: peer.closed or stream.stopped is not None)
        expect("RFC 9114 § 4.1", "a byte more", http3_error("H3_NO_ERROR").code, stream.stopped)
        expect("RFC 9114 § 4.1", "a body without end, then another request", GOES_ON, peer.http_outcome())
        assert peer.message(request).body == b"ok"


def test_requests_that_do_not_arrive_are_given_up(own_server: Server) -> None:
    """RFC 9110 § 15.5.9: a header section, or a body, that comes a byte at a time; the session beside them goes on [38].
    So is a CONNECT that waits for SETTINGS, which do not come."""
    with HTTP3Peer(own_server) as peer, HTTP3Peer(own_server, settings=None) as speechless:
        waiting = speechless.request(headers(connect()), end=False)
        session = peer.session()
        slow_header, slow_body = peer.new_stream(), peer.new_stream()
        # More than is sent here.
        coming = {slow_header: iter(headers(get("/" + "a" * 60_000))), slow_body: iter(REQUEST + frame(DATA, bytes(60_000)))}
        peer.send(slow_body, bytes(next(coming[slow_body]) for _ in range(len(REQUEST) + 3)))
        expect("RFC 9114 § 4.1", "a body that is slow", 200, peer.answer(slow_body))
        deadline = time.monotonic() + PATIENCE
        while coming and peer.closed is None and time.monotonic() < deadline:
            for stream in list(coming):
                if peer.streams[stream].stopped is None:
                    peer.send(stream, bytes([next(coming[stream])]))
                else:
                    del coming[stream]
            peer.settle()
        expect("RFC 9114 § 8.1", "a slow header section", stream_error("H3_REQUEST_INCOMPLETE"),
               peer.streams[slow_header].aborted)
        expect("RFC 9114 § 4.1", "a slow body", http3_error("H3_NO_ERROR").code, peer.streams[slow_body].stopped)
        expect("RFC 9110 § 15.5.9", "slow requests beside a session", SESSION_GOES_ON, peer.session_outcome(session))
        speechless.until(lambda: speechless.streams[waiting].aborted)
        expect("draft-ietf-webtrans-http3 § 3.1", "CONNECT without SETTINGS", stream_error("H3_REQUEST_INCOMPLETE"),
               speechless.streams[waiting].aborted)
    assert await_metric(own_server, "apus_http3_requests_timed_out_total", lambda count: count >= 3) == 3


BODIES = [
    ("RFC 9114 § 4.1.2 (too short)", "content-length 5, and 4 bytes",
     headers(get("/healthz", ("content-length", "5"))) + frame(DATA, b"1234")),
    ("RFC 9114 § 4.1.2 (too long)", "content-length 5, and 6 bytes",
     headers(get("/healthz", ("content-length", "5"))) + frame(DATA, b"123456")),
    ("RFC 9114 § 4.3 (trailers)", "a pseudo-header field in trailers",
     REQUEST + frame(DATA, b"x") + headers([(":path", "/")])),
]


@pytest.mark.parametrize("rule, sent, frames", rules(BODIES))
def test_a_malformed_rest_of_a_request_is_an_error_at_most(server: Server, rule: str, sent: str, frames: bytes) -> None:
    """RFC 9114 § 4.1.2. The server answers when it has the header section, hence perhaps before it can know; and § 8
    allows an error of the connection in place of one of the stream, which is what nghttp3 makes of a wrong length."""
    with HTTP3Peer(server) as peer:
        allowed = OneOf(stream_error("H3_MESSAGE_ERROR"), http3_error("H3_MESSAGE_ERROR"), 200)
        expect(rule, sent, allowed, peer.answer(peer.request(frames)))


def test_what_servers_must_accept_in_requests(server: Server) -> None:
    """RFC 9114 § 4.1 (trailers, no DATA), § 4.2 (te), § 4.2.1 (cookie), § 4.3.1 (host), § 7.1 (long varints)"""
    accepted = {
        "trailers": REQUEST + frame(DATA, b"x") + headers([("a", "b")]),
        "an empty DATA frame": REQUEST + frame(DATA),
        "te: trailers": headers(get("/healthz", ("te", "trailers"))),
        "two cookie fields": headers(get("/healthz", ("cookie", "a=b"), ("cookie", "c=d"))),
        "host instead of :authority": headers([*without(get(), ":authority"), ("host", "localhost")]),
        "the longest encodings of type and length":
            long_varint(HEADERS) + long_varint(len(SECTION)) + SECTION,
    }
    with HTTP3Peer(server) as peer:
        for sent, frames in accepted.items():
            expect("RFC 9114 § 4", sent, 200, peer.answer(peer.request(frames)))


GREASE_FRAMES = [
    ("RFC 9114 § 7.2.8", "a reserved frame", frame(RESERVED, b"grease")),
    ("RFC 9114 § 7.2.8 (empty)", "a reserved frame without a payload", frame(RESERVED + 0x1F * 7)),
    ("RFC 9114 § 7.2.8 (largest)", "the largest reserved type", frame(LARGEST_RESERVED, bytes(3000))),
    ("RFC 9114 § 9", "a frame of unknown type", frame(0xF7777, bytes(100))),
]


@pytest.mark.parametrize("rule, sent, grease", rules(GREASE_FRAMES))
def test_unknown_frames_are_ignored(server: Server, rule: str, sent: str, grease: bytes) -> None:
    """RFC 9114 § 7.2.8, § 9 [43]"""
    with HTTP3Peer(server) as peer:
        peer.send(peer.control, grease)
        request = peer.request(grease + REQUEST + grease + frame(DATA, b"x") + grease)
        expect(rule, f"{sent} on the control stream, and between all frames of a request", 200, peer.answer(request))
        assert peer.message(request).body == b"ok"


def test_unknown_settings_are_ignored(server: Server) -> None:
    """RFC 9114 § 7.2.4.1 [43]"""
    settings = CLIENT_SETTINGS | {RESERVED: 0, RESERVED + 0x1F * 3: (1 << 62) - 1, 0x4D44: 1}
    with HTTP3Peer(server, settings=settings) as peer:
        expect("RFC 9114 § 7.2.4.1", "reserved and unknown settings", GOES_ON, peer.http_outcome())


def test_settings_may_be_empty_and_come_late(server: Server) -> None:
    """RFC 9114 § 7.2.4, § 6.2.1: a server does not wait for them before it answers."""
    with HTTP3Peer(server, settings=None) as peer:
        expect("RFC 9114 § 7.2.4.2", "a request before SETTINGS", 200, peer.answer(peer.request(REQUEST)))
        # Byte by byte, each in a packet of its own.
        peer.control = peer.new_stream(unidirectional=True)
        for byte in varint(0) + frame(SETTINGS):
            peer.send(peer.control, bytes([byte]))
            peer.settle()
        expect("RFC 9114 § 7.2.4", "an empty SETTINGS frame", GOES_ON, peer.http_outcome())


def test_unknown_streams_are_ignored(server: Server) -> None:
    """RFC 9114 § 6.2, § 6.2.3: read or refused with H3_STREAM_CREATION_ERROR, but not an error of the connection [43]."""
    with HTTP3Peer(server) as peer:
        for kind in (RESERVED, RESERVED + 0x1F * 1000, 0xBEEF):
            peer.open(kind, bytes(5000))
            peer.send(peer.open(kind, b"grease"), end=True)
        expect("RFC 9114 § 6.2", "streams of unknown types", GOES_ON, peer.http_outcome())
        stops = {stream.stopped for stream in peer.streams.values()} - {None}
        assert stops <= {stream_error("H3_STREAM_CREATION_ERROR").code}


UNTYPED = [
    ("RFC 9114 § 6.2 (FIN)", "a unidirectional stream without a byte", b"", False),
    ("RFC 9114 § 6.2 (RESET_STREAM)", "RESET_STREAM within the type", b"\x40", True),
    ("RFC 9114 § 6.2 (FIN within the type)", "FIN within the type", b"\x40", False),
]


@pytest.mark.parametrize("rule, sent, data, is_reset", rules(UNTYPED))
def test_streams_that_end_before_their_type_are_tolerated(
    server: Server, rule: str, sent: str, data: bytes, is_reset: bool
) -> None:
    with HTTP3Peer(server) as peer:
        stream = peer.new_stream(unidirectional=True)
        peer.send(stream, data, end=not is_reset)
        if is_reset:
            peer.settle()
            peer.quic.reset_stream(stream, 0x100)
        expect(rule, sent, GOES_ON, peer.http_outcome())


def test_what_a_client_may_say_of_pushes_and_of_its_end(server: Server) -> None:
    """RFC 9114 § 7.2.7: MAX_PUSH_ID, the same and larger ones; § 5.2: GOAWAY with falling push IDs"""
    with HTTP3Peer(server) as peer:
        for identifier in (0, 0, 7, 1 << 40):
            peer.send(peer.control, frame(MAX_PUSH_ID, varint(identifier)))
        for identifier in (9, 9, 0):
            peer.send(peer.control, frame(GOAWAY, varint(identifier)))
        expect("RFC 9114 § 7.2.7, § 5.2", "MAX_PUSH_ID and GOAWAY", GOES_ON, peer.http_outcome())


def test_priorities_are_accepted(server: Server) -> None:
    """RFC 9218 § 5 (the field, also one that cannot be parsed), § 7.2 (the frame, also before its request) [46]"""
    with HTTP3Peer(server) as peer:
        coming = peer.quic.get_next_available_stream_id()
        peer.send(peer.control, frame(PRIORITY_UPDATE, varint(coming) + b"u=1, i"))
        peer.send(peer.control, frame(PRIORITY_UPDATE, varint(coming + 400)))
        for value in ("u=0", "u=7, i", "i=?0, u=3, future=(1 2)", "u=9", "\"", ""):
            request = peer.request(headers(get("/healthz", ("priority", value))))
            expect("RFC 9218 § 5", f"priority: {value}", 200, peer.answer(request))
            peer.send(peer.control, frame(PRIORITY_UPDATE, varint(request) + b"u=2"))
        expect("RFC 9218 § 7.2", "PRIORITY_UPDATE frames", GOES_ON, peer.http_outcome())


def test_a_priority_update_may_be_cut_anywhere(own_server: Server) -> None:
    """RFC 9114 § 6.2.1: the control stream is one sequence of bytes, whatever the packets that carry it [46].

    nghttp3 0.8 ends the program when a packet ends between the two fields of a PRIORITY_UPDATE frame.
    """
    with HTTP3Peer(own_server) as peer:
        request = peer.new_stream()
        for cut in range(1, 9):
            update = frame(PRIORITY_UPDATE, varint(request) + b"u=2")
            peer.send(peer.control, update[:cut])
            assert peer.settle()
            peer.send(peer.control, update[cut:])
            expect("RFC 9218 § 7.2", f"PRIORITY_UPDATE, cut behind {cut} bytes", GOES_ON, peer.http_outcome())


def test_priorities_of_streams_beyond_the_limit_are_an_error(server: Server) -> None:
    """RFC 9218 § 7.2: an ID beyond the streams that the server allows: H3_ID_ERROR"""
    with HTTP3Peer(server) as peer:
        peer.send(peer.control, frame(PRIORITY_UPDATE, varint(4 * 1023) + b"u=1"))
        expect("RFC 9218 § 7.2", "PRIORITY_UPDATE for the last stream", GOES_ON, peer.http_outcome())
        peer.send(peer.control, frame(PRIORITY_UPDATE, varint(4 * 10_000) + b"u=1"))
        expect("RFC 9218 § 7.2", "PRIORITY_UPDATE for a stream far beyond", http3_error("H3_ID_ERROR"),
               peer.http_outcome())


def closed_stream(peer: HTTP3Peer, session: int | None) -> int:
    """A stream of a session, or without one a request, that both ends have ended."""
    stream = peer.request(headers(get("/healthz"))) if session is None else peer.wt_stream(session, b"x", end=True)
    assert peer.until(lambda: peer.closed or peer.streams[stream].is_finished)
    return stream


@pytest.mark.parametrize("kind", ["request", "WebTransport stream"])
def test_priorities_of_streams_that_have_closed_are_bounded(own_server: Server, kind: str) -> None:
    """RFC 9218 § 7.2: they are no error and mean nothing. nghttp3 remembers requests, and keeps some hundred bytes for each
    other stream: as many as may be open at once are allowed twice [46]"""
    with HTTP3Peer(own_server) as peer:
        session = None if kind == "request" else peer.session()
        limit = 2 * 1024
        # The server closes a stream once its end has been acknowledged, which the peer may do a little later: of the last
        # ones, what it says here comes before.
        streams = [closed_stream(peer, session) for _ in range(limit + 256)]
        assert peer.settle()
        for index, stream in enumerate(streams, 1):
            peer.send(peer.control, frame(PRIORITY_UPDATE, varint(stream) + b"u=1"))
            if index <= limit and index % 256 == 0:
                expect("RFC 9218 § 7.2", f"priorities of {index} streams", GOES_ON, peer.http_outcome())
        expected = GOES_ON if session is None else http3_error("H3_EXCESSIVE_LOAD")
        expect("RFC 9218 § 7.2", f"priorities of {len(streams)} streams", expected, peer.http_outcome())
    if session is not None:
        assert await_metric(own_server, exceeded("prioritized_streams"), bool) == 1


def test_a_field_section_beyond_the_announced_size_is_answered_with_431(server: Server) -> None:
    """RFC 9114 § 4.2.2: 32 bytes for each field beside its name and value [44]"""
    with HTTP3Peer(server) as peer:
        peer.until(peer.control_frames)
        (kind, payload), *_ = peer.control_frames()
        assert kind == SETTINGS
        limit = peer.settings()[MAX_FIELD_SECTION_SIZE]
        size = sum(len(name) + len(value) + 32 for name, value in get())
        room = limit - size - len("x") - 32
        fits = peer.request(headers(get("/healthz", ("x", "y" * room))))
        expect("RFC 9114 § 4.2.2", f"a field section of {limit} bytes", 200, peer.answer(fits))
        large = peer.request(headers(get("/healthz", ("x", "y" * (room + 1)))))
        expect("RFC 9114 § 4.2.2", f"a field section of {limit + 1} bytes", 431, peer.answer(large))
        many = peer.request(headers(get("/healthz", *[("x", "")] * (limit // 33 + 1))))
        expect("RFC 9114 § 4.2.2", "many small fields", 431, peer.answer(many))
        expect("RFC 9114 § 4.2.2", "and another request", GOES_ON, peer.http_outcome())


def test_a_thousand_requests_at_once_are_all_answered(server: Server) -> None:
    """RFC 9114 § 6.1: at least 100 requests at a time; our limit is 1,024 streams, which all may be requests [44]"""
    with HTTP3Peer(server) as peer:
        requests = [peer.new_stream() for _ in range(1000)]
        for request in requests:
            peer.quic.send_stream_data(request, REQUEST, end_stream=True)
        peer.until(lambda: peer.closed or all(peer.streams[request].is_finished for request in requests))
        answers = [(message.status, message.body) for message in map(peer.message, requests)]
        expect("RFC 9114 § 6.1", "1,000 requests before the first answer", [(200, b"ok")] * 1000, answers)


def test_compression_with_the_dynamic_table(server: Server) -> None:
    """RFC 9204 § 2.1.2: a field section that refers to what the encoder stream has yet to bring waits for it [45]"""
    encoder = pylsqpack.Encoder()
    with HTTP3Peer(server) as peer:
        peer.until(peer.control_frames)
        settings = peer.settings()
        instructions = encoder.apply_settings(settings[0x01], settings[0x07])
        fields = [(name.encode(), value.encode()) for name, value in get("/healthz", ("x-custom", "a value"))]
        for _ in range(3):
            request = peer.new_stream()
            more, section = encoder.encode(request, fields)
            instructions += more
            peer.send(request, frame(HEADERS, section), end=True)
            peer.settle()
            peer.send(peer.encoder, instructions)
            instructions = b""
            expect("RFC 9204 § 2.1.2", "a request, then the entries it refers to", 200, peer.answer(request))
        assert encoder.encode(peer.new_stream(), fields)[1][:1] != b"\0", "the dynamic table was not used"


def test_the_servers_settings(server: Server) -> None:
    """RFC 9114 § 7.2.4.1, § 6.2.1: SETTINGS first, nothing twice, nothing of HTTP/2's; RFC 9204 § 5, RFC 9220 § 5"""
    with HTTP3Peer(server) as peer:
        peer.until(peer.control_frames)
        kind, payload = peer.control_frames()[0]
        expect("RFC 9114 § 6.2.1", "nothing", SETTINGS, kind)
        settings = peer.settings()
        expect("RFC 9114 § 7.2.4", "nothing", payload, settings_frame(settings)[2:])
        assert not settings.keys() & {0x00, 0x02, 0x03, 0x04, 0x05}
        assert settings[0x08] == 1
