"""Errors of HTTP/3 and QPACK that end the connection: h3spec's rules [42], and their neighbours in the same sections."""

from __future__ import annotations

import pytest

from raw_http3 import (
    CANCEL_PUSH, CONTROL_STREAM, DATA, DECODER_STREAM, ENCODER_STREAM, GOAWAY, HEADERS, MAX_PUSH_ID, PUSH_PROMISE,
    PUSH_STREAM, SETTINGS, WT_STREAM, HTTP3Peer, field_section, frame, get, headers, settings_frame,
)
from raw_quic import varint
from rules import GOES_ON, OneOf, expect, http3_error, librarys, rules
from server import Server

REQUEST = headers(get())
HTTP2_FRAMES = {"PRIORITY": 0x02, "PING": 0x06, "WINDOW_UPDATE": 0x08, "CONTINUATION": 0x09}

ON_CONTROL = [
    ("RFC 9114 § 7.2.1", "DATA", frame(DATA, b"x"), "H3_FRAME_UNEXPECTED"),
    ("RFC 9114 § 7.2.2", "HEADERS", REQUEST, "H3_FRAME_UNEXPECTED"),
    ("RFC 9114 § 7.2.4 (second)", "SETTINGS again", frame(SETTINGS), "H3_FRAME_UNEXPECTED"),
    ("RFC 9114 § 7.2.5", "PUSH_PROMISE", frame(PUSH_PROMISE, varint(0) + field_section(get())), "H3_FRAME_UNEXPECTED"),
    ("RFC 9114 § 7.2.3", "CANCEL_PUSH for a push that nobody promised",
     frame(MAX_PUSH_ID, varint(9)) + frame(CANCEL_PUSH, varint(3)), "H3_ID_ERROR"),
    ("RFC 9114 § 7.2.3 (beyond the limit)", "CANCEL_PUSH for a push beyond MAX_PUSH_ID",
     frame(CANCEL_PUSH, varint(3)), "H3_ID_ERROR"),
    ("RFC 9114 § 7.2.7", "MAX_PUSH_ID of 9, then of 8",
     frame(MAX_PUSH_ID, varint(9)) + frame(MAX_PUSH_ID, varint(8)), "H3_ID_ERROR"),
    ("RFC 9114 § 5.2", "GOAWAY with push ID 4, then with 5",
     frame(GOAWAY, varint(4)) + frame(GOAWAY, varint(5)), "H3_ID_ERROR"),
    ("RFC 9114 § 7.1 (too long)", "MAX_PUSH_ID with a byte after its only field",
     frame(MAX_PUSH_ID, varint(9) + b"\0"), "H3_FRAME_ERROR"),
    ("RFC 9114 § 7.1 (too short)", "MAX_PUSH_ID without its field", frame(MAX_PUSH_ID), "H3_FRAME_ERROR"),
    ("RFC 9114 § 7.1 (cut)", "CANCEL_PUSH that ends within its field", frame(CANCEL_PUSH, b"\x40"), "H3_FRAME_ERROR"),
    *[
        (f"RFC 9114 § 7.2.8 ({name})", f"HTTP/2's {name}", frame(kind, bytes(8)), "H3_FRAME_UNEXPECTED")
        for name, kind in HTTP2_FRAMES.items()
    ],
    ("draft-ietf-webtrans-http3 § 4.3", "WT_STREAM", varint(WT_STREAM) + varint(0), "H3_FRAME_ERROR"),
]

NO_PUSH = librarys("nghttp3 has no server push, and takes every CANCEL_PUSH for unexpected")
CONTROL_MARKS = {
    "RFC 9114 § 7.2.3": NO_PUSH,
    "RFC 9114 § 7.2.3 (beyond the limit)": NO_PUSH,
    "RFC 9114 § 7.1 (cut)": NO_PUSH,
    "RFC 9114 § 7.2.7": librarys("nghttp3 says H3_FRAME_ERROR"),
    "RFC 9114 § 7.1 (too long)": librarys("nghttp3 takes what is left for the next frame"),
}


@pytest.mark.parametrize("rule, sent, frames, error", rules(ON_CONTROL, CONTROL_MARKS))
def test_a_frame_that_may_not_come_on_the_control_stream(
    server: Server, rule: str, sent: str, frames: bytes, error: str
) -> None:
    with HTTP3Peer(server) as peer:
        peer.send(peer.control, frames)
        expect(rule, f"{sent} on the control stream", http3_error(error), peer.http_outcome())


FIRST = [
    ("RFC 9114 § 6.2.1 (MAX_PUSH_ID)", "MAX_PUSH_ID before SETTINGS",
     frame(MAX_PUSH_ID, varint(0)) + frame(SETTINGS), "H3_MISSING_SETTINGS"),
    ("RFC 9114 § 6.2.1 (reserved)", "a reserved frame before SETTINGS",
     frame(0x21, b"grease") + frame(SETTINGS), "H3_MISSING_SETTINGS"),
    ("RFC 9114 § 7.2.4 (duplicate)", "the same setting twice",
     settings_frame([(0x06, 1 << 16), (0x06, 1 << 16)]), "H3_SETTINGS_ERROR"),
    ("RFC 9114 § 7.2.4 (duplicate, unknown)", "the same reserved setting twice",
     settings_frame([(0x21, 1), (0x33, 1), (0x21, 2)]), "H3_SETTINGS_ERROR"),
    *[
        (f"RFC 9114 § 7.2.4.1 ({name})", f"HTTP/2's {name}", settings_frame({kind: 1}), "H3_SETTINGS_ERROR")
        for name, kind in {
            "ENABLE_PUSH": 2, "MAX_CONCURRENT_STREAMS": 3, "INITIAL_WINDOW_SIZE": 4, "MAX_FRAME_SIZE": 5,
        }.items()
    ],
    ("RFC 9114 § 7.1 (SETTINGS)", "SETTINGS that ends within a setting",
     frame(SETTINGS, varint(0x06)), "H3_FRAME_ERROR"),
    ("RFC 9297 § 2.1.1", "SETTINGS_H3_DATAGRAM of 2", settings_frame({0x33: 2}), "H3_SETTINGS_ERROR"),
]


@pytest.mark.parametrize("rule, sent, frames, error", rules(FIRST))
def test_what_the_control_stream_may_not_begin_with(
    server: Server, rule: str, sent: str, frames: bytes, error: str
) -> None:
    with HTTP3Peer(server, settings=None) as peer:
        peer.open_control(frames)
        expect(rule, sent, http3_error(error), peer.http_outcome())


ON_REQUESTS = [
    ("RFC 9114 § 4.1 (DATA first)", "DATA before HEADERS", frame(DATA, b"x"), "H3_FRAME_UNEXPECTED"),
    ("RFC 9114 § 4.1 (after trailers)", "DATA after trailers",
     REQUEST + frame(DATA, b"x") + headers([("a", "b")]) + frame(DATA, b"x"), "H3_FRAME_UNEXPECTED"),
    ("RFC 9114 § 4.1 (third HEADERS)", "HEADERS after trailers",
     REQUEST + headers([("a", "b")]) + headers([("a", "b")]), "H3_FRAME_UNEXPECTED"),
    ("RFC 9114 § 7.2.3", "CANCEL_PUSH", REQUEST + frame(CANCEL_PUSH, varint(0)), "H3_FRAME_UNEXPECTED"),
    ("RFC 9114 § 7.2.4", "SETTINGS", REQUEST + frame(SETTINGS), "H3_FRAME_UNEXPECTED"),
    ("RFC 9114 § 7.2.5", "PUSH_PROMISE",
     REQUEST + frame(PUSH_PROMISE, varint(0) + field_section(get())), "H3_FRAME_UNEXPECTED"),
    ("RFC 9114 § 7.2.6", "GOAWAY", REQUEST + frame(GOAWAY, varint(0)), "H3_FRAME_UNEXPECTED"),
    ("RFC 9114 § 7.2.7", "MAX_PUSH_ID", REQUEST + frame(MAX_PUSH_ID, varint(0)), "H3_FRAME_UNEXPECTED"),
    *[
        (f"RFC 9114 § 7.2.8 ({name})", f"HTTP/2's {name}", REQUEST + frame(kind, bytes(8)), "H3_FRAME_UNEXPECTED")
        for name, kind in HTTP2_FRAMES.items()
    ],
    ("draft-ietf-webtrans-http3 § 4.3", "WT_STREAM after HEADERS",
     REQUEST + varint(WT_STREAM) + varint(0), "H3_FRAME_ERROR"),
    ("RFC 9204 § 3.1", "a field line with static index 99",
     frame(HEADERS, b"\0\0\xff\x24"), "QPACK_DECOMPRESSION_FAILED"),
    ("RFC 9204 § 2.2.1", "a field line that refers to an entry nobody inserted",
     frame(HEADERS, b"\0\0\x80"), "QPACK_DECOMPRESSION_FAILED"),
    ("RFC 9204 § 4.5.1.1", "a Required Insert Count beyond what the table can hold",
     frame(HEADERS, b"\xff\xff\x03\0\x80"), "QPACK_DECOMPRESSION_FAILED"),
    ("RFC 9204 § 4.5.1.2", "a Base below zero", frame(HEADERS, b"\x02\x85\x80"), "QPACK_DECOMPRESSION_FAILED"),
]


@pytest.mark.parametrize("rule, sent, frames, error", rules(ON_REQUESTS))
def test_a_frame_that_may_not_come_on_a_request_stream(
    server: Server, rule: str, sent: str, frames: bytes, error: str
) -> None:
    """RFC 9114 § 7.2; draft-ietf-webtrans-http3 § 4.3 [16]"""
    with HTTP3Peer(server) as peer:
        peer.request(frames, end=False)
        expect(rule, f"{sent} on a request stream", http3_error(error), peer.http_outcome())


@pytest.mark.parametrize("whole", [REQUEST, REQUEST + frame(DATA, b"0123456789")], ids=["HEADERS", "DATA"])
def test_a_frame_that_the_end_of_its_stream_cuts(server: Server, whole: bytes) -> None:
    """RFC 9114 § 7.1"""
    with HTTP3Peer(server) as peer:
        peer.request(whole[:-1], end=True)
        expect("RFC 9114 § 7.1", "a frame without its last byte, and FIN", http3_error("H3_FRAME_ERROR"),
               peer.http_outcome())


SECOND = [
    ("RFC 9114 § 6.2.1", "a second control stream", CONTROL_STREAM),
    ("RFC 9204 § 4.2 (encoder)", "a second encoder stream", ENCODER_STREAM),
    ("RFC 9204 § 4.2 (decoder)", "a second decoder stream", DECODER_STREAM),
    ("RFC 9114 § 6.2.2", "a push stream from a client", PUSH_STREAM),
]


@pytest.mark.parametrize("rule, sent, kind", rules(SECOND))
def test_a_stream_that_a_client_may_not_open(server: Server, rule: str, sent: str, kind: int) -> None:
    with HTTP3Peer(server) as peer:
        peer.open(kind, b"\0")
        expect(rule, sent, http3_error("H3_STREAM_CREATION_ERROR"), peer.http_outcome())


@pytest.mark.parametrize("how", ["FIN", "RESET_STREAM"])
@pytest.mark.parametrize("name", ["control", "encoder", "decoder"])
def test_the_end_of_a_critical_stream(server: Server, name: str, how: str) -> None:
    """RFC 9114 § 6.2.1; RFC 9204 § 4.2"""
    with HTTP3Peer(server) as peer:
        stream = getattr(peer, name)
        if how == "FIN":
            peer.send(stream, end=True)
        else:
            peer.settle()
            peer.quic.reset_stream(stream, 0x100)
        expect("RFC 9114 § 6.2.1; RFC 9204 § 4.2", f"{how} on the {name} stream",
               http3_error("H3_CLOSED_CRITICAL_STREAM"), peer.http_outcome())


@pytest.mark.parametrize("name", ["control", "encoder", "decoder"])
def test_a_request_to_stop_a_critical_stream(server: Server, name: str) -> None:
    """RFC 9114 § 6.2.1; RFC 9204 § 4.2: nor may the receiver ask the sender to close it."""
    kind = {"control": CONTROL_STREAM, "encoder": ENCODER_STREAM, "decoder": DECODER_STREAM}[name]
    with HTTP3Peer(server) as peer:
        peer.until(lambda: peer.server_stream(kind))
        (number,) = (number for number, stream in peer.streams.items() if stream is peer.server_stream(kind))
        peer.quic.stop_stream(number, 0x100)
        # The server may go on without the stream. It must not die.
        allowed = OneOf(GOES_ON, http3_error("H3_CLOSED_CRITICAL_STREAM"))
        expect("RFC 9114 § 6.2.1", f"STOP_SENDING for the {name} stream", allowed, peer.connection_outcome())
    with HTTP3Peer(server) as peer:
        answer = peer.answer(peer.request(REQUEST))
        expect("RFC 9114 § 6.2.1", f"STOP_SENDING for the {name} stream, then another client", 200, answer)


INSTRUCTIONS = [
    ("RFC 9204 § 4.1.3", "a capacity of 4097 where 4096 is the limit", "encoder", b"\x3f\xe2\x1f",
     "QPACK_ENCODER_STREAM_ERROR"),
    ("RFC 9204 § 3.1 (encoder)", "an insertion that names static index 99", "encoder", b"\x3f\x45\xff\x24\x01x",
     "QPACK_ENCODER_STREAM_ERROR"),
    ("RFC 9204 § 4.3.4", "the duplicate of an entry nobody inserted", "encoder", b"\x3f\x45\x00",
     "QPACK_ENCODER_STREAM_ERROR"),
    ("RFC 9204 § 3.2.2", "an entry larger than the table", "encoder", b"\x25" + b"\x43abc\x03def",
     "QPACK_ENCODER_STREAM_ERROR"),
    ("RFC 9204 § 4.4.3 (zero)", "an Insert Count Increment of 0", "decoder", b"\x00", "QPACK_DECODER_STREAM_ERROR"),
    ("RFC 9204 § 4.4.3 (too many)", "an Insert Count Increment of 1 when nothing was inserted", "decoder", b"\x01",
     "QPACK_DECODER_STREAM_ERROR"),
    ("RFC 9204 § 4.4.1", "a Section Acknowledgment for a stream without one", "decoder", b"\x80",
     "QPACK_DECODER_STREAM_ERROR"),
]


@pytest.mark.parametrize("rule, sent, name, instruction, error", rules(INSTRUCTIONS))
def test_an_illegal_instruction_of_qpack(
    server: Server, rule: str, sent: str, name: str, instruction: bytes, error: str
) -> None:
    with HTTP3Peer(server) as peer:
        peer.send(getattr(peer, name), instruction)
        expect(rule, sent, http3_error(error), peer.http_outcome())
