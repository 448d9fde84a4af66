"""What the server counts [38]: each event raises its series by one, as it is told from outside.

Series of floods stand with the floods (`test_floods.py`, `test_connection_floods.py` and others).
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from abuse import PATIENCE, await_metric, metrics
from raw_http3 import DATA, HTTP3Peer, close_capsule, connect, frame, headers, wt_header
from rules import stream_error
from server import Server

QUIC, WEBTRANSPORT, WEBSOCKET = "apus_quic_", "apus_webtransport_", "apus_websocket_"


@pytest.fixture(scope="module")
def counting(apus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of which nobody but these tests asks anything."""
    server = Server.start(tmp_path_factory.mktemp("counting"))
    yield server
    server.stop()


def early_streams(server: Server) -> None:
    """One more than is kept, for a session that never comes."""
    with HTTP3Peer(server) as peer:
        session = peer.new_stream()
        streams = [peer.new_stream() for _ in range(25)]
        for stream in streams:
            peer.send(stream, wt_header(session) + b"early")
        assert peer.until(lambda: any(peer.streams[stream].aborted for stream in streams))


def late_stream(server: Server) -> None:
    with HTTP3Peer(server) as peer:
        session = peer.session()
        peer.send(session, frame(DATA, close_capsule(0)), end=True)
        assert peer.until(lambda: peer.streams[session].is_finished)
        assert peer.stream_outcome(peer.wt_stream(session, b"late")) == stream_error("WT_SESSION_GONE")


def refused_session(server: Server) -> None:
    with HTTP3Peer(server) as peer:
        assert peer.answer(peer.request(headers(connect("/nowhere")), end=False)) == 404


def second_session(server: Server) -> None:
    with HTTP3Peer(server) as peer:
        peer.session()
        second = peer.request(headers(connect()), end=False)
        assert peer.answer(second) == stream_error("H3_REQUEST_REJECTED")


def datagram(data: bytes, is_answered: bool = True) -> Callable[[Server], None]:
    def send(server: Server) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.settimeout(PATIENCE)
            udp.sendto(data, ("127.0.0.1", server.port))
            if is_answered:
                udp.recv(2048)

    return send


def http11(data: bytes, answer: bytes, is_secure: bool = True) -> Callable[[Server], None]:
    """Sends what is no whole request, and waits for the end."""

    def send(server: Server) -> None:
        context = ssl._create_unverified_context()
        port = server.port if is_secure else server.http_port
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as tcp:
            stream = context.wrap_socket(tcp) if is_secure else tcp
            stream.sendall(data)
            came = b""
            while piece := stream.recv(4096):
                came += piece
            assert came.startswith(answer), came
            if not answer:
                assert came == b""

    return send


HANDSHAKE = (
    b"GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
# A version that nobody speaks, in a packet that is large enough to be answered (RFC 9000 § 6.1).
UNKNOWN_VERSION = b"\xc0\x1a\x2a\x3a\x4a\x08" + bytes(8) + b"\x08" + bytes(8) + bytes(1200)
EVENTS = {
    "a stream too many before its session": (WEBTRANSPORT + 'streams_rejected_total{reason="too_early"}', early_streams),
    "a stream after its session": (WEBTRANSPORT + 'streams_rejected_total{reason="session_gone"}', late_stream),
    "a session at no path": (WEBTRANSPORT + 'sessions_refused_total{status="404"}', refused_session),
    "a session too many": (WEBTRANSPORT + 'sessions_refused_total{status="none"}', second_session),
    "a version that is unknown": (QUIC + "version_negotiations_total", datagram(UNKNOWN_VERSION)),
    "a packet of a connection that is unknown": (QUIC + "stateless_resets_total", datagram(b"\x40" + os.urandom(99))),
    "a datagram that is nothing": (
        QUIC + 'udp_datagrams_dropped_total{reason="no_connection"}', datagram(b"\xc0\x00", is_answered=False),
    ),
    "a header section that does not end": (
        "apus_tcp_connections_timed_out_total", http11(b"GET /healthz HTTP/1.1\r\nHo", b""),
    ),
    "a body that does not come": (
        "apus_tcp_connections_timed_out_total",
        http11(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n", b"HTTP/1.1 408 ", is_secure=False),
    ),
    "a WebSocket of a page that may not": (
        WEBSOCKET + 'sessions_refused_total{status="403"}',
        http11(HANDSHAKE % b"/echo" + b"Origin: https://example.org\r\n\r\n", b"HTTP/1.1 403 "),
    ),
}


@pytest.mark.parametrize("series, happens", EVENTS.values(), ids=EVENTS)
def test_an_event_raises_its_series(counting: Server, series: str, happens: Callable[[Server], None]) -> None:
    before = metrics(counting).get(series, 0)
    happens(counting)
    await_metric(counting, series, lambda count: count > before)
    assert metrics(counting)[series] == before + 1
