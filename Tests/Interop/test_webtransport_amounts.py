"""Much of something within the limits, which `test_floods.py` goes beyond (RFC 9114 § 10.5): the server bears it."""

from __future__ import annotations

import pytest

from raw_http3 import SESSION_GOES_ON, HTTP3Peer, capsule, connect, get, headers, wt_header
from rules import GOES_ON, expect
from server import Memory, Server


def test_many_capsules_do_not_end_a_session(server: Server) -> None:
    """RFC 9297 § 3.2 [38]: within the limit"""
    with HTTP3Peer(server) as peer:
        session = peer.session()
        peer.send_capsules(session, capsule(0x21) * 5000)
        sender = peer.quic._streams[session].sender
        peer.until(lambda: peer.closed or sender.buffer_is_empty)
        expect("RFC 9297 § 3.2", "5,000 empty capsules", SESSION_GOES_ON, peer.session_outcome(session))


@pytest.mark.parametrize("kind", ["requests", "sessions", "streams"])
def test_rapid_resets_do_not_keep_the_server_busy(own_server: Server, kind: str) -> None:
    """RFC 9114 § 10.5 [38]: everything is opened and reset at once, fewer than the server puts up with"""
    with HTTP3Peer(own_server) as peer:
        session = peer.session() if kind == "streams" else None
        opening = {"requests": headers(get()), "sessions": headers(connect()), "streams": b""}[kind]
        memory = Memory(own_server)
        for _ in range(20):
            streams = [peer.new_stream() for _ in range(100)]
            for stream in streams:
                peer.quic.send_stream_data(stream, opening or wt_header(session) + b"x")
            peer.transmit()
            for stream in streams:
                peer.quic.reset_stream(stream, 0x10C)
                peer.quic.stop_stream(stream, 0x10C)
            if peer.closed or not peer.settle():
                break
        expect("RFC 9114 § 10.5", f"2,000 {kind}, reset at once", GOES_ON, peer.http_outcome())
    with HTTP3Peer(own_server) as other:
        expect("RFC 9114 § 10.5", f"2,000 {kind}, reset at once, then another client", GOES_ON, other.http_outcome())
    growth = memory.growth
    assert growth < 16 << 10, f"2,000 {kind} that have ended cost {growth} kB"
