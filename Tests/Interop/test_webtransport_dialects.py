"""Clients of every dialect, each with the SETTINGS and the token of `:protocol` that it is known to have, get a session that
works, from a server of one session on a connection and from one of several (draft-ietf-webtrans-http3 § 3.1, § 9.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from raw_http3 import SESSION_GOES_ON, HTTP3Peer, close_capsule, connect, headers, http_datagram
from rules import expect
from server import Server

CONNECT_PROTOCOL, DATAGRAM, DATAGRAM_DRAFT_04 = 0x08, 0x33, 0xFFD277
DRAFT_02, MAX_SESSIONS_DRAFT_07, MAX_SESSIONS, ENABLED = 0x2B603742, 0xC671706A, 0x14E9CD29, 0x2C7CF000
INITIAL_DATA, INITIAL_UNI, INITIAL_BIDI = 0x2B61, 0x2B64, 0x2B65
LIMITS = {INITIAL_DATA: 1 << 20, INITIAL_UNI: 100, INITIAL_BIDI: 100}


@dataclass(frozen=True)
class Client:
    settings: dict[int, int]
    token: str = "webtransport"
    # Draft-02 had its version in a field of the request, which the response answers.
    says_draft_02: bool = False

    @property
    def fields(self) -> list[tuple[str, str]]:
        return [("sec-webtransport-http3-draft02", "1")] if self.says_draft_02 else []


CLIENTS = {
    "Chromium": Client(
        {0x01: 65536, 0x06: 16384, 0x07: 100, DATAGRAM: 1, DATAGRAM_DRAFT_04: 1, DRAFT_02: 1}, says_draft_02=True),
    "Firefox": Client(
        {0x01: 65536, 0x07: 20, CONNECT_PROTOCOL: 1, DATAGRAM: 1, DATAGRAM_DRAFT_04: 1, DRAFT_02: 1},
        says_draft_02=True),
    "Safari": Client({CONNECT_PROTOCOL: 1, DATAGRAM: 1, MAX_SESSIONS_DRAFT_07: 1, MAX_SESSIONS: 1}),
    "Safari, with limits": Client(
        {CONNECT_PROTOCOL: 1, DATAGRAM: 1, MAX_SESSIONS_DRAFT_07: 100, MAX_SESSIONS: 100} | LIMITS),
    "draft-07": Client({DATAGRAM: 1, MAX_SESSIONS_DRAFT_07: 1}),
    "draft-13 and 14": Client({DATAGRAM: 1, MAX_SESSIONS: 1}),
    "draft-13 and 14, with limits": Client({DATAGRAM: 1, MAX_SESSIONS: 16} | LIMITS),
    "draft-15 and 16": Client({DATAGRAM: 1, ENABLED: 1}, token="webtransport-h3"),
    "draft-15 and 16, with limits": Client({DATAGRAM: 1, ENABLED: 1} | LIMITS, token="webtransport-h3"),
    "every dialect at once": Client(
        {DATAGRAM: 1, DRAFT_02: 1, MAX_SESSIONS_DRAFT_07: 1, MAX_SESSIONS: 1, ENABLED: 1}, token="webtransport-h3"),
    "settings that nobody knows, beside": Client({DATAGRAM: 1, DRAFT_02: 1, 0x1F * 9 + 0x21: 7, 0x2C7CF0FF: 9}),
}


@pytest.fixture(scope="module")
def several(apus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server.start(tmp_path_factory.mktemp("several"), "--sessions-per-connection", "3")
    yield running
    running.stop()


@pytest.mark.parametrize("sessions", ["one session on a connection", "several"])
@pytest.mark.parametrize("name", CLIENTS)
def test_a_session_works(request: pytest.FixtureRequest, name: str, sessions: str) -> None:
    """draft-ietf-webtrans-http3 § 3.1 [1, 4]: streams of both kinds, both ways, datagrams, and an end with code and reason"""
    server = request.getfixturevalue("several" if sessions == "several" else "server")
    client = CLIENTS[name]
    with HTTP3Peer(server, settings=client.settings) as peer:
        # Whoever wants to know the server waits for its SETTINGS, as all do.
        peer.settings()
        session = peer.request(headers(connect("/echo", *client.fields, protocol=client.token)), end=False)
        expect("§ 3.1", f"CONNECT as of {name}", 200, peer.answer(session))
        answered = "sec-webtransport-http3-draft" in peer.message(session).fields
        expect("draft-02 § 3.3", "the version header", client.says_draft_02, answered)
        for unidirectional in (False, True):
            stream = peer.wt_stream(session, b"there and back", end=True, unidirectional=unidirectional)
            expect("§ 4", "a stream", b"there and back", peer.echo_of(stream, session))
        expect("§ 4.5", "a datagram", SESSION_GOES_ON, peer.session_outcome(session))
        peer.send_capsules(session, close_capsule(7, b"enough"), end=True)
        peer.until(lambda: peer.streams[session].is_finished)
        assert peer.streams[session].is_finished, f"the close has no answer: {peer.closed or peer.silence}"


OFFERS_NOTHING = {
    "no dialect": {CONNECT_PROTOCOL: 1, DATAGRAM: 1},
    "every dialect, but off": {DATAGRAM: 1, DRAFT_02: 0, MAX_SESSIONS_DRAFT_07: 0, MAX_SESSIONS: 0, ENABLED: 0},
}


@pytest.mark.parametrize("name", OFFERS_NOTHING)
def test_a_client_without_a_dialect_is_served_in_the_newest(server: Server, name: str) -> None:
    """draft-ietf-webtrans-http3 § 3.1: since draft-15 the token says enough, and a client need announce nothing"""
    with HTTP3Peer(server, settings=OFFERS_NOTHING[name]) as peer:
        session = peer.session(protocol="webtransport-h3")
        peer.send_datagram(http_datagram(session, b"here"))
        expect("§ 3.1", name, SESSION_GOES_ON, peer.session_outcome(session))
