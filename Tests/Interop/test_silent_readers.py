"""Peers that take nothing: what waits for them is bounded, be it for credit, for acknowledgements or a reader [38]."""

from __future__ import annotations

import socket
import ssl

import pytest

from abuse import Bystander, await_metric, exceeded, flood
from raw_http3 import HTTP3Peer, get, headers, http_datagram, wt_header
from raw_quic import varint
from rules import http3_error
from server import Memory, Server

INITIAL_MAX_DATA, INITIAL_MAX_STREAM_DATA_BIDI_LOCAL = 0x04, 0x05
# In kB. Of the streams of one connection 16 MiB may wait for acknowledgement and 8 MiB to be read, in buffers of a packet's
# payload each, which take up to twice as much: a power of two. That is 49 MB, and the streams themselves some more; without
# the bounds it would be 90.
STREAMS = 60_000
# In kB. Of a connection's answers 8 MiB may wait, and 8 KiB of each further one.
ANSWERS = 25_000
# In kB: a WebSocket's part of it.
BOUND = 40_000
# What waits for peers, in bytes.
WAITING = "apus_quic_unacknowledged_bytes"


class Deaf(HTTP3Peer):
    """Gives no further credit."""

    def __init__(self, server: Server) -> None:
        super().__init__(server, parameters={INITIAL_MAX_DATA: varint(20_000)})
        self.quic._write_connection_limits = lambda *_, **__: None


def push(peer: HTTP3Peer) -> None:
    """Sends until the server takes no more: half a second without progress. Being too impatient fails no test."""

    def sent() -> int:
        return sum(stream.sender.highest_offset for stream in peer.quic._streams.values())

    before = -1
    while before != sent() and peer.closed is None:
        before = sent()
        peer.until(lambda: peer.closed is not None or sent() > before, timeout=0.5)


def test_answers_that_are_not_read(own_server: Server) -> None:
    """RFC 9000 § 4.1: a thousand requests for a mebibyte, by a client that gives no credit for its bytes."""
    with Deaf(own_server) as peer:

        def step() -> None:
            for _ in range(100):
                peer.quic.send_stream_data(peer.new_stream(), headers(get("/test/body")), True)
            peer.transmit()

        outcome = flood(own_server, peer, step, steps=10)
        assert await_metric(own_server, WAITING, lambda count: count > 4 << 20) < 20 << 20
    assert outcome.closed is None
    assert outcome.growth < ANSWERS


def test_a_client_that_reads_no_answer_at_all(own_server: Server) -> None:
    """RFC 9114 § 10.5: half a minute without 32 KiB of what was asked for, however many PINGs come"""
    with Deaf(own_server) as peer:
        for _ in range(10):
            peer.quic.send_stream_data(peer.new_stream(), headers(get("/test/body")), True)

        def step() -> None:
            peer.until(lambda: peer.closed is not None, timeout=1)

        outcome = flood(own_server, peer, step, steps=80)
    assert outcome.closed == http3_error("H3_EXCESSIVE_LOAD")
    assert outcome.steps >= 25
    assert await_metric(own_server, exceeded("unread_responses"), bool) == 1


def test_an_answer_behind_many_that_are_not_read(own_server: Server) -> None:
    """RFC 9000 § 2.2: streams of a connection are apart, also when more is left unread than the server keeps for it."""
    parameters = {INITIAL_MAX_STREAM_DATA_BIDI_LOCAL: varint(500)}
    with HTTP3Peer(own_server, parameters=parameters) as peer:
        peer.quic._write_stream_limits = lambda *_, **__: None

        def step() -> None:
            unread = [peer.request(headers(get("/test/body"))) for _ in range(100)]
            wanted = peer.request(headers(get("/healthz")))
            assert peer.answer(wanted) == 200
            assert peer.until(lambda: peer.streams[wanted].is_finished)
            assert not any(peer.streams[stream].is_finished for stream in unread)

        outcome = flood(own_server, peer, step, steps=10)
        assert await_metric(own_server, WAITING, lambda count: count > 4 << 20) < 20 << 20
    assert outcome.closed is None
    assert outcome.growth < ANSWERS


def test_streams_that_are_not_read(own_server: Server) -> None:
    """The same for echoes on streams of a session: what the server may not send it does not read for ever."""
    with Deaf(own_server) as peer:
        session = peer.session()

        def step() -> None:
            for _ in range(50):
                peer.quic.send_stream_data(peer.new_stream(), wt_header(session) + bytes(100_000), True)
            push(peer)

        outcome = flood(own_server, peer, step, steps=10)
        assert await_metric(own_server, WAITING, lambda count: count > 4 << 20) < 20 << 20
    assert outcome.closed is None
    assert outcome.growth < STREAMS


def silence_acknowledgements(peer: HTTP3Peer) -> None:
    """From now on nothing that the server sends is acknowledged."""
    peer.quic._write_ack_frame = lambda *_, **__: None


@pytest.mark.parametrize(("kind", "steps", "bound"), [
    # 4,800 are sent, and 1,024 may wait.
    ("datagrams", 8, 3_500),
    # 48 MB, of which the server takes what it has given credit for: it may not send that there is more.
    ("streams", 4, STREAMS),
])
def test_a_peer_that_never_acknowledges(own_server: Server, kind: str, steps: int, bound: int) -> None:
    """RFC 9002 § 7: without acknowledgements the congestion window is what the server sends, and the rest waits, bounded."""
    with HTTP3Peer(own_server) as peer:
        session = peer.session()
        peer.settle()
        silence_acknowledgements(peer)

        def step() -> None:
            for _ in range(600 if kind == "datagrams" else 200):
                if kind == "datagrams":
                    peer.quic.send_datagram_frame(http_datagram(session, bytes(1000)))
                else:
                    peer.quic.send_stream_data(peer.new_stream(), wt_header(session) + bytes(60_000), True)
            push(peer)

        outcome = flood(own_server, peer, step, steps)
        if kind == "datagrams":
            await_metric(own_server, 'apus_webtransport_datagrams_dropped_total{direction="sent"}', bool)
        else:
            assert await_metric(own_server, WAITING, lambda count: count > 4 << 20) < 20 << 20
    assert outcome.closed is None
    assert outcome.growth < bound


def test_a_websocket_that_is_not_read(own_server: Server) -> None:
    """Messages that come back to a client that reads none: the server stops reading, too."""
    memory = Memory(own_server)
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    request = (
        f"GET /echo HTTP/1.1\r\nHost: localhost:{own_server.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    context = ssl._create_unverified_context()
    plain = socket.create_connection(("127.0.0.1", own_server.port))
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    with context.wrap_socket(plain) as tls, Bystander(own_server) as bystander:
        tls.sendall(request.encode())
        assert tls.recv(4096).startswith(b"HTTP/1.1 101")
        # A masked text of 60,000 bytes (RFC 6455 § 5.2), with a mask of zeros.
        message = b"\x82\xfe" + (60_000).to_bytes(2, "big") + bytes(4) + bytes(60_000)
        tls.settimeout(2)
        sent = 0
        with pytest.raises(TimeoutError):
            for _ in range(4000):
                tls.sendall(message)
                sent += 1
        bystander.check()
        print(f"{sent} messages were taken, {memory.growth} kB")
        assert memory.growth < BOUND
