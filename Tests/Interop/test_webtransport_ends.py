"""How WebTransport sessions end, as the drafts have it (draft-ietf-webtrans-http3 § 4.7, § 6).

The checklist's numbers stand in brackets; NOT-APPLICABLE.md has those that are not here.
"""

from __future__ import annotations

import json
import os

import pytest

from raw_http3 import (
    DATA, GOAWAY, SESSION_GOES_ON, WT_CLOSE_SESSION, WT_DRAIN_SESSION, HTTP3Peer, capsule, close_capsule, connect,
    frame, headers, http_datagram,
)
from raw_quic import varint
from rules import GOES_ON, expect, http3_error, rules, stream_error
from server import Server

DRAFT = "draft-ietf-webtrans-http3"
SESSION_GONE = stream_error("WT_SESSION_GONE")
MESSAGE_ERROR = stream_error("H3_MESSAGE_ERROR")


ENDS = [
    (f"{DRAFT} § 6 (WT_CLOSE_SESSION)", "WT_CLOSE_SESSION and FIN"),
    (f"{DRAFT} § 6 (no FIN)", "WT_CLOSE_SESSION alone"),
    (f"{DRAFT} § 6 (FIN)", "FIN"),
    (f"{DRAFT} § 6 (RESET_STREAM)", "RESET_STREAM"),
    (f"{DRAFT} § 6 (STOP_SENDING)", "STOP_SENDING"),
]


def end_session(peer: HTTP3Peer, session: int, how: str) -> None:
    match how:
        case "RESET_STREAM":
            peer.quic.reset_stream(session, 0x10C)
        case "STOP_SENDING":
            peer.quic.stop_stream(session, 0x10C)
        case "FIN":
            peer.send(session, end=True)
        case _:
            peer.send_capsules(session, close_capsule(4242, "Ende gut".encode()), end="FIN" in how)
    peer.transmit()


@pytest.mark.parametrize("rule, how", rules(ENDS))
def test_an_ended_session_takes_its_streams_along(server: Server, rule: str, how: str) -> None:
    """[28, 30, 31]: its streams are aborted, CONNECT is closed, nothing new is taken, and the connection stays"""
    with HTTP3Peer(server) as peer:
        session = peer.session()
        bidirectional = peer.wt_stream(session, b"open")
        unidirectional = peer.wt_stream(session, b"open", unidirectional=True)
        peer.until(lambda: peer.streams[bidirectional].data)
        peer.settle()
        end_session(peer, session, how)
        state = peer.streams[bidirectional]
        peer.until(lambda: peer.closed or None not in (state.reset, state.stopped), timeout=3)
        gone = f"RESET_STREAM with {SESSION_GONE.code}, STOP_SENDING with {SESSION_GONE.code}"
        expect(rule, how, gone, f"RESET_STREAM with {state.reset}, STOP_SENDING with {state.stopped}")
        expect(rule, how, SESSION_GONE, peer.stream_outcome(unidirectional))
        if how not in ("RESET_STREAM", "STOP_SENDING"):
            expect(rule, how, "the stream ends in order", peer.stream_outcome(session))
        expect(rule, f"{how}, then a stream", SESSION_GONE, peer.stream_outcome(peer.wt_stream(session, b"late")))
        peer.send_datagram(http_datagram(session, b"late"))
        expect(rule, f"{how}, then a datagram", GOES_ON, peer.http_outcome())
        assert http_datagram(session, b"late") not in peer.datagrams


TOLD = [
    (f"{DRAFT} § 6 (code and reason)", "WT_CLOSE_SESSION and FIN", {"isAbnormal": False, "code": 4242, "reason": "Ende gut"}),
    (f"{DRAFT} § 6 (no FIN)", "WT_CLOSE_SESSION alone", {"isAbnormal": False, "code": 4242, "reason": "Ende gut"}),
    # As if it had been closed with code 0 and nothing to say.
    (f"{DRAFT} § 6 (FIN)", "FIN", {"isAbnormal": False, "code": 0, "reason": ""}),
    (f"{DRAFT} § 6 (RESET_STREAM)", "RESET_STREAM", {"isAbnormal": True}),
    (f"{DRAFT} § 6 (STOP_SENDING)", "STOP_SENDING", {"isAbnormal": True}),
    ("RFC 9000 § 10.2 (CONNECTION_CLOSE)", "CONNECTION_CLOSE", {"isAbnormal": True}),
]


@pytest.mark.parametrize("rule, how, told", rules(TOLD))
def test_the_application_is_told_how_its_session_ended(server: Server, rule: str, how: str, told: dict) -> None:
    """[30, 31]: and how its streams did, none of which is left waiting"""
    token = f"told-{os.urandom(8).hex()}"
    with HTTP3Peer(server) as peer:
        session = peer.session(f"/test/record?token={token}")
        peer.wt_stream(session, b"open")
        peer.wt_stream(session, b"open", unidirectional=True)
        peer.settle()
        if how == "CONNECTION_CLOSE":
            peer.quic.close(error_code=0x100)
            peer.transmit()
        else:
            end_session(peer, session, how)
            peer.settle()
    with HTTP3Peer(server) as other:
        record = json.loads(other.said(other.session(f"/test/query?token={token}&streams=2&session=1")))
    end = record["end"] if "code" in told else {"isAbnormal": record["end"]["isAbnormal"]}
    expect(rule, how, told, end)
    gone = [{"kind": kind, "end": "gone", "bytes": 4} for kind in ("bidirectional", "unidirectional")]
    expect(rule, f"{how}, with two streams open", gone, sorted(record["streams"], key=lambda stream: stream["kind"]))


AFTER_CLOSE = [
    (f"{DRAFT} § 6 (same frame)", "a byte after WT_CLOSE_SESSION in one DATA frame",
     frame(DATA, close_capsule(0) + b"\0"), b""),
    (f"{DRAFT} § 6 (another frame)", "another DATA frame", frame(DATA, close_capsule(0)), frame(DATA, b"\0")),
    (f"{DRAFT} § 6 (twice)", "WT_CLOSE_SESSION twice", frame(DATA, close_capsule(0)), frame(DATA, close_capsule(1))),
]


@pytest.mark.parametrize("rule, sent, first, second", rules(AFTER_CLOSE))
def test_data_after_the_end_is_an_error(server: Server, rule: str, sent: str, first: bytes, second: bytes) -> None:
    """[32]. The second part follows in a packet of its own, when the server may have answered with FIN already."""
    with HTTP3Peer(server) as peer:
        session = peer.session()
        peer.send(session, first)
        if second:
            peer.settle()
            peer.send(session, second)
            state = peer.streams[session]
            peer.until(lambda: peer.closed or state.aborted, timeout=3)
            expect(rule, sent, MESSAGE_ERROR, peer.closed or state.aborted)
        else:
            expect(rule, sent, MESSAGE_ERROR, peer.stream_outcome(session))


CLOSES = [
    (f"{DRAFT} § 6 (long reason)", "a reason of 1,025 bytes", close_capsule(0, b"x" * 1025), False),
    (f"{DRAFT} § 6 (not UTF-8)", "a reason that is not UTF-8", close_capsule(0, b"\xff\xfe"), False),
    (f"{DRAFT} § 6 (half a character)", "a reason that ends within a character", close_capsule(0, b"\xe2\x82"), False),
    (f"{DRAFT} § 6 (no code)", "WT_CLOSE_SESSION with 3 bytes", capsule(WT_CLOSE_SESSION, bytes(3)), False),
    (f"{DRAFT} § 6 (huge)", "WT_CLOSE_SESSION that announces 2^62 - 1 bytes",
     varint(WT_CLOSE_SESSION) + varint((1 << 62) - 1) + b"x", False),
    ("RFC 9297 § 3.3 (known)", "FIN within WT_CLOSE_SESSION", close_capsule(0, b"reason")[:-1], True),
    ("RFC 9297 § 3.3 (unknown)", "FIN within a capsule of unknown type", capsule(0x21, bytes(9))[:-1], True),
    ("RFC 9297 § 3.3 (header)", "FIN within a capsule's length", varint(WT_CLOSE_SESSION) + b"\x40", True),
]


@pytest.mark.parametrize("rule, sent, data, end", rules(CLOSES))
def test_a_malformed_end_is_an_error_of_the_stream(
    server: Server, rule: str, sent: str, data: bytes, end: bool
) -> None:
    """[32, 36]: H3_MESSAGE_ERROR, the session ends, the connection stays"""
    with HTTP3Peer(server) as peer:
        session = peer.session()
        stream = peer.wt_stream(session, b"open")
        peer.until(lambda: peer.streams[stream].data)
        peer.send_capsules(session, data, end)
        expect(rule, sent, MESSAGE_ERROR, peer.stream_outcome(session))
        expect(rule, sent, SESSION_GONE, peer.stream_outcome(stream))
        expect(rule, f"{sent}, then a request", GOES_ON, peer.http_outcome())


def test_the_longest_reason_is_no_error(server: Server) -> None:
    """draft-ietf-webtrans-http3 § 6 [32]"""
    with HTTP3Peer(server) as peer:
        session = peer.session()
        peer.send_capsules(session, close_capsule(0xFFFFFFFF, "€".encode() * 341 + b"!"), end=True)
        expect(f"{DRAFT} § 6", "WT_CLOSE_SESSION with a reason of 1,024 bytes", "the stream ends in order",
               peer.stream_outcome(session))


def test_the_servers_reason_is_cut_at_a_character(server: Server) -> None:
    """draft-ietf-webtrans-http3 § 6 [29]: at most 1,024 bytes of UTF-8, then FIN at once"""
    with HTTP3Peer(server) as peer:
        session = peer.session("/close?code=4294967295&reason=" + "%E2%82%AC" * 400)
        expect(f"{DRAFT} § 6", "nothing", "the stream ends in order", peer.stream_outcome(session))
        expect(f"{DRAFT} § 6", "nothing", [(WT_CLOSE_SESSION, b"\xff\xff\xff\xff" + "€".encode() * 341)],
               peer.capsules(session))


def test_the_close_comes_before_the_resets_of_its_streams(server: Server) -> None:
    """draft-ietf-webtrans-http3 § 6 [29]: a browser that is told of the resets first may lose code and reason"""
    with HTTP3Peer(server) as peer:
        session = peer.session("/test/read-then-close?code=7")
        read = peer.wt_stream(session)
        left = peer.wt_stream(session, b"open")
        one_way = peer.wt_stream(session, b"open", unidirectional=True)
        peer.settle()
        peer.send(read, end=True)
        streams = [peer.streams[left], peer.streams[one_way]]
        peer.until(lambda: peer.capsules(session) or any(stream.aborted for stream in streams))
        expect(f"{DRAFT} § 6", "the end of a stream", [(WT_CLOSE_SESSION, b"\0\0\0\7")], peer.capsules(session))
        expect(f"{DRAFT} § 6", "nothing", [None, None], [stream.aborted for stream in streams])
        for stream in (left, one_way):
            expect(f"{DRAFT} § 6", "an acknowledgement of the close", SESSION_GONE, peer.stream_outcome(stream))


def test_shutting_down_in_order(own_server: Server) -> None:
    """draft-ietf-webtrans-http3 § 4.7, § 6 [33, 34]: DRAIN, and GOAWAY where traffic was, and sessions go on; then
    CLOSE and FIN; the connection closes when the client has closed its side"""
    with HTTP3Peer(own_server) as busy, HTTP3Peer(own_server) as idle, HTTP3Peer(own_server) as late:
        late.settle()
        session, quiet = busy.session(), idle.session()
        expect(f"{DRAFT} § 4.7", "a datagram", SESSION_GOES_ON, busy.session_outcome(session))
        own_server.process.terminate()
        for peer, stream in ((busy, session), (idle, quiet)):
            peer.until(lambda: peer.capsules(stream))
            expect(f"{DRAFT} § 4.7", "nothing", [(WT_DRAIN_SESSION, b"")], peer.capsules(stream))
        busy.settle()
        expect(f"{DRAFT} § 4.7", "a datagram after WT_DRAIN_SESSION", SESSION_GOES_ON, busy.session_outcome(session))
        kinds = [[kind for kind, _ in peer.control_frames()] for peer in (busy, idle)]
        # Chromium crashes on a GOAWAY that comes before a session's first data.
        expect("RFC 9114 § 5.2", "nothing", [True, False], [GOAWAY in kinds[0], GOAWAY in kinds[1]])
        for protocol, version in (("webtransport", []), ("websocket", [("sec-websocket-version", "13")])):
            request = late.request(headers(connect(protocol=protocol) + version), end=False)
            expect("RFC 9110 § 15.6.4", f"CONNECT for {protocol}", 503, late.answer(request))
        busy.until(lambda: busy.streams[session].is_finished)
        expect(f"{DRAFT} § 6", "nothing", WT_CLOSE_SESSION, busy.capsules(session)[-1][0])
        assert busy.closed is None, "the reason for the end was lost"
        busy.send(session, end=True)
        busy.until(lambda: busy.closed)
        expect(f"{DRAFT} § 6", "FIN", http3_error("H3_NO_ERROR"), busy.closed)


def test_a_drain_from_the_client_does_not_end_the_session(server: Server) -> None:
    """draft-ietf-webtrans-http3 § 4.7 [28, 33]"""
    with HTTP3Peer(server) as peer:
        session = peer.session()
        peer.send_capsules(session, capsule(WT_DRAIN_SESSION) * 2)
        peer.send(peer.control, frame(GOAWAY, varint(0)))
        expect(f"{DRAFT} § 4.7", "WT_DRAIN_SESSION twice, and GOAWAY", SESSION_GOES_ON, peer.session_outcome(session))
        stream = peer.wt_stream(session, b"after the drain", end=True)
        peer.until(lambda: peer.streams[stream].is_finished)
        assert peer.streams[stream].data == b"after the drain"


def test_a_connection_without_sessions_is_closed(server: Server) -> None:
    """RFC 9114 § 5.1 [35]: browsers leave connections open when their sessions have ended"""
    with HTTP3Peer(server) as peer:
        peer.send(peer.session(), end=True)
        peer.until(lambda: peer.closed, timeout=8)
        expect("RFC 9114 § 5.1", "the end of the only session", http3_error("H3_NO_ERROR"), peer.closed)
