"""WebSocket over HTTP/1.1 (RFC 6455), HTTP/2 (RFC 8441 [69]) and HTTP/3 (RFC 9220 [70]): the same sessions, whatever
carries them."""

from __future__ import annotations

import asyncio
import json
import zlib
from pathlib import Path

import pytest

import http2_client
import http3_client
from rules import expect
from server import Memory, Server
from websocket_peer import (
    BINARY, CLOSE, FINISHED, MAPPINGS, PING, PONG, TEXT, close, frame, websocket,
)

EXTENDED = ["HTTP/2", "HTTP/3"]
# In kB, of a debug build.
BOUND = 4_000

every_mapping = pytest.mark.parametrize("mapping", MAPPINGS)
every_extended = pytest.mark.parametrize("mapping", EXTENDED)


@every_mapping
def test_messages_come_back_with_their_kind(server: Server, mapping: str) -> None:
    """One handler serves all: text, binary, fragments, and messages of many frames of the carrier [71]."""
    large = bytes(range(256)) * 2000

    async def main() -> None:
        async with websocket(server, mapping) as tunnel:
            for opcode, payload in ((TEXT, "größe".encode()), (BINARY, b"\x00\xff"), (TEXT, b""), (BINARY, large)):
                await tunnel.send(frame(opcode, payload))
                answer = await tunnel.frame()
                assert (answer.opcode, answer.payload) == (opcode, payload)
            await tunnel.send(frame(TEXT, b"one ", final=False) + frame(PING, b"?") + frame(0, b"two"))
            answers = [await tunnel.frame(), await tunnel.frame()]
            assert {(answer.opcode, answer.payload) for answer in answers} == {(PONG, b"?"), (TEXT, b"one two")}

    asyncio.run(main())


@every_mapping
def test_the_request_reaches_the_handler_and_says_its_mapping(server: Server, mapping: str) -> None:
    async def main() -> dict:
        async with websocket(server, mapping, "/test/request?a=b", {"X-Own": "1"}) as tunnel:
            return json.loads(await tunnel.message())

    seen = asyncio.run(main())
    assert seen["version"] == mapping
    assert (seen["method"], seen["path"]) == ("GET" if mapping == "HTTP/1.1" else "CONNECT", "/test/request?a=b")
    assert seen.get("protocol") == (None if mapping == "HTTP/1.1" else "websocket")
    assert {"name": "x-own", "value": "1"} in seen["fields"]


@every_extended
def test_the_answer_is_200_without_what_only_an_upgrade_needs(server: Server, mapping: str) -> None:
    """RFC 8441 § 5: no Upgrade, no Connection, no Sec-WebSocket-Accept; RFC 9220 § 3 likewise."""
    async def main() -> None:
        async with websocket(server, mapping) as tunnel:
            assert tunnel.status == 200
            assert not tunnel.fields.keys() & {"upgrade", "connection", "sec-websocket-accept", "content-length"}

    asyncio.run(main())


@every_extended
def test_the_settings_allow_extended_connect(server: Server, mapping: str) -> None:
    """RFC 8441 § 3 and RFC 9220 § 5: SETTINGS_ENABLE_CONNECT_PROTOCOL is 1, under the same number."""
    async def main() -> int:
        if mapping == "HTTP/2":
            async with http2_client.client(server) as client:
                return client.settings[8]
        async with http3_client.client(server) as client:
            assert (await client.request("GET", "/healthz")).status == 200
            return client.http.received_settings[8]

    assert asyncio.run(main()) == 1


@every_mapping
def test_a_close_by_the_client_is_answered_and_ends_the_server_s_direction(server: Server, mapping: str) -> None:
    """RFC 6455 § 7.1.1: the server ends first; RFC 8441 § 5: its FIN is END_STREAM."""
    async def main() -> None:
        async with websocket(server, mapping) as tunnel:
            await tunnel.send(close(3001, "done"))
            answer = await tunnel.frame()
            assert (answer.opcode, answer.close) == (CLOSE, (3001, "done"))
            assert await tunnel.ended() == FINISHED
            await tunnel.finish()

    asyncio.run(main())


@every_mapping
def test_a_close_by_the_server_carries_code_and_reason(server: Server, mapping: str) -> None:
    async def main() -> None:
        async with websocket(server, mapping, "/close?code=4242&reason=bye") as tunnel:
            assert (await tunnel.frame()).close == (4242, "bye")
            await tunnel.send(close(4242, "bye"))
            assert await tunnel.ended() == FINISHED

    asyncio.run(main())


# What an end without ceremony looks like.
ABORTED = {"HTTP/1.1": FINISHED, "HTTP/2": "reset 0x8", "HTTP/3": "reset 0x10c"}


@every_mapping
def test_who_never_answers_a_close_is_cut_off(server: Server, mapping: str) -> None:
    """RFC 6455 § 7.1.1: an end may close the connection when the other does not do its part; streams are reset."""
    async def main() -> None:
        async with websocket(server, mapping, "/close?code=4242&reason=bye") as tunnel:
            assert (await tunnel.frame()).close == (4242, "bye")
            expect("RFC 6455 § 7.1.1", "nothing, to a Close frame", ABORTED[mapping], await tunnel.ended())

    asyncio.run(main())


def test_who_never_answers_a_ping_is_cut_off(apus: Path, tmp_path: Path) -> None:
    """RFC 6455 § 5.5.2: a ping asks whether the other end is there. Over HTTP/3 it comes by half of the idle time-out,
    as a stack that only acknowledges keeps the connection."""
    server = Server.start(tmp_path, "--idle-timeout", "2s")

    async def main() -> None:
        async with websocket(server, "HTTP/3") as tunnel:
            assert (await tunnel.frame()).opcode == PING
            expect("RFC 6455 § 5.5.2", "nothing, to a ping", ABORTED["HTTP/3"], await tunnel.ended())

    try:
        asyncio.run(main())
    finally:
        server.stop()


@every_extended
def test_a_connection_goes_on_when_its_session_has_ended(server: Server, mapping: str) -> None:
    async def main() -> None:
        async with websocket(server, mapping) as first:
            await first.send(close(1000))
            await first.ended()
            await first.finish()
            second = type(first)(first.client)
            await second.open("/echo", {"Sec-WebSocket-Version": "13"})
            await second.send(frame(TEXT, b"again"))
            assert await second.message() == b"again"
            answer = await first.client.request("GET", "/healthz")
            assert answer.body == b"ok"

    asyncio.run(main())


@every_extended
def test_sessions_on_one_connection_do_not_hear_each_other(server: Server, mapping: str) -> None:
    async def main() -> None:
        async with websocket(server, mapping) as first:
            others = [type(first)(first.client) for _ in range(20)]
            for other in others:
                await other.open("/echo", {"Sec-WebSocket-Version": "13"})
            for number, tunnel in enumerate([first, *others]):
                await tunnel.send(frame(TEXT, b"%d" % number))
            for number, tunnel in enumerate([first, *others]):
                assert await tunnel.message() == b"%d" % number
            others[3].reset()
            await first.send(frame(TEXT, b"still here"))
            assert await first.message() == b"still here"

    asyncio.run(main())


@every_extended
def test_a_direction_that_ends_without_a_close_frame_ends_the_other(server: Server, mapping: str) -> None:
    """RFC 8441 § 5 and RFC 9220 § 3: END_STREAM and FIN are TCP's FIN; half a WebSocket there is not."""
    async def main() -> None:
        async with websocket(server, mapping) as tunnel:
            await tunnel.send(frame(TEXT, b"last"))
            assert await tunnel.message() == b"last"
            await tunnel.finish()
            assert await tunnel.ended() == FINISHED
            assert tunnel.received() == b""

    asyncio.run(main())


def test_a_reset_over_http3_resets_the_other_direction(server: Server) -> None:
    """RFC 9220 § 3 [70]: a connection of TCP that is reset is a stream error with H3_REQUEST_CANCELLED."""
    async def main() -> None:
        async with websocket(server, "HTTP/3") as tunnel:
            tunnel.client.reset(tunnel.number, 0x10C)
            assert await tunnel.ended() == "reset 0x10c"

    asyncio.run(main())


@pytest.fixture
def small_server(apus: Path, tmp_path: Path):
    """One session at a time, of messages of a kilobyte at most."""
    running = Server.start(tmp_path, "--max-sessions", "1", "--max-message-size", "1024")
    yield running
    running.stop()


async def eventually_admitted(server: Server, mapping: str) -> None:
    """The server counts a session until its tunnel has ended, which may take a moment longer than the client's view."""
    async with asyncio.timeout(http2_client.TIMEOUT):
        while True:
            async with websocket(server, mapping) as tunnel:
                if tunnel.status in (101, 200):
                    return
                assert tunnel.status == 429


@every_mapping
def test_all_mappings_share_one_limit_of_sessions(small_server: Server, mapping: str) -> None:
    """A session of any kind fills it for every kind; a reset, which is TCP's, makes room (RFC 8441 § 5, RFC 9220 § 3)."""
    async def main() -> None:
        async with websocket(small_server, mapping) as tunnel:
            assert tunnel.status in (101, 200)
            for other in MAPPINGS:
                async with websocket(small_server, other) as refused:
                    assert refused.status == 429
                    assert refused.fields["retry-after"]
            tunnel.reset()
            await eventually_admitted(small_server, mapping)

    asyncio.run(main())


VIOLATIONS = [
    pytest.param(frame(TEXT, b"x", mask=False), 1002, id="RFC 6455 5.1: a frame without a mask"),
    pytest.param(frame(3), 1002, id="RFC 6455 5.2: a reserved opcode"),
    pytest.param(frame(TEXT, b"x", rsv1=True), 1002, id="RFC 6455 5.2: a reserved bit"),
    pytest.param(frame(TEXT, b"\xff"), 1007, id="RFC 6455 8.1: text that is not UTF-8"),
    pytest.param(frame(BINARY, bytes(1025)), 1009, id="RFC 6455 7.4.1: a message that is too large"),
]


@every_mapping
@pytest.mark.parametrize(("sent", "code"), VIOLATIONS)
def test_what_breaks_a_rule_is_told_so(small_server: Server, mapping: str, sent: bytes, code: int) -> None:
    """RFC 6455 § 7.4 [72]"""
    async def main() -> None:
        async with websocket(small_server, mapping) as tunnel:
            await tunnel.send(sent)
            assert (await tunnel.frame()).close[0] == code
            assert await tunnel.ended() == FINISHED

    asyncio.run(main())


REFUSALS = [
    pytest.param("/nothing", {}, 404, id="an unknown path"),
    pytest.param("/source?bytes=x", {}, 400, id="a bad query"),
    pytest.param("/echo", {"Origin": "https://evil.example"}, 403, id="RFC 6455 10.2: a foreign origin"),
    pytest.param("/echo", {"Sec-WebSocket-Extensions": "a b"}, 400, id="RFC 6455 9.1: extensions without grammar"),
    pytest.param("/echo", {"Sec-WebSocket-Version": "12"}, None, id="RFC 6455 4.4: another version"),
]


@every_mapping
@pytest.mark.parametrize(("path", "fields", "status"), REFUSALS)
def test_refusals_are_the_same(
    server: Server, mapping: str, path: str, fields: dict[str, str], status: int | None,
) -> None:
    async def main() -> None:
        async with websocket(server, mapping, path, fields) as tunnel:
            if status is not None:
                assert tunnel.status == status
            else:
                # Upgrade Required is of HTTP/1.1 alone.
                assert tunnel.status == (426 if mapping == "HTTP/1.1" else 400)
                assert tunnel.fields["sec-websocket-version"] == "13"

    asyncio.run(main())


@every_extended
def test_a_protocol_that_is_not_spoken_is_501(server: Server, mapping: str) -> None:
    """RFC 9220 § 3."""
    async def main() -> None:
        async with websocket(server, mapping) as tunnel:
            other = type(tunnel)(tunnel.client)
            await other.open("/echo", {}, protocol="connect-udp")
            assert other.status == 501

    asyncio.run(main())


@pytest.fixture
def compressing_server(apus: Path, tmp_path: Path):
    running = Server.start(tmp_path, "--compression")
    yield running
    running.stop()


@every_mapping
def test_compression_is_agreed_on_alike(compressing_server: Server, mapping: str) -> None:
    """RFC 7692 [72]: offered, agreed on, and used in both directions."""
    async def main() -> None:
        offer = {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}
        async with websocket(compressing_server, mapping, fields=offer) as tunnel:
            assert tunnel.fields["sec-websocket-extensions"] == "permessage-deflate; client_max_window_bits=12"
            text = b"the same again and again, " * 50
            deflate, inflate = zlib.compressobj(wbits=-12), zlib.decompressobj(wbits=-15)
            packed = (deflate.compress(text) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]
            await tunnel.send(frame(TEXT, packed, rsv1=True))
            answer = await tunnel.frame()
            assert answer.rsv1 and len(answer.payload) < len(text)
            assert inflate.decompress(answer.payload + b"\x00\x00\xff\xff") == text

    asyncio.run(main())


@every_mapping
@pytest.mark.parametrize("excess", [1, 31 << 20])
def test_what_decompresses_to_too_much_is_told_so(compressing_server: Server, mapping: str, excess: int) -> None:
    """[72] RFC 6455 § 7.4.1, § 10.4; RFC 7692 § 7.2.2: the limit is the message's, however little has come for it."""
    limit = 1 << 20

    async def main() -> int:
        offer = {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}
        async with websocket(compressing_server, mapping, fields=offer) as tunnel:
            deflate, inflate = zlib.compressobj(wbits=-12), zlib.decompressobj(wbits=-15)

            def packed(size: int) -> bytes:
                data = deflate.compress(bytes(size)) + deflate.flush(zlib.Z_SYNC_FLUSH)
                return frame(BINARY, data[:-4], rsv1=True)

            await tunnel.send(packed(limit))
            echo = await tunnel.frame()
            expect("RFC 7692 § 7.2.2", f"{limit} bytes, compressed", (BINARY, True), (echo.opcode, echo.rsv1))
            assert inflate.decompress(echo.payload + b"\x00\x00\xff\xff") == bytes(limit)
            memory = Memory(compressing_server)
            await tunnel.send(packed(limit + excess))
            answer = await tunnel.frame()
            expect("RFC 6455 § 7.4.1", f"{limit + excess} bytes, compressed", (CLOSE, 1009),
                   (answer.opcode, int.from_bytes(answer.payload[:2], "big")))
            expect("RFC 6455 § 7.1.1", f"{limit + excess} bytes, compressed", FINISHED, await tunnel.ended())
            return memory.growth

    growth = asyncio.run(main())
    assert growth < BOUND, f"{limit + excess} bytes that nobody wants cost {growth} kB"


# MARK: The end of the server

@every_extended
def test_a_server_that_stops_closes_its_sessions(own_server: Server, mapping: str) -> None:
    """RFC 6455 § 7.4.1: 1001; over HTTP/2 GOAWAY comes too (RFC 9113 § 6.8)."""
    async def main() -> None:
        async with websocket(own_server, mapping) as tunnel:
            await tunnel.send(frame(TEXT, b"here"))
            await tunnel.message()
            own_server.process.terminate()
            assert (await tunnel.frame()).close[0] == 1001
            await tunnel.send(close(1001))
            assert await tunnel.ended() == FINISHED
            await tunnel.finish()
            if mapping == "HTTP/2":
                await tunnel.client.until(lambda: tunnel.client.is_closed)
                assert tunnel.client.goaways and {code for _, code in tunnel.client.goaways} == {0}
        assert await asyncio.to_thread(own_server.process.wait, 20) == 0

    asyncio.run(main())
