"""Much of everything, by honest clients: no limit that is there for floods may stop it."""

from __future__ import annotations

import asyncio
import os

from abuse import PATIENCE, await_places, metrics
from http3_client import client
from raw_http3 import HTTP3Peer, close_capsule, get, headers, wt_header
from server import Memory, Server

IS_FULL = os.environ.get("APUS_MEMORY") == "full"
SESSIONS = 10_000 if IS_FULL else 1000
# In kB, for the later half of the sessions.
LEFT_BY_SESSIONS = SESSIONS // 2 * 200 // 1000 + 500


def none_exceeded(server: Server) -> bool:
    return not any(value for series, value in metrics(server).items() if series.startswith("apus_limits_exceeded"))


def test_a_thousand_requests_at_once(own_server: Server) -> None:
    """One connection, a thousand GETs in parallel, and each has its answer [44]."""

    async def body() -> None:
        async with client(own_server) as protocol:
            paths = ["/healthz", "/", "/nothing", "/lab/main.js"]
            streams = {}
            for number in range(1000):
                stream = protocol._quic.get_next_available_stream_id()
                path = paths[number % 4]
                protocol.http.send_headers(stream, protocol._headers("GET", path), end_stream=True)
                streams[stream] = path
            protocol.transmit()
            async with asyncio.timeout(PATIENCE):
                while not protocol.ended >= streams.keys():
                    protocol._changed.clear()
                    await protocol._changed.wait()
            lengths = set()
            for stream, path in streams.items():
                answer = protocol.answers[stream]
                assert answer.status == (404 if path == "/nothing" else 200)
                assert len(answer.body) == int(answer.fields["content-length"])
                if path == "/healthz":
                    assert answer.body == b"ok"
                lengths.add((path, answer.status, len(answer.body)))
            # Every answer to a path is the same.
            assert len(lengths) == 4

    asyncio.run(body())
    assert none_exceeded(own_server)


def test_ten_thousand_streams_one_after_the_other(own_server: Server) -> None:
    """Opened, used and ended in haste, on one session [24]."""
    with HTTP3Peer(own_server) as peer:
        session = peer.session()
        for _ in range(40):
            await_places(peer, False, 250)
            opened = [peer.new_stream() for _ in range(250)]
            for stream in opened:
                peer.quic.send_stream_data(stream, wt_header(session) + b"x", True)
            assert peer.until(
                lambda: peer.closed or all(peer.streams[stream].is_finished for stream in opened), timeout=PATIENCE
            )
            assert peer.closed is None
            assert all(peer.streams[stream].data == b"x" for stream in opened)
    assert none_exceeded(own_server)


def test_a_browser_that_cancels_a_thousand_fetches(own_server: Server) -> None:
    """RFC 9114 § 4.1.1: each with RESET_STREAM and STOP_SENDING, a hundred at a time, some answered and some not."""
    with HTTP3Peer(own_server) as peer:
        for _ in range(10):
            await_places(peer, False, 100)
            for number in range(100):
                stream = peer.new_stream()
                peer.quic.send_stream_data(stream, headers(get("/"))[: None if number % 2 else 12], False)
                peer.transmit()
                peer.quic.reset_stream(stream, 0x10C)
                peer.quic.stop_stream(stream, 0x10C)
            peer.transmit()
            assert peer.http_outcome() == "the connection goes on"
        # All of them have ended: as many places are free as in the beginning.
        await_places(peer, False, 1000)
    assert none_exceeded(own_server)


def test_sessions_one_after_the_other(own_server: Server) -> None:
    """On one connection, each with a stream and a close: nothing stays of them."""
    with HTTP3Peer(own_server) as peer:

        def sessions(count: int) -> None:
            for _ in range(count):
                session = peer.session()
                stream = peer.wt_stream(session, b"x", end=True)
                assert peer.echo_of(stream, session) == b"x"
                peer.send_capsules(session, close_capsule(0), end=True)
                assert peer.until(lambda: peer.streams[session].is_finished or peer.closed, timeout=PATIENCE)
                assert peer.closed is None

        sessions(SESSIONS // 2)
        memory = Memory(own_server)
        sessions(SESSIONS - SESSIONS // 2)
        growth = memory.growth
    print(f"{growth} kB for {SESSIONS - SESSIONS // 2} sessions")
    assert growth < LEFT_BY_SESSIONS
    assert none_exceeded(own_server)
