"""How WebTransport sessions begin, as the drafts have it (draft-ietf-webtrans-http3 § 3, § 5).

The checklist's numbers stand in brackets; NOT-APPLICABLE.md has those that are not here.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from raw_http3 import (
    CLIENT_SETTINGS, DATA, SESSION_GOES_ON, Fields, HTTP3Peer, capsule, close_capsule, connect,
    frame, get, headers, http_datagram, settings_frame, without,
)
from raw_quic import varint
from rules import GOES_ON, OneOf, expect, rules, stream_error
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


# Those under /test, as `apus serve --help` has them, and one with a name of its own.
TEST_ENDPOINTS = [
    *(f"/test/{name}" for name in (
        "request", "response", "protocol", "export", "datagram-lengths", "streams", "reset", "stop", "order",
        "transfer", "read-then-close", "close-connection", "drain", "record", "query", "count",
    )),
    "/webtransport/devious-baton",
]
TEST_RESOURCE = "/test/body"


@pytest.fixture(scope="module")
def plain_server(apus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server as it is without `--test-endpoints`."""
    running = Server.start(tmp_path_factory.mktemp("plain"), has_test_endpoints=False)
    yield running
    running.stop()


@pytest.mark.parametrize("path", TEST_ENDPOINTS)
def test_an_endpoint_for_tests_is_there_only_when_it_is_asked_for(
    server: Server, plain_server: Server, path: str
) -> None:
    """draft-ietf-webtrans-http3 § 3.2: 404 where nothing is; 400 may be what a query lacks"""
    with HTTP3Peer(server) as peer:
        came = peer.answer(peer.request(headers(connect(path)), end=False))
        expect(f"{DRAFT} § 3.2", f"CONNECT to {path} with --test-endpoints", OneOf(200, 400), came)
    with HTTP3Peer(plain_server) as peer:
        came = peer.answer(peer.request(headers(connect(path)), end=False))
        expect(f"{DRAFT} § 3.2", f"CONNECT to {path} without --test-endpoints", 404, came)
        came = peer.answer(peer.request(headers(connect("/echo")), end=False))
        expect(f"{DRAFT} § 3.2", "CONNECT to /echo without --test-endpoints", 200, came)


def test_a_resource_for_tests_is_there_only_when_it_is_asked_for(server: Server, plain_server: Server) -> None:
    """RFC 9110 § 15.5.5"""
    for running, status in ((server, 200), (plain_server, 404)):
        with HTTP3Peer(running) as peer:
            came = peer.answer(peer.request(headers(get(TEST_RESOURCE))))
            expect("RFC 9110 § 15.5.5", f"GET {TEST_RESOURCE}", status, came)


def test_every_endpoint_for_tests_is_known_here(apus: Path) -> None:
    """Else one that came later might be there unasked, and no test would ask for it."""
    text = subprocess.run([apus, "serve", "--help"], check=True, capture_output=True, text=True).stdout
    assert set(re.findall(r"/test/[a-z-]+", text)) == {*TEST_ENDPOINTS[:-1], TEST_RESOURCE}


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
