"""Floods of frames that bring nothing [72]: RFC 6455 allows each of them, and sets no limit. Over every mapping they end
the session with 1008, are counted, cost the server little, and harm nobody else."""

from __future__ import annotations

import asyncio
import zlib
from pathlib import Path

import pytest

from abuse import await_metric
from rules import expect
from server import Memory, Server
from websocket_peer import BINARY, CLOSE, MAPPINGS, PING, PONG, TEXT, frame, websocket

CONTINUATION = 0
SERIES = 'apus_websocket_limits_exceeded_total{limit="idle_frames"}'
# In kB, of a debug build.
BOUND = 4_000

# What comes first, what comes again and again, and how much of it there is.
FLOODS = {
    "pings": (b"", frame(PING, b"?")),
    "the longest pings": (b"", frame(PING, bytes(125))),
    "pongs that nobody asked for": (b"", frame(PONG)),
    "fragments without data": (frame(TEXT, b"a", final=False), frame(CONTINUATION, final=False)),
}


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("sent", FLOODS)
def test_a_flood_ends_the_session_and_no_other(own_server: Server, mapping: str, sent: str) -> None:
    """RFC 6455 § 5.4, § 5.5, § 7.4.1, § 10.4"""
    first, again = FLOODS[sent]

    async def main() -> int:
        async with websocket(own_server, mapping) as bystander, websocket(own_server, mapping) as tunnel:
            memory = Memory(own_server)
            await tunnel.send(first)
            closed = asyncio.create_task(close_of(tunnel))
            for number in range(100):
                if closed.done():
                    break
                await tunnel.send(again * 1000)
                text = b"echo %d" % number
                await bystander.send(frame(TEXT, text))
                assert await bystander.message() == text
            expect("RFC 6455 § 7.4.1", f"100,000 {sent}", (1008, "too many pings, pongs or fragments without data"),
                   await closed)
            return memory.growth

    growth = asyncio.run(main())
    print(f"{growth} kB")
    assert growth < BOUND
    assert await_metric(own_server, SERIES, bool) == 1


def test_fragments_that_decompress_to_nothing(apus: Path, tmp_path: Path) -> None:
    """RFC 7692 § 7.2.1: an empty block of DEFLATE is five bytes, and brings none."""
    running = Server.start(tmp_path, "--compression")

    async def main() -> None:
        fields = {"Sec-WebSocket-Extensions": "permessage-deflate"}
        async with websocket(running, "HTTP/1.1", "/echo", fields) as tunnel:
            await tunnel.send(frame(TEXT, b"", final=False, rsv1=True))
            closed = asyncio.create_task(close_of(tunnel))
            for _ in range(100):
                if closed.done():
                    break
                await tunnel.send(frame(CONTINUATION, b"\x00\x00\x00\xff\xff", final=False) * 1000)
                await asyncio.sleep(0)
            code, _ = await closed
            expect("RFC 6455 § 7.4.1", "100,000 empty blocks", 1008, code)

    try:
        asyncio.run(main())
        assert await_metric(running, SERIES, bool) == 1
    finally:
        running.stop()


# 256 MiB, of which 300 kB travel; and in kB of a debug build, what a session may hold of them: a message in each
# direction, and those that have come in one read before the first was looked at.
COMPRESSED = 256
HELD = 16_000


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_compressed_messages_wait_as_they_came(apus: Path, tmp_path: Path, mapping: str) -> None:
    """RFC 7692 § 8: what decompresses to very much is not decompressed before somebody wants it [72]."""
    running = Server.start(tmp_path, "--compression")
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    payload = (deflater.compress(bytes(1 << 20)) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]

    async def main() -> int:
        fields = {"Sec-WebSocket-Extensions": "permessage-deflate; client_no_context_takeover"}
        async with websocket(running, mapping) as bystander, websocket(running, mapping, "/echo", fields) as tunnel:
            memory = Memory(running)
            # Its echoes are as large as what it sends; they are not read.
            sending = asyncio.create_task(tunnel.send(frame(BINARY, payload, rsv1=True) * COMPRESSED))
            for number in range(20):
                text = b"echo %d" % number
                await bystander.send(frame(TEXT, text))
                assert await bystander.message() == text
            sending.cancel()
            return memory.growth

    try:
        growth = asyncio.run(main())
    finally:
        running.stop()
    print(f"{COMPRESSED} messages of 1 MiB in {COMPRESSED * len(payload)} bytes: {growth} kB")
    assert growth < HELD


async def close_of(tunnel) -> tuple[int, str]:
    """Reads what comes, and answers what the server's Close frame says."""
    while (frame := await tunnel.frame()).opcode != CLOSE:
        assert frame.opcode == PONG
    return frame.close


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_a_few_thousand_are_no_flood(server: Server, mapping: str) -> None:
    """RFC 6455 § 5.4: a message may have fragments without data, and pings in between; every one of these is answered"""
    async def main() -> None:
        async with websocket(server, mapping) as tunnel:
            count = 1000
            part = frame(CONTINUATION, final=False) + frame(PING, b"?") + frame(CONTINUATION, b"x", final=False)
            await tunnel.send(frame(TEXT, b"a", final=False) + part * count + frame(CONTINUATION))
            frames = [await tunnel.frame() for _ in range(count + 1)]
            assert [frame.opcode for frame in frames] == [PONG] * count + [TEXT]
            assert frames[-1].payload == b"a" + b"x" * count

    asyncio.run(main())
