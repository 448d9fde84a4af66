"""WebSockets whose client does not read, over HTTP/2 and HTTP/3 [69, 70]: they are held up, and hold up nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from h2.errors import ErrorCodes

import http2_client
import http3_client
from abuse import await_metric
from rules import expect
from server import Memory, Server
from websocket_peer import BINARY, Http1Tunnel, Http2Tunnel, Http3Tunnel, frame, websocket

MESSAGE = bytes(16 << 10)
FRAME = frame(BINARY, MESSAGE)
# In kB: several times what the limits of one session add up to, and far from what the client could have sent.
SLACK = 24 << 10
COUNT = 1024
# In seconds. They are given up after one minute at most.
PATIENCE = 120.0
H3_REQUEST_CANCELLED = 0x10C


async def quiet(progress: Callable[[], int]) -> int:
    """Returns how far it came when half a second has brought no progress. Being too impatient fails no test."""
    before = -1
    while before != progress():
        before = progress()
        await asyncio.sleep(0.5)
    return before


def test_a_client_that_does_not_read_is_held_up_over_http2(own_server: Server) -> None:
    """RFC 9113 § 5.2.2: no credit is given for what nobody takes; when it reads again, everything comes back."""

    async def main() -> None:
        async with http2_client.client(own_server) as client:
            tunnel = Http2Tunnel(client)
            await tunnel.open("/echo", {"Sec-WebSocket-Version": "13"})
            tunnel.stream.holds = True
            sent = 0

            async def flood() -> None:
                nonlocal sent
                for _ in range(COUNT):
                    # It waits for credit as long as it takes.
                    await client.send(tunnel.number, FRAME, patience=None)
                    sent += 1

            memory = Memory(own_server)
            sending = asyncio.create_task(flood())
            assert await quiet(lambda: sent) * len(FRAME) < 4 << 20
            assert memory.growth < SLACK
            # The connection is not held up with it.
            assert (await client.request("GET", "/healthz")).body == b"ok"
            client.release(tunnel.number)
            for _ in range(COUNT):
                assert len(await tunnel.message()) == len(MESSAGE)
            await sending
            assert memory.growth < SLACK

    asyncio.run(main())


def test_a_client_that_does_not_read_is_held_up_over_http3(own_server: Server) -> None:
    """RFC 9000 § 4.1: likewise, by the credit of QUIC's streams."""

    async def main() -> None:
        async with http3_client.client(own_server) as client:
            quic = client._quic
            renew_stream, renew_connection = quic._write_stream_limits, quic._write_connection_limits
            tunnel = Http3Tunnel(client)
            await tunnel.open("/echo", {"Sec-WebSocket-Version": "13"})
            quic._write_stream_limits = quic._write_connection_limits = lambda *_, **__: None
            memory = Memory(own_server)
            await tunnel.send(FRAME * COUNT)
            sender = quic._streams[tunnel.number].sender
            assert await quiet(lambda: sender.highest_offset) < 8 << 20
            assert memory.growth < SLACK
            quic._write_stream_limits, quic._write_connection_limits = renew_stream, renew_connection
            client.transmit()
            for _ in range(COUNT):
                assert len(await tunnel.message()) == len(MESSAGE)

    asyncio.run(main())


async def deaf_over_tcp(server: Server) -> None:
    context = http2_client.tls("http/1.1")
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context, limit=1 << 10)
    tunnel = Http1Tunnel(reader, writer)
    await tunnel.open("/echo", {"Sec-WebSocket-Version": "13"})
    # Nobody takes from the reader, which then takes no more from the socket.
    with pytest.raises(ConnectionError):
        async with asyncio.timeout(PATIENCE):
            while True:
                await tunnel.send(FRAME)
    writer.transport.abort()


async def deaf_over_http2(server: Server) -> None:
    async with http2_client.client(server) as client:
        tunnel = Http2Tunnel(client)
        await tunnel.open("/echo", {"Sec-WebSocket-Version": "13"})
        tunnel.stream.holds = True
        with pytest.raises(AssertionError):
            await client.send(tunnel.number, FRAME * COUNT, patience=PATIENCE)
        expect("RFC 8441 § 5", "a session that is not read", ErrorCodes.CANCEL, tunnel.stream.reset)


async def deaf_over_http3(server: Server) -> None:
    async with http3_client.client(server, patience=PATIENCE) as client:
        quic = client._quic
        tunnel = Http3Tunnel(client)
        await tunnel.open("/echo", {"Sec-WebSocket-Version": "13"})
        quic._write_stream_limits = quic._write_connection_limits = lambda *_, **__: None
        await tunnel.send(FRAME * COUNT)
        while tunnel.end() is None:
            # It is alive, and says so.
            await client.ping()
            await asyncio.sleep(1)
        expect("RFC 9220 § 3", "a session that is not read", f"reset {H3_REQUEST_CANCELLED:#x}", tunnel.end())


def test_sessions_that_are_not_read_end(own_server: Server) -> None:
    """[38] Whose client takes nothing of what waits for it for half a minute, over each version of HTTP at once."""

    async def main() -> None:
        async with websocket(own_server, "HTTP/1.1") as bystander:
            memory = Memory(own_server)
            deaf = [asyncio.create_task(body(own_server)) for body in (deaf_over_tcp, deaf_over_http2, deaf_over_http3)]
            while not all(task.done() for task in deaf):
                await bystander.send(frame(BINARY, b"still served?"))
                assert await bystander.message() == b"still served?"
                await asyncio.sleep(0.5)
            for task in deaf:
                await task
            assert memory.growth < 2 * SLACK

    asyncio.run(main())
    series = 'apus_websocket_limits_exceeded_total{limit="unread"}'
    assert await_metric(own_server, series, lambda count: count >= 3) == 3


def test_streams_that_hold_no_more_make_room_for_a_session_that_waits(own_server: Server) -> None:
    """What the streams of a connection hold together is bounded. Who could write, but for others, is told when they end."""

    async def main() -> None:
        async with http3_client.client(own_server, max_stream_data=64 << 10) as client:
            quic = client._quic
            renew, renewed = quic._write_stream_limits, set()

            def renew_some(builder: object, space: object, stream: object) -> None:
                if stream.stream_id in renewed:
                    renew(builder, space, stream)

            quic._write_stream_limits = renew_some
            # A handler writes more at once than the streams of a connection hold together, which is 16 MiB.
            others = await client.session(f"/test/transfer?streams=1&bytes={32 << 20}")
            await client.until(lambda: any(len(data) > 32 << 10 for data in client.streams.values()))
            tunnel = Http3Tunnel(client)
            await tunnel.open(f"/source?bytes={4 << 20}", {"Sec-WebSocket-Version": "13"})
            renewed.add(tunnel.number)
            client.transmit()
            assert await quiet(lambda: len(tunnel.received())) < 3 << 20, "there is no room for more"
            client.reset(others, 0x10C)
            client.stop(others, 0x10C)
            await tunnel.until(lambda: len(tunnel.received()) > 4 << 20)

    asyncio.run(main())
