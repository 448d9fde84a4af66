"""How WebTransport sessions begin and end, as the drafts have it (draft-ietf-webtrans-http3 § 3, § 5, § 6).

The checklist's numbers stand in brackets; NOT-APPLICABLE.md has those that are not here.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from raw_http3 import (
    CLIENT_SETTINGS, DATA, GOAWAY, SESSION_GOES_ON, WT_CLOSE_SESSION, WT_DRAIN_SESSION, Fields, HTTP3Peer, capsule,
    close_capsule, connect, frame, headers, http_datagram, settings_frame, without,
)
from raw_quic import varint
from rules import GOES_ON, expect, http3_error, rules, stream_error
from server import Server

DRAFT = "draft-ietf-webtrans-http3"
MAX_DATAGRAM_FRAME_SIZE, INITIAL_MAX_STREAMS_BIDI, INITIAL_MAX_STREAMS_UNI = 0x20, 0x08, 0x09
RESET_STREAM_AT = {0x17F7586D2CB570, 0x17F7586D2CB571, 0x1D}

SESSION_GONE = stream_error("WT_SESSION_GONE")
MESSAGE_ERROR = stream_error("H3_MESSAGE_ERROR")


# Establishment


def test_the_servers_settings_offer_every_dialect_once(server: Server) -> None:
    """draft-ietf-webtrans-http3 § 3.1 [1, 2, 3]; exactly 1 where Chromium refuses more"""
    with HTTP3Peer(server) as peer:
        wanted = (0x08, 0x33, 0x2B603742, 0xC671706A, 0x14E9CD29, 0x2C7CF000)
        offered = {identifier: peer.settings().get(identifier) for identifier in wanted}
        expect(f"{DRAFT} § 3.1", "nothing", dict.fromkeys(offered, 1), offered)
        parameters = peer.quic.peer_parameters
        assert parameters[MAX_DATAGRAM_FRAME_SIZE] == varint(65535)
        # ngtcp2 does not have RESET_STREAM_AT: who needs it sees here that it must do without.
        assert not RESET_STREAM_AT & parameters.keys()
        # Chromium fails a stream instead of waiting for a place [23].
        for limit in (INITIAL_MAX_STREAMS_BIDI, INITIAL_MAX_STREAMS_UNI):
            assert int.from_bytes(parameters[limit], "big") & 0x3FFF >= 1000


def test_connect_waits_for_the_clients_settings(server: Server) -> None:
    """draft-ietf-webtrans-http3 § 7.1 [7]: no WebTransport is processed before them"""
    with HTTP3Peer(server, settings=None) as peer:
        session = peer.request(headers(connect()), end=False)
        stream = peer.wt_stream(session, b"early")
        peer.send_datagram(http_datagram(session, b"early"))
        peer.settle()
        expect(f"{DRAFT} § 7.1", "CONNECT before SETTINGS", None, peer.message(session).status)
        peer.open_control(settings_frame(CLIENT_SETTINGS))
        expect(f"{DRAFT} § 7.1", "CONNECT, then SETTINGS", 200, peer.answer(session))
        peer.until(lambda: peer.streams[stream].data and peer.datagrams)
        assert peer.streams[stream].data == b"early"
        assert peer.datagrams == [http_datagram(session, b"early")]


LACKING = [
    (f"{DRAFT} § 3.1 (no setting)", "SETTINGS without SETTINGS_H3_DATAGRAM", {0x2B603742: 1}, 65535),
    (f"{DRAFT} § 3.1 (zero)", "SETTINGS_H3_DATAGRAM of 0", {0x33: 0, 0x2B603742: 1}, 65535),
    (f"{DRAFT} § 3.1 (parameter)", "no max_datagram_frame_size", CLIENT_SETTINGS, None),
]


@pytest.mark.parametrize("rule, sent, settings, datagrams", rules(LACKING))
def test_a_client_that_lacks_what_sessions_need_gets_none(
    server: Server, rule: str, sent: str, settings: dict[int, int], datagrams: int | None
) -> None:
    """[7]: the session is malformed"""
    with HTTP3Peer(server, settings=settings, datagrams=datagrams) as peer:
        expect(rule, f"CONNECT with {sent}", MESSAGE_ERROR, peer.answer(peer.request(headers(connect()), end=False)))


INCOMPLETE = [
    ("RFC 8441 § 4 (:scheme)", "no :scheme", without(connect(), ":scheme")),
    ("RFC 8441 § 4 (:path)", "no :path", without(connect(), ":path")),
    ("RFC 8441 § 4 (:authority)", "no :authority", without(connect(), ":authority")),
    ("RFC 9114 § 4.3.1 (empty :path)", "an empty :path", connect("")),
]


@pytest.mark.parametrize("rule, sent, fields", rules(INCOMPLETE))
def test_an_incomplete_connect_is_malformed(server: Server, rule: str, sent: str, fields: Fields) -> None:
    """[5]"""
    with HTTP3Peer(server) as peer:
        expect(rule, f"CONNECT with {sent}", MESSAGE_ERROR, peer.answer(peer.request(headers(fields), end=False)))
        expect("RFC 9114 § 4.1.2", f"CONNECT with {sent}, then a request", GOES_ON, peer.http_outcome())


def test_another_scheme_than_https_is_refused(server: Server) -> None:
    """draft-ietf-webtrans-http3 § 3.2 [5]: told as any request for the other scheme is (RFC 9110 § 7.4)"""
    with HTTP3Peer(server) as peer:
        fields = [(name, "http" if name == ":scheme" else value) for name, value in connect()]
        came = peer.answer(peer.request(headers(fields), end=False))
        expect(f"{DRAFT} § 3.2", "CONNECT with :scheme http", 421, came)


ORIGINS = [
    ("the host itself", "https://localhost", 200),
    ("the host on another port", "http://localhost:8080", 200),
    ("another host", "https://example.org", 403),
    ("an opaque origin", "null", 403),
    ("no origin at all", "nonsense", 403),
    ("a host that begins alike", "https://localhost.example.org", 403),
    ("the host as user information", "https://localhost:x@example.org", 403),
]


@pytest.mark.parametrize("sent, origin, status", ORIGINS, ids=[row[0] for row in ORIGINS])
def test_origins_are_checked(server: Server, sent: str, origin: str, status: int) -> None:
    """draft-ietf-webtrans-http3 § 3.2 [6]"""
    with HTTP3Peer(server) as peer:
        came = peer.answer(peer.request(headers(connect("/echo", ("origin", origin))), end=False))
        expect(f"{DRAFT} § 3.2", f"Origin: {origin}", status, came)


def test_sessions_beyond_the_servers_limit_are_refused(apus: Path, tmp_path: Path) -> None:
    """draft-ietf-webtrans-http3 § 5.2 [6]; places of ended sessions are given again"""
    running = Server.start(tmp_path, "--max-sessions", "1")
    try:
        with HTTP3Peer(running) as first, HTTP3Peer(running) as second:
            session = first.session()
            came = second.answer(second.request(headers(connect()), end=False))
            expect(f"{DRAFT} § 5.2", "one session more than --max-sessions", 429, came)
            expect(f"{DRAFT} § 5.2", "nothing", SESSION_GOES_ON, first.session_outcome(session))
            first.send(session, end=True)
            first.until(lambda: first.streams[session].is_finished)
            second.session()
    finally:
        running.stop()


def test_a_second_session_on_a_connection_is_rejected(server: Server) -> None:
    """draft-ietf-webtrans-http3 § 5.1, § 5.2 [12]: without session flow control a connection carries one"""
    with HTTP3Peer(server) as peer:
        peer.session()
        came = peer.answer(peer.request(headers(connect()), end=False))
        expect(f"{DRAFT} § 5.1", "a second CONNECT", stream_error("H3_REQUEST_REJECTED"), came)


def test_a_second_session_does_not_disturb_the_first(server: Server) -> None:
    """draft-ietf-webtrans-http3 § 5.2 [12]: the connection stays; and when the first has ended, another may begin"""
    with HTTP3Peer(server) as peer:
        first = peer.session()
        second = peer.request(headers(connect()), end=False)
        assert peer.answer(second) != 200
        stray = peer.wt_stream(second, b"x")
        expect(f"{DRAFT} § 4.6", "a stream of a refused session", SESSION_GONE, peer.stream_outcome(stray))
        expect(f"{DRAFT} § 5.2", "a second CONNECT", SESSION_GOES_ON, peer.session_outcome(first))
        peer.send_capsules(first, close_capsule(0), end=True)
        peer.until(lambda: peer.streams[first].is_finished)
        third = peer.session()
        expect(f"{DRAFT} § 5.2", "a session after another", SESSION_GOES_ON, peer.session_outcome(third))


def test_capsules_before_the_answer_are_kept(server: Server) -> None:
    """draft-ietf-webtrans-http3 § 3.2 [8]: Chromium always sends one at once"""
    with HTTP3Peer(server) as peer:
        session = peer.request(headers(connect()) + frame(DATA, capsule(0x21, b"grease")), end=False)
        expect(f"{DRAFT} § 3.2", "a reserved capsule with CONNECT", 200, peer.answer(session))
        expect(f"{DRAFT} § 3.2", "a reserved capsule with CONNECT", SESSION_GOES_ON, peer.session_outcome(session))
    with HTTP3Peer(server, settings=None) as peer:
        session = peer.request(headers(connect()) + frame(DATA, close_capsule(7, b"never mind")), end=True)
        peer.settle()
        peer.open_control(settings_frame(CLIENT_SETTINGS))
        expect(f"{DRAFT} § 3.2", "CONNECT and WT_CLOSE_SESSION, then SETTINGS", "the stream ends in order",
               peer.stream_outcome(session))
        assert peer.message(session).status == 200


def test_the_version_header_of_draft_02_is_answered(server: Server) -> None:
    """draft-ietf-webtrans-http3-02 § 3.3 [9]: and left out for others"""
    with HTTP3Peer(server) as peer:
        fields = peer.message(peer.session("/echo", ("sec-webtransport-http3-draft02", "1"))).fields
        expect(f"{DRAFT}-02 § 3.3", "the offer", "draft02", fields.get("sec-webtransport-http3-draft"))
    with HTTP3Peer(server) as peer:
        fields = peer.message(peer.session(protocol="webtransport-h3")).fields
        expect(f"{DRAFT}-02 § 3.3", "no offer", None, fields.get("sec-webtransport-http3-draft"))


@pytest.mark.parametrize("value", ['"chat", "other";q=1', "token", '"unfinished', "(", "\"a\",,", "1, 2"])
def test_offers_of_application_protocols_do_no_harm(server: Server, value: str) -> None:
    """draft-ietf-webtrans-http3 § 3.3 [10]: a field that is no list of strings is ignored"""
    with HTTP3Peer(server) as peer:
        session = peer.session("/echo", ("wt-available-protocols", value))
        expect(f"{DRAFT} § 3.3", f"WT-Available-Protocols: {value}, at an endpoint without protocols", None,
               peer.message(session).fields.get("wt-protocol"))


def test_header_fields_reach_the_application_and_come_back(server: Server) -> None:
    """RFC 9114 § 4.2, draft-ietf-webtrans-http3 § 3.2 [11]: in the order of the request, a name that comes twice twice"""
    fields = [("x-one", "1"), ("x-two", "large, 2"), ("x-one", "3"), ("origin", "https://localhost")]
    with HTTP3Peer(server) as peer:
        said = json.loads(peer.said(peer.session("/test/request?a=b%20c", *fields)))
        expect("RFC 9114 § 4.2", f"CONNECT with {fields}", [{"name": name, "value": value} for name, value in fields],
               said["fields"])
        assert (said["method"], said["path"], said["protocol"]) == ("CONNECT", "/test/request?a=b%20c", "webtransport")
    with HTTP3Peer(server) as peer:
        session = peer.session("/test/response?:status=200&x-answer=yes&x-more=of%20it")
        answer = peer.message(session).fields
        expect(f"{DRAFT} § 3.2", "a session with fields of its own", ("yes", "of it"), (answer["x-answer"], answer["x-more"]))


# Ends


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
    with HTTP3Peer(own_server) as busy, HTTP3Peer(own_server) as idle:
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
