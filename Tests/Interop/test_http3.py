"""HTTP/3 and WebTransport as an independent implementation (aioquic) sees them, beside HTTP/1.1."""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import socket
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aioquic.asyncio import QuicConnectionProtocol, connect
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, DatagramReceived, H3Event, HeadersReceived, WebTransportStreamDataReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent, StreamDataReceived

from server import Server

TIMEOUT = 10.0


@dataclass
class Answer:
    fields: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def status(self) -> int:
        return int(self.fields[":status"])


class Client(QuicConnectionProtocol):
    """Keeps what arrives, and wakes whoever waits for it."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.http = H3Connection(self._quic, enable_webtransport=True)
        # aioquic misses the body that an answer to HEAD does not have (RFC 9110 § 9.3.2).
        self.http._check_content_length = lambda stream: None
        self.answers: dict[int, Answer] = defaultdict(Answer)
        self.ended: set[int] = set()
        self.own: set[int] = set()
        self.streams: dict[int, bytes] = defaultdict(bytes)
        self.datagrams: list[bytes] = []
        self._changed = asyncio.Event()

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, StreamDataReceived) and event.stream_id in self.own:
            # aioquic takes an answer on a session's stream for frames of HTTP/3; it is the stream's data as it is.
            self.streams[event.stream_id] += event.data
        else:
            for item in self.http.handle_event(event):
                self._take(item)
        if isinstance(event, StreamDataReceived) and event.end_stream:
            self.ended.add(event.stream_id)
        self._changed.set()

    def _take(self, event: H3Event) -> None:
        match event:
            case HeadersReceived():
                self.answers[event.stream_id].fields |= {k.decode(): v.decode() for k, v in event.headers}
            case DataReceived():
                self.answers[event.stream_id].body += event.data
            case WebTransportStreamDataReceived():
                self.streams[event.stream_id] += event.data
            case DatagramReceived():
                self.datagrams.append(event.data)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(TIMEOUT):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def _headers(self, method: str, path: str, *more: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
        return [
            (b":method", method.encode()), (b":scheme", b"https"), (b":authority", b"localhost"),
            (b":path", path.encode()), *more,
        ]

    async def request(self, method: str, path: str) -> Answer:
        stream = self._quic.get_next_available_stream_id()
        self.http.send_headers(stream, self._headers(method, path), end_stream=True)
        self.transmit()
        await self.until(lambda: stream in self.ended)
        return self.answers[stream]

    async def session(self, path: str, protocol: str = "webtransport") -> int:
        """Opens a WebTransport session; its answer is in `answers`."""
        stream = self._quic.get_next_available_stream_id()
        self.http.send_headers(stream, self._headers("CONNECT", path, (b":protocol", protocol.encode())))
        self.transmit()
        await self.until(lambda: ":status" in self.answers[stream].fields)
        return stream

    def send(self, stream: int, data: bytes, end: bool = False) -> None:
        self._quic.send_stream_data(stream, data, end)
        self.transmit()


@asynccontextmanager
async def client(server: Server, host: str = "localhost") -> AsyncIterator[Client]:
    configuration = QuicConfiguration(
        alpn_protocols=H3_ALPN,
        verify_mode=ssl.CERT_NONE,
        server_name="localhost",
        max_datagram_frame_size=65536,
    )
    async with connect(host, server.port, configuration=configuration, create_protocol=Client) as protocol:
        yield protocol


def http1(server: Server, method: str, path: str, tls: bool = True) -> Answer:
    if tls:
        context = ssl._create_unverified_context()  # noqa: S323: its hash is checked elsewhere
        connection = http.client.HTTPSConnection("localhost", server.port, timeout=TIMEOUT, context=context)
    else:
        connection = http.client.HTTPConnection("localhost", server.http_port, timeout=TIMEOUT)
    connection.request(method, path)
    response = connection.getresponse()
    fields = {name.lower(): value for name, value in response.getheaders()}
    answer = Answer(fields | {":status": str(response.status)}, response.read())
    connection.close()
    return answer


# Of the connection, or of the moment.
TRANSPORT_FIELDS = {"date", "alt-svc", "connection", "keep-alive"}


def lab_files(server: Server) -> list[str]:
    page = http1(server, "GET", "/").body.decode()
    return sorted(set(re.findall(r'"(/lab/[\w.-]+)"', page)))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_resources_are_the_same_over_http3_and_http1(server: Server, method: str) -> None:
    paths = ["/", "/healthz", "/api/certificate", "/nothing", "/lab/", *lab_files(server)]
    assert len(paths) > 6

    async def main() -> None:
        async with client(server) as protocol:
            for path in paths:
                expected = http1(server, method, path)
                answer = await protocol.request(method, path)
                assert answer.body == expected.body, path
                kept = {k: v for k, v in expected.fields.items() if k not in TRANSPORT_FIELDS}
                assert {k: v for k, v in answer.fields.items() if k not in TRANSPORT_FIELDS} == kept, path

    asyncio.run(main())


def test_what_is_not_there_is_404_and_other_methods_are_405_with_allow(server: Server) -> None:
    async def main() -> None:
        async with client(server) as protocol:
            assert (await protocol.request("GET", "/nothing")).status == 404
            for method in ("POST", "DELETE", "OPTIONS"):
                answer = await protocol.request(method, "/healthz")
                assert answer.status == 405
                assert answer.fields["allow"] == "GET, HEAD"
                expected = http1(server, method, "/healthz")
                assert (expected.status, expected.fields["allow"]) == (405, "GET, HEAD")

    asyncio.run(main())


@pytest.mark.parametrize("tls", [True, False])
def test_alt_svc_names_the_port_of_http3(server: Server, tls: bool) -> None:
    assert http1(server, "GET", "/healthz", tls).fields["alt-svc"].startswith(f'h3=":{server.port}"')


def test_a_hundred_requests_at_once_are_all_answered(server: Server) -> None:
    async def main() -> None:
        async with client(server) as protocol:
            answers = await asyncio.gather(*(protocol.request("GET", "/healthz") for _ in range(100)))
            assert [answer.body for answer in answers] == [b"ok"] * 100

    asyncio.run(main())


async def echo(protocol: Client, protocol_name: str = "webtransport") -> None:
    session = await protocol.session("/echo", protocol_name)
    assert protocol.answers[session].status == 200

    stream = protocol.http.create_webtransport_stream(session)
    protocol.own.add(stream)
    protocol.send(stream, b"there and back" * 1000, end=True)
    await protocol.until(lambda: stream in protocol.ended)
    assert protocol.streams[stream] == b"there and back" * 1000

    one_way = protocol.http.create_webtransport_stream(session, is_unidirectional=True)
    protocol.send(one_way, b"one way", end=True)
    await protocol.until(lambda: b"one way" in protocol.streams.values())

    protocol.http.send_datagram(session, b"datagram")
    protocol.transmit()
    await protocol.until(lambda: b"datagram" in protocol.datagrams)


@pytest.mark.parametrize("name", ["webtransport", "webtransport-h3"])
def test_webtransport_echoes_streams_of_both_kinds_and_datagrams(server: Server, name: str) -> None:
    async def main() -> None:
        async with client(server) as protocol:
            await echo(protocol, name)

    asyncio.run(main())


@pytest.mark.parametrize("path, name, status", [("/nothing", "webtransport", 404), ("/echo", "connect-udp", 501)])
def test_sessions_that_cannot_be_are_refused_with_a_status(server: Server, path: str, name: str, status: int) -> None:
    async def main() -> None:
        async with client(server) as protocol:
            session = await protocol.session(path, name)
            assert protocol.answers[session].status == status
            # The connection goes on.
            assert (await protocol.request("GET", "/healthz")).body == b"ok"

    asyncio.run(main())


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_ipv4_and_ipv6_are_both_served(server: Server, host: str) -> None:
    if host == "::1" and not Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6")

    async def main() -> None:
        async with client(server, host) as protocol:
            assert (await protocol.request("GET", "/healthz")).body == b"ok"
            await echo(protocol)

    asyncio.run(main())


def test_an_unknown_version_is_answered_with_version_negotiation(server: Server) -> None:
    """RFC 9000 § 6: only a datagram as large as an Initial must be is answered, with the connection IDs exchanged."""
    destination, source = os.urandom(8), os.urandom(5)
    header = b"\xc0" + bytes.fromhex("1a2a3a4a") + b"\x08" + destination + b"\x05" + source
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(TIMEOUT)
        # The small one comes first, so that an answer to it would be seen.
        small = b"\xc0" + bytes.fromhex("1a2a3a4a") + b"\x01\x00\x01\x00"
        for datagram in (small.ljust(1199, b"\x00"), header.ljust(1200, b"\x00")):
            udp.sendto(datagram, ("127.0.0.1", server.port))
        answer, _ = udp.recvfrom(2048)
    assert answer[0] & 0x80
    assert answer[1:5] == bytes(4)
    assert answer[5:11] == b"\x05" + source
    assert answer[11:20] == b"\x08" + destination
    versions = [answer[i : i + 4] for i in range(20, len(answer), 4)]
    assert bytes.fromhex("00000001") in versions
    assert bytes.fromhex("1a2a3a4a") not in versions


def test_with_retry_demanded_sessions_begin_all_the_same(apus: Path, tmp_path: Path) -> None:
    running = Server.start(tmp_path, "--retry", "always")

    async def main() -> None:
        async with client(running) as protocol:
            # The peer's own record of a Retry that it obeyed (RFC 9000 § 7.3).
            assert protocol._quic._retry_source_connection_id is not None
            await echo(protocol)

    try:
        asyncio.run(main())
    finally:
        running.stop()


def test_without_need_there_is_no_retry(server: Server) -> None:
    async def main() -> None:
        async with client(server) as protocol:
            assert protocol._quic._retry_source_connection_id is None

    asyncio.run(main())
