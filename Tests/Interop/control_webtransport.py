"""WebTransport on aioquic: sessions and streams for a server that shares nothing with ours but the drafts.

aioquic knows the settings of draft-02, the request, the headers of streams, and datagrams. The rest is here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from aioquic.asyncio import QuicConnectionProtocol
from aioquic.buffer import Buffer, BufferReadError, encode_uint_var
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DatagramReceived, DataReceived, H3Event, HeadersReceived, WebTransportStreamDataReceived
from aioquic.quic.connection import stream_is_unidirectional
from aioquic.quic.events import ConnectionTerminated, QuicEvent, StopSendingReceived, StreamDataReceived, StreamReset

CLOSE_SESSION = 0x2843
FIRST_CODE = 0x52E4A40FA8DB


def wire_code(code: int) -> int:
    """An application's code as it travels (draft-ietf-webtrans-http3 § 4.4)."""
    return FIRST_CODE + code + code // 0x1E


def application_code(wire: int) -> int | None:
    shifted = wire - FIRST_CODE
    return shifted - shifted // 0x1F if 0 <= shifted <= wire_code(0xFFFFFFFF) - FIRST_CODE else None


class Aborted(Exception):
    """The client has reset the stream, or the session has ended under it, which has no code."""

    def __init__(self, code: int | None, was_reset: bool) -> None:
        super().__init__(code)
        self.code, self.was_reset = code, was_reset


class Stream:
    """One stream of a session; `stopped` is the code with which the client stops reading, None when it has gone."""

    def __init__(self, connection: Connection, number: int) -> None:
        self._connection, self._number = connection, number
        self._arrived: asyncio.Queue[bytes | None | Aborted] = asyncio.Queue()
        self.stopped: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    @property
    def is_unidirectional(self) -> bool:
        return stream_is_unidirectional(self._number)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (item := await self._arrived.get()) is not None:
            if isinstance(item, Aborted):
                raise item
            yield item

    def write(self, data: bytes, *, ends: bool = False) -> None:
        self._connection.act(lambda quic: quic.send_stream_data(self._number, data, ends))

    def reset(self, wire: int) -> None:
        self._connection.act(lambda quic: quic.reset_stream(self._number, wire))

    def stop(self, wire: int) -> None:
        self._connection.act(lambda quic: quic.stop_stream(self._number, wire))

    def receive(self, data: bytes, ends: bool) -> None:
        if data:
            self._arrived.put_nowait(data)
        if ends:
            self._arrived.put_nowait(None)

    def was_reset(self, wire: int) -> None:
        self._arrived.put_nowait(Aborted(application_code(wire), was_reset=True))

    def was_stopped(self, wire: int) -> None:
        if not self.stopped.done():
            self.stopped.set_result(application_code(wire))

    def is_gone(self) -> None:
        self._arrived.put_nowait(Aborted(None, was_reset=False))
        if not self.stopped.done():
            self.stopped.set_result(None)


@dataclass
class Session:
    """One session, from its request on. `ended` is what its record shall say of its end."""

    connection: Connection
    number: int
    path: str = ""
    query: dict[str, str] = field(default_factory=dict)
    incoming: asyncio.Queue[Stream] = field(default_factory=asyncio.Queue)
    datagrams: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    ended: asyncio.Future[dict] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    streams: list[Stream] = field(default_factory=list)
    capsules: bytes = b""

    def respond(self, status: int) -> None:
        fields = [(b":status", str(status).encode()), (b"sec-webtransport-http3-draft", b"draft02")]
        self.connection.act(lambda _: self.connection.http.send_headers(self.number, fields, status // 100 != 2))

    def open(self, *, is_unidirectional: bool) -> Stream:
        number = self.connection.http.create_webtransport_stream(self.number, is_unidirectional)
        return self.connection.add(self, number)

    def send_datagram(self, data: bytes) -> None:
        self.connection.act(lambda _: self.connection.http.send_datagram(self.number, data))

    def close(self, code: int, reason: str) -> None:
        value = code.to_bytes(4, "big") + reason.encode()
        capsule = encode_uint_var(CLOSE_SESSION) + encode_uint_var(len(value)) + value
        self.connection.act(lambda _: self.connection.http.send_data(self.number, capsule, True))
        self.end({"isAbnormal": False, "code": code, "reason": reason})

    def receive(self, data: bytes, ends: bool) -> None:
        """The body of the request: capsules, of which one counts, and an end, which is a close without words."""
        self.capsules += data
        buffer = Buffer(data=self.capsules)
        try:
            while not buffer.eof():
                kind, value = buffer.pull_uint_var(), buffer.pull_bytes(buffer.pull_uint_var())
                self.capsules = self.capsules[buffer.tell():]
                buffer = Buffer(data=self.capsules)
                if kind == CLOSE_SESSION:
                    self._closed_by_client(int.from_bytes(value[:4], "big"), value[4:].decode())
        except BufferReadError:
            # The rest of it is still on its way.
            pass
        if ends:
            self._closed_by_client(0, "")

    def _closed_by_client(self, code: int, reason: str) -> None:
        if not self.ended.done():
            self.connection.act(lambda _: self.connection.http.send_data(self.number, b"", True))
            self.end({"isAbnormal": False, "code": code, "reason": reason})

    def end(self, what: dict) -> None:
        if not self.ended.done():
            self.ended.set_result(what)
            for stream in self.streams:
                stream.is_gone()


class Connection(QuicConnectionProtocol):
    """Hands every session that a client asks for to `serve`, which runs as a task of its own."""

    def __init__(self, serve: Callable[[Session], Awaitable[None]], *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._serve = serve
        self.http = H3Connection(self._quic, enable_webtransport=True)
        self._sessions: dict[int, Session] = {}
        self._streams: dict[int, Stream] = {}
        self._tasks: set[asyncio.Task] = set()

    def act(self, action: Callable) -> None:
        """Does something on the connection, unless that has ended, and sends what comes of it."""
        if not self._closed.is_set():
            action(self._quic)
            self.transmit()

    def add(self, session: Session, number: int) -> Stream:
        stream = self._streams[number] = Stream(self, number)
        session.streams.append(stream)
        return stream

    def quic_event_received(self, event: QuicEvent) -> None:
        match event:
            case StreamDataReceived() if event.stream_id % 4 == 1:
                # aioquic takes what comes back on a server's stream for frames of HTTP/3.
                self._streams[event.stream_id].receive(event.data, event.end_stream)
            case StreamReset() if event.stream_id in self._streams:
                self._streams[event.stream_id].was_reset(event.error_code)
            case StreamReset() if event.stream_id in self._sessions:
                self._end(self._sessions[event.stream_id], "the request was reset")
            case StopSendingReceived() if event.stream_id in self._streams:
                self._streams[event.stream_id].was_stopped(event.error_code)
            case ConnectionTerminated():
                for session in self._sessions.values():
                    self._end(session, "the connection was lost")
            case _:
                for item in self.http.handle_event(event):
                    self._http_event_received(item)

    def _http_event_received(self, event: H3Event) -> None:
        match event:
            case HeadersReceived():
                self._begin(self._session(event.stream_id), dict(event.headers))
            case DataReceived() if event.stream_id in self._sessions:
                self._sessions[event.stream_id].receive(event.data, event.stream_ended)
            case DatagramReceived():
                self._session(event.stream_id).datagrams.put_nowait(event.data)
            case WebTransportStreamDataReceived():
                if (stream := self._streams.get(event.stream_id)) is None:
                    session = self._session(event.session_id)
                    stream = self.add(session, event.stream_id)
                    session.incoming.put_nowait(stream)
                stream.receive(event.data, event.stream_ended)

    def _session(self, number: int) -> Session:
        """A stream or a datagram may arrive before the request that it belongs to."""
        if number not in self._sessions:
            self._sessions[number] = Session(self, number)
        return self._sessions[number]

    def _begin(self, session: Session, fields: dict[bytes, bytes]) -> None:
        address = urlsplit(fields[b":path"].decode())
        session.path, session.query = address.path, dict(parse_qsl(address.query))
        task = asyncio.ensure_future(self._serve(session))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _end(self, session: Session, what: str) -> None:
        session.end({"isAbnormal": True, "reason": what})
