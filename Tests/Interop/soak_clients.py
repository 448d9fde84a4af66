"""The clients of the soak: honest ones, careless ones and hostile ones, over both transports.

Each is a coroutine that runs once and raises when the server failed it. Nothing that the server may do to a client that
breaks rules is a failure.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aioquic.buffer import encode_uint_var
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection

import http2_client
import http3_client
from http2_client import tls
from http3_client import Client, client
from raw_http2 import GET, HEADERS, PREFACE, RST_STREAM
from raw_http2 import frame as h2_frame
from raw_http3 import PRIORITY_UPDATE
from server import Server
from websocket_peer import websocket

# In seconds. Long: it is for a server that fails, not for a client whose turn comes late on a busy machine.
TIMEOUT = http3_client.TIMEOUT = http2_client.TIMEOUT = 60.0
H3_EXCESSIVE_LOAD = 0x107
WT_CLOSE_SESSION, WT_DRAIN_SESSION, UNKNOWN_CAPSULE = 0x2843, 0x78AE, 0x1234
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Silent:
    """In place of a transport: the client's process is gone, and its packets with it."""

    def sendto(self, *_: object) -> None:
        pass


def kill(protocol: Client) -> None:
    protocol._transport = Silent()


# MARK: WebTransport


async def webtransport_echoes(server: Server) -> None:
    """Streams of both kinds and datagrams, and an end with a code."""
    async with client(server) as protocol:
        session = await protocol.session("/echo")
        for number in range(20):
            text = os.urandom(random.choice([1, 100, 5000]))
            stream = protocol.open(session, text, end=True)
            await protocol.until(lambda: stream in protocol.ended)
            assert protocol.streams.pop(stream) == text, "an echo differs"
            protocol.send_datagram(session, b"datagram %d" % number)
        protocol.open(session, b"one way", end=True, is_unidirectional=True)
        await protocol.until(lambda: b"one way" in protocol.streams.values())
        await protocol.until(lambda: bool(protocol.datagrams))
        protocol.send_capsule(session, WT_CLOSE_SESSION, struct.pack(">I", 7) + b"bye", end=True)
        await protocol.until(lambda: session in protocol.ended)


async def webtransport_sessions(server: Server) -> None:
    """One after the other on one connection, which is refused some, and GETs between them."""
    async with client(server) as protocol:
        for _ in range(3):
            session = await protocol.session("/echo")
            assert protocol.answers[session].status == 200
            assert (await protocol.request("GET", "/healthz")).body == b"ok"
            protocol.http.send_data(session, b"", True)
            protocol.transmit()
            await protocol.until(lambda: session in protocol.ended)
        refused = await protocol.session("/nowhere")
        assert protocol.answers[refused].status == 404


async def webtransport_bulk(server: Server) -> None:
    async with client(server) as protocol:
        session = await protocol.session("/sink")
        stream = protocol.open(session, bytes(500_000), end=True)
        await protocol.until(lambda: protocol.streams.get(stream) == b"500000")
    async with client(server) as protocol:
        await protocol.session("/source?bytes=500000")
        await protocol.until(lambda: any(len(data) == 500_000 for data in protocol.streams.values()))


async def webtransport_resets(server: Server) -> None:
    """Streams given up on either half, in the middle; the session still echoes."""
    async with client(server) as protocol:
        session = await protocol.session("/echo")
        for number in range(50):
            stream = protocol.open(session, bytes(random.randrange(3000)))
            match number % 3:
                case 0:
                    protocol.reset(stream, 0x52E4A40FA8DB + number)
                case 1:
                    protocol.stop(stream, 0x52E4A40FA8DB + number)
                case _:
                    protocol.reset(stream, 0x10C)
                    protocol.stop(stream, 0x10C)
        stream = protocol.open(session, b"still here", end=True)
        await protocol.until(lambda: protocol.streams.get(stream) == b"still here")


async def webtransport_half_closed(server: Server) -> None:
    """Streams with an end on one side only, and a session whose client leaves them so."""
    async with client(server) as protocol:
        session = await protocol.session("/echo")
        for _ in range(20):
            protocol.open(session, b"an end without a beginning", end=True)
            protocol.open(session, b"a beginning without an end")
        protocol.http.send_data(session, b"", True)
        protocol.transmit()
        await protocol.until(lambda: session in protocol.ended)


async def webtransport_killed(server: Server) -> None:
    """The process dies with streams open and data on the way."""
    async with client(server) as protocol:
        session = await protocol.session("/echo")
        for _ in range(10):
            protocol.open(session, bytes(3000))
        kill(protocol)


async def webtransport_floods(server: Server) -> None:
    """Datagrams, streams without a session, capsules: what does not fit is dropped or refused."""
    async with client(server) as protocol:
        session = await protocol.session("/echo")
        for _ in range(300):
            protocol.http.send_datagram(session, bytes(600))
        for _ in range(100):
            protocol.http.send_data(session, struct.pack(">HB", 0x4000 | UNKNOWN_CAPSULE, 60) + bytes(60), False)
        for _ in range(50):
            protocol.open(session + 400, b"early", is_unidirectional=True)
        protocol.transmit()
        await protocol.until(lambda: bool(protocol.stops) or protocol.termination is not None)
        assert protocol.termination is None, "a flood that the server must bear ended the connection"


async def webtransport_rebinding(server: Server) -> None:
    """The client's port changes in mid-session (RFC 9000 § 9)."""
    async with client(server) as protocol:
        session = await protocol.session("/echo")
        for _ in range(2):
            old = protocol._transport
            moved = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            moved.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            moved.bind(("::", 0))
            await asyncio.get_running_loop().create_datagram_endpoint(lambda: protocol, sock=moved)
            old.close()
            stream = protocol.open(session, b"moved", end=True)
            await protocol.until(lambda: stream in protocol.ended)
            assert protocol.streams[stream] == b"moved"
        await asyncio.sleep(0)
        last = protocol._transport
    last.close()


async def webtransport_floods_beyond(server: Server) -> None:
    """So many frames without a meaning that the connection ends (RFC 9114 § 10.5)."""
    async with client(server) as protocol:
        await protocol.session("/echo")
        update = encode_uint_var(PRIORITY_UPDATE) + b"\x04\x00u=1"
        for _ in range(6):
            protocol._quic.send_stream_data(protocol.http._local_control_stream_id, update * 1000)
            protocol.transmit()
        await protocol.until(lambda: protocol.termination is not None)
        assert protocol.termination.error_code == H3_EXCESSIVE_LOAD, protocol.termination


async def bad_handshakes(server: Server) -> None:
    """Garbage, handshakes that stop after the first flight, and one that cannot agree."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect(("127.0.0.1", server.port))
        udp.setblocking(False)
        for _ in range(10):
            with suppress(OSError):
                udp.send(random.choice([b"\x40", b"\xc0\x00\x00\x00\x01", b"\xcf\x1a\x2a\x3a\x4a"]) + os.urandom(1200))
        for _ in range(3):
            quic = QuicConnection(configuration=configuration("h3"))
            quic.connect(("127.0.0.1", server.port), now=time.monotonic())
            for datagram, _ in quic.datagrams_to_send(now=time.monotonic()):
                with suppress(OSError):
                    udp.send(datagram)
    quic = QuicConnection(configuration=configuration("none"))
    await exchange(quic, server.port)


async def exchange(quic: QuicConnection, port: int) -> None:
    """Runs a handshake that the server must refuse."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setblocking(False)
        udp.connect(("127.0.0.1", port))
        quic.connect(("127.0.0.1", port), now=time.monotonic())
        async with asyncio.timeout(TIMEOUT):
            while quic._close_event is None:
                for datagram, _ in quic.datagrams_to_send(now=time.monotonic()):
                    await loop.sock_sendall(udp, datagram)
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.2):
                        received = await loop.sock_recv(udp, 65536)
                        quic.receive_datagram(received, ("127.0.0.1", port), now=time.monotonic())
                if (timer := quic.get_timer()) is not None and timer <= time.monotonic():
                    quic.handle_timer(now=time.monotonic())


def configuration(protocol: str) -> QuicConfiguration:
    return QuicConfiguration(alpn_protocols=[protocol], verify_mode=ssl.CERT_NONE, server_name="localhost")


# MARK: WebSocket and HTTP/1.1

_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_TLS.check_hostname = False
_TLS.verify_mode = ssl.CERT_NONE


def ws_frame(opcode: int, payload: bytes = b"", is_final: bool = True) -> bytes:
    """A client's frame (RFC 6455 § 5.2)."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else struct.pack(">BH", 0xFE, size) if size < 65536 else \
        struct.pack(">BQ", 0xFF, size)
    key = os.urandom(4)
    masked = (int.from_bytes(payload, "little") ^ int.from_bytes((key * (size // 4 + 1))[:size], "little"))
    return bytes([(0x80 if is_final else 0) | opcode]) + length + key + masked.to_bytes(size, "little")


class WebSocket:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def read(self) -> tuple[int, bytes]:
        """The server's next frame; it sends every message in one."""
        first, size = await self.reader.readexactly(2)
        if size == 126:
            (size,) = struct.unpack(">H", await self.reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", await self.reader.readexactly(8))
        return first & 0x0F, await self.reader.readexactly(size)

    def abort(self) -> None:
        """As when the process is killed with data unread: the kernel resets the connection."""
        self.writer.transport.abort()

    async def echo(self, opcode: int, payload: bytes) -> None:
        self.writer.write(ws_frame(opcode, payload))
        assert await self.read() == (opcode, payload), "an echo differs"


@asynccontextmanager
async def web_socket(server: Server, path: str, is_secure: bool) -> AsyncIterator[WebSocket]:
    port, tls = (server.port, _TLS) if is_secure else (server.http_port, None)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    try:
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), f"no session: {head!r}"
        yield WebSocket(reader, writer)
    finally:
        writer.close()
        with suppress(OSError, ssl.SSLError, TimeoutError):
            async with asyncio.timeout(TIMEOUT):
                await writer.wait_closed()


async def websocket_echoes(server: Server) -> None:
    async with web_socket(server, "/echo", random.random() < 0.5) as session:
        for _ in range(30):
            await session.echo(BINARY, os.urandom(random.choice([0, 1, 100, 5000, 100_000])))
            await session.echo(TEXT, "Grüße".encode())
        session.writer.write(ws_frame(TEXT, b"in ", False) + ws_frame(PING, b"?") + ws_frame(0, b"pieces"))
        assert {await session.read(), await session.read()} == {(PONG, b"?"), (TEXT, b"in pieces")}
        session.writer.write(ws_frame(CLOSE, struct.pack(">H", 1000)))
        assert (await session.read())[0] == CLOSE


async def websocket_mappings(server: Server) -> None:
    """Over HTTP/2 and HTTP/3, with an end in order and without."""
    for mapping in ("HTTP/2", "HTTP/3"):
        async with websocket(server, mapping) as tunnel:
            for _ in range(10):
                text = os.urandom(random.choice([1, 100, 5000]))
                await tunnel.send(ws_frame(BINARY, text))
                echo = await tunnel.message()
                assert echo == text, f"{len(text)} bytes come back as {len(echo)}"
            if random.random() < 0.5:
                await tunnel.send(ws_frame(CLOSE, struct.pack(">H", 1000)))
                assert (await tunnel.frame()).opcode == CLOSE
            else:
                tunnel.reset()


async def websocket_pings_beyond(server: Server) -> None:
    """So many pings that the session ends with 1008."""
    async with web_socket(server, "/echo", True) as session:
        with suppress(OSError):
            for _ in range(30):
                session.writer.write(ws_frame(PING) * 1000)
                await session.writer.drain()
        with suppress(OSError, asyncio.IncompleteReadError):
            while (await session.read())[0] != CLOSE:
                pass


async def http2_resets_beyond(server: Server) -> None:
    """Rapid reset (CVE-2023-44487), until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=tls("h2"))
    cancel = (8).to_bytes(4, "big")
    pairs = (h2_frame(HEADERS, 5, 2 * n + 1, GET) + h2_frame(RST_STREAM, 0, 2 * n + 1, cancel) for n in range(3000))
    with suppress(OSError):
        writer.write(PREFACE + b"".join(pairs))
        async with asyncio.timeout(TIMEOUT):
            while await reader.read(1 << 16):
                pass
    writer.transport.abort()


async def http2_requests(server: Server) -> None:
    async with http2_client.client(server) as connection:
        for _ in range(20):
            assert (await connection.request("GET", "/healthz")).body == b"ok"


async def websocket_killed(server: Server) -> None:
    async with web_socket(server, "/echo", random.random() < 0.5) as session:
        session.writer.write(ws_frame(BINARY, bytes(50_000)) + ws_frame(TEXT, b"never whole")[:-3])
        await session.writer.drain()
        session.abort()


async def websocket_half_closed(server: Server) -> None:
    """The client ends its direction of TCP without a Close frame."""
    async with web_socket(server, "/echo", False) as session:
        await session.echo(TEXT, b"last words")
        session.writer.write_eof()
        await session.reader.read()


async def websocket_floods(server: Server) -> None:
    """Messages and pings that nobody reads the answers of, then a violation or a reset."""
    async with web_socket(server, "/echo", random.random() < 0.5) as session:
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(1):
                for _ in range(200):
                    session.writer.write(ws_frame(BINARY, bytes(20_000)) + ws_frame(PING, bytes(100)))
                    await session.writer.drain()
        if random.random() < 0.5:
            session.writer.write(b"\xff\x00")
        session.abort()


async def http_requests(server: Server) -> None:
    """Pages, and clients that send half a request, nonsense, or no TLS where it is spoken."""
    for is_secure in (False, True):
        port, tls = (server.port, _TLS) if is_secure else (server.http_port, None)
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
        for _ in range(5):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await reader.readuntil(b"\r\n\r\nok")).startswith(b"HTTP/1.1 200 ")
        writer.close()
    for port in (server.port, server.http_port):
        for data in (b"GET /healthz HTTP/1.1\r\nHo", b"\x16\x03\x01\x02\x00" + os.urandom(600), b"\r\n\r\n\x00\xff"):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(data)
            with suppress(OSError):
                await writer.drain()
            writer.transport.abort()


HONEST = [
    webtransport_echoes, webtransport_sessions, webtransport_bulk, webtransport_rebinding, websocket_echoes,
    websocket_mappings, http_requests, http2_requests,
]
OTHERS = [
    webtransport_resets, webtransport_half_closed, webtransport_killed, webtransport_floods, bad_handshakes,
    websocket_killed, websocket_half_closed, websocket_floods, webtransport_floods_beyond, websocket_pings_beyond,
    http2_resets_beyond,
]


# MARK: Sessions that stay


async def lasting_webtransport(server: Server, stop: asyncio.Event) -> None:
    """Opened once; says something now and then."""
    async with client(server) as protocol:
        session = await protocol.session("/echo")
        while not stop.is_set():
            protocol.datagrams.clear()
            stream = protocol.open(session, b"still there?", end=True)
            await protocol.until(lambda: stream in protocol.ended)
            assert protocol.streams.pop(stream) == b"still there?"
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 5)


async def lasting_websocket(server: Server, stop: asyncio.Event) -> None:
    async with web_socket(server, "/echo", True) as session:
        while not stop.is_set():
            await session.echo(TEXT, b"still there?")
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 5)
