"""WebSockets whose client does not read, over HTTP/2 and HTTP/3 [69, 70]: they are held up, and hold up nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import http2_client
import http3_client
from server import Memory, Server
from websocket_peer import BINARY, Http2Tunnel, Http3Tunnel, frame

MESSAGE = bytes(16 << 10)
FRAME = frame(BINARY, MESSAGE)
# In kB: several times what the limits of one session add up to, and far from what the client could have sent.
SLACK = 24 << 10
COUNT = 1024


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
