"""Peers that give no credit, or leave things half done, again and again: the server's memory and its places are its own."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from abuse import await_metric
from raw_http3 import (
    CLIENT_SETTINGS, DECODER_STREAM, ENCODER_STREAM, HTTP3Peer, connect, headers, settings_frame, wt_header,
)
from raw_quic import varint
from server import Server, resident

INITIAL_MAX_DATA, INITIAL_MAX_STREAMS_UNI = 0x04, 0x09
STOP_SENDING, H3_REQUEST_CANCELLED = 0x05, 0x10C


def test_a_request_that_ends_before_settings_takes_no_place(apus: Path, tmp_path: Path) -> None:
    """A CONNECT, its end, and STOP_SENDING for the answer: what SETTINGS would have begun is gone."""
    server = Server.start(tmp_path, "--max-sessions", "2")
    try:
        for _ in range(3):
            with HTTP3Peer(server, settings=None) as peer:
                peer.open(ENCODER_STREAM)
                peer.open(DECODER_STREAM)
                request = peer.request(headers(connect()), end=True)
                peer.settle()
                peer.quic.stop_stream(request, H3_REQUEST_CANCELLED)
                peer.transmit()
                peer.until(lambda: peer.streams[request].reset is not None)
                peer.settle()
                peer.open_control(settings_frame(CLIENT_SETTINGS))
                peer.settle()
                assert peer.closed is None, f"the connection ended: {peer.closed}"
        assert server.is_running
        with HTTP3Peer(server) as first, HTTP3Peer(server) as second:
            first.session()
            second.session()
    finally:
        server.stop()


def test_streams_that_wait_for_credit_do_not_outlive_their_end(own_server: Server) -> None:
    """RFC 9000 § 4.1: a client that never raises MAX_DATA has its echoes wait, and stops them stream by stream."""
    with HTTP3Peer(own_server, parameters={INITIAL_MAX_DATA: varint(4000)}) as peer:
        peer.quic._write_connection_limits = lambda *_, **__: None
        session = peer.session()

        def streams(count: int) -> None:
            opened = [peer.new_stream() for _ in range(count)]
            for stream in opened:
                peer.quic.send_stream_data(stream, wt_header(session) + bytes(4000), True)
            peer.transmit()
            peer.settle()
            for stream in opened:
                peer.send_frames(varint(STOP_SENDING) + varint(stream) + varint(H3_REQUEST_CANCELLED))
            # aioquic forgets a stream when its data is acknowledged and the answer has ended.
            peer.until(lambda: peer.closed or not peer.quic._streams.keys() & set(opened))
            assert peer.closed is None

        for _ in range(3):
            streams(100)
        before = resident(own_server)
        for _ in range(10):
            streams(100)
        # The echoes that were never sent are 4,000 kB.
        assert resident(own_server) - before < 1500


@pytest.mark.parametrize("path", ["/echo", "/sink"])
def test_streams_whose_answers_cannot_be_opened_are_bounded(own_server: Server, path: str) -> None:
    """RFC 9000 § 4.6: a client that allows the server none of its own streams soon may open none either."""
    with HTTP3Peer(own_server, parameters={INITIAL_MAX_STREAMS_UNI: varint(3)}) as peer:
        # Credit that seems unused is never renewed.
        peer.quic._local_max_streams_uni.value = 3
        peer.quic._local_max_streams_uni.used = -1 << 40
        session = peer.session(path)
        for _ in range(50):
            for _ in range(100):
                peer.quic.send_stream_data(peer.new_stream(True), wt_header(session, True), True)
            peer.transmit()
            peer.settle()
        assert peer.closed is None
        # The server allows 1,024 at once, and no more than that for those which have an answer outstanding.
        assert peer.quic._remote_max_streams_uni < 2048


CONNECTIONS = "apus_quic_connections"


def test_streams_that_wait_for_a_session_go_with_their_connection(own_server: Server) -> None:
    """draft-ietf-webtrans-http3 § 4.6 [17]: what waits for a session that never comes is nobody's when its peer has gone"""

    def connections(count: int) -> None:
        for _ in range(count):
            with HTTP3Peer(own_server) as peer:
                for _ in range(24):
                    peer.quic.send_stream_data(peer.new_stream(True), wt_header(1 << 10, True) + b"x", True)
                peer.transmit()
                peer.settle()
                assert peer.closed is None
        await_metric(own_server, CONNECTIONS, lambda count: count == 0)

    connections(50)
    before = resident(own_server)
    connections(100)
    # A connection that stays costs more than a hundred.
    assert resident(own_server) - before < 100 * 40


def test_connections_that_fall_silent_are_counted_once(apus: Path, tmp_path: Path) -> None:
    """Their sessions' handlers end after them."""
    server = Server.start(tmp_path, "--idle-timeout", "2s")
    try:
        with ExitStack() as stack:
            for _ in range(5):
                stack.enter_context(HTTP3Peer(server)).session()
            await_metric(server, CONNECTIONS, lambda count: count == 5)
            await_metric(server, 'apus_quic_connections_closed_total{reason="idle_timeout"}', lambda count: count == 5)
        with HTTP3Peer(server) as peer:
            peer.session()
            await_metric(server, CONNECTIONS, lambda count: count == 1)
    finally:
        server.stop()
