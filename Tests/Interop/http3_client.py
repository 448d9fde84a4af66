"""An independent implementation (aioquic) of QUIC and HTTP/3 as client of the server under test."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256

from aioquic.asyncio import QuicConnectionProtocol, connect
from aioquic.buffer import Buffer, encode_uint_var
from aioquic.h3.connection import H3_ALPN, FrameType, H3Connection, StreamType
from aioquic.h3.events import DataReceived, DatagramReceived, H3Event, HeadersReceived, WebTransportStreamDataReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, QuicEvent, StopSendingReceived, StreamDataReceived, StreamReset

from server import Server

TIMEOUT = 10.0

Field = tuple[bytes, bytes]


@dataclass
class Answer:
    fields: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def status(self) -> int:
        return int(self.fields[":status"])

    @property
    def capsules(self) -> list[tuple[int, bytes]]:
        """The body of a session's response: capsules by type and value (RFC 9297 § 3.2)."""
        found, buffer = [], Buffer(data=self.body)
        while not buffer.eof():
            kind, length = buffer.pull_uint_var(), buffer.pull_uint_var()
            found.append((kind, buffer.pull_bytes(length)))
        return found


def capsule(kind: int, value: bytes) -> bytes:
    return encode_uint_var(kind) + encode_uint_var(len(value)) + value


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
        # Error codes of the peer's RESET_STREAM and STOP_SENDING frames; sets, as frames may be repeated.
        self.resets: dict[int, set[int]] = defaultdict(set)
        self.stops: dict[int, set[int]] = defaultdict(set)
        self.termination: ConnectionTerminated | None = None
        self.patience = TIMEOUT
        self._changed = asyncio.Event()

    def quic_event_received(self, event: QuicEvent) -> None:
        match event:
            case StreamReset():
                self.resets[event.stream_id].add(event.error_code)
            case StopSendingReceived():
                self.stops[event.stream_id].add(event.error_code)
            case ConnectionTerminated():
                self.termination = event
            case StreamDataReceived() if event.stream_id in self.own:
                # aioquic takes an answer on a session's stream for frames of HTTP/3; it is the stream's data as it is.
                self.streams[event.stream_id] += event.data
            case _:
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
        async with asyncio.timeout(self.patience):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def _headers(self, method: str, path: str, *more: Field) -> list[Field]:
        return [
            (b":method", method.encode()), (b":scheme", b"https"), (b":authority", b"localhost"),
            (b":path", path.encode()), *more,
        ]

    async def request(self, method: str, path: str, *fields: Field) -> Answer:
        stream = self._quic.get_next_available_stream_id()
        self.http.send_headers(stream, self._headers(method, path, *fields), end_stream=True)
        self.transmit()
        await self.until(lambda: stream in self.ended)
        return self.answers[stream]

    # MARK: Sessions

    async def session(self, path: str, protocol: str = "webtransport", *fields: Field) -> int:
        """Opens a WebTransport session; its answer is in `answers`."""
        stream = self._quic.get_next_available_stream_id()
        self.ask(stream, path, protocol, *fields)
        await self.answered(stream)
        return stream

    def ask(self, stream: int, path: str, protocol: str = "webtransport", *fields: Field) -> None:
        """Sends a session's request on a stream of the caller's choice."""
        self.http.send_headers(stream, self._headers("CONNECT", path, (b":protocol", protocol.encode()), *fields))
        self.transmit()

    async def answered(self, session: int) -> None:
        await self.until(lambda: ":status" in self.answers[session].fields)

    def send_capsule(self, session: int, kind: int, value: bytes, end: bool = False) -> None:
        self.http.send_data(session, capsule(kind, value), end)
        self.transmit()

    # MARK: Streams

    def open(self, session: int, data: bytes = b"", end: bool = False, is_unidirectional: bool = False) -> int:
        """Opens a stream of a session, with its first data in the same packet."""
        stream = self._quic.get_next_available_stream_id(is_unidirectional)
        kind = StreamType.WEBTRANSPORT if is_unidirectional else FrameType.WEBTRANSPORT_STREAM
        if not is_unidirectional:
            self.own.add(stream)
        self.send(stream, encode_uint_var(kind) + encode_uint_var(session) + data, end)
        return stream

    def send(self, stream: int, data: bytes, end: bool = False) -> None:
        self._quic.send_stream_data(stream, data, end)
        self.transmit()

    def reset(self, stream: int, code: int) -> None:
        self._quic.reset_stream(stream, code)
        self.transmit()

    def stop(self, stream: int, code: int) -> None:
        self._quic.stop_stream(stream, code)
        self.transmit()

    def send_datagram(self, session: int, data: bytes) -> None:
        self.http.send_datagram(session, data)
        self.transmit()


@asynccontextmanager
async def client(
    server: Server,
    host: str | None = None,
    patience: float = TIMEOUT,
    kind: type[Client] = Client,
    on_token: Callable[[bytes], None] | None = None,
    **options: object,
) -> AsyncIterator[Client]:
    """A connection to the server.

    - patience: how long `until` waits, in seconds.
    - kind: what the connection is made of.
    - on_token: is called with the token of each NEW_TOKEN frame.
    - options: of the QuicConfiguration.
    """
    configuration = QuicConfiguration(**{
        "alpn_protocols": H3_ALPN,
        "verify_mode": ssl.CERT_NONE,
        "server_name": "localhost",
        "max_datagram_frame_size": 65536,
        **options,
    })
    async with connect(
        host or server.host, server.port, configuration=configuration, create_protocol=kind, token_handler=on_token,
    ) as protocol:
        protocol.patience = patience
        yield protocol


async def echo(protocol: Client, protocol_name: str = "webtransport") -> None:
    """A session whose streams of both kinds and datagrams come back."""
    session = await protocol.session("/echo", protocol_name)
    assert protocol.answers[session].status == 200

    stream = protocol.open(session, b"there and back" * 1000, end=True)
    await protocol.until(lambda: stream in protocol.ended)
    assert protocol.streams[stream] == b"there and back" * 1000

    protocol.open(session, b"one way", end=True, is_unidirectional=True)
    await protocol.until(lambda: b"one way" in protocol.streams.values())

    protocol.send_datagram(session, b"datagram")
    await protocol.until(lambda: b"datagram" in protocol.datagrams)


async def exchange(protocol: Client, size: int, datagrams: int = 20) -> int:
    """A session over a bad network: what streams of both kinds bring back is whole, and no datagram comes back altered.

    Datagrams may be lost, so they are repeated until each of them has made it once.
    """
    session = await protocol.session("/echo")
    assert protocol.answers[session].status == 200
    await echo_stream(protocol, session, size)

    one_way = random.Random(size).randbytes(2000)
    protocol.open(session, one_way, end=True, is_unidirectional=True)
    await protocol.until(lambda: one_way in protocol.streams.values())
    await echo_datagrams(protocol, session, datagrams)
    return session


async def echo_stream(protocol: Client, session: int, size: int) -> None:
    data = random.Random(size).randbytes(size)
    stream = protocol.open(session, data, end=True)
    await protocol.until(lambda: stream in protocol.ended)
    assert len(protocol.streams[stream]) == size
    assert sha256(protocol.streams[stream]).digest() == sha256(data).digest()


async def echo_datagrams(protocol: Client, session: int, count: int) -> None:
    protocol.datagrams.clear()
    wanted = {f"datagram {number}".encode() * 10 for number in range(count)}
    async with asyncio.timeout(protocol.patience):
        while missing := wanted - set(protocol.datagrams):
            for data in missing:
                protocol.send_datagram(session, data)
            # A round trip, retransmissions and all.
            await protocol.ping()
    assert set(protocol.datagrams) == wanted


def connected(server: Server, body: Callable) -> None:
    """Runs an async function of a client's connection."""

    async def main() -> None:
        async with client(server) as protocol:
            await body(protocol)

    asyncio.run(main())
