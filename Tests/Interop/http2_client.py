"""An independent implementation of HTTP/2 (h2) as client of the server under test."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import ConnectionInputs, ConnectionState, H2Connection, H2ConnectionStateMachine
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated, DataReceived, Event, PingAckReceived, RemoteSettingsChanged, ResponseReceived, StreamEnded,
    StreamReset,
)
from h2.settings import SettingCodes

from server import Server

TIMEOUT = 20.0

Field = tuple[str, str]

# h2 gives a connection up at its first GOAWAY, where RFC 9113 § 6.8 lets streams go on.
_OPEN = ConnectionState.CLIENT_OPEN
H2ConnectionStateMachine._transitions[_OPEN, ConnectionInputs.RECV_GOAWAY] = (None, _OPEN)


def tls(*protocols: str) -> ssl.SSLContext:
    """A client that accepts any certificate: its hash is checked elsewhere."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(list(protocols))
    return context


@dataclass
class Stream:
    fields: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    is_ended: bool = False
    reset: int | None = None
    # Received, and not acknowledged to flow control.
    held: int = 0
    holds: bool = False

    @property
    def status(self) -> int:
        return int(self.fields[":status"])


class Client:
    """Keeps what arrives, and wakes whoever waits for it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, settings: dict[int, int]) -> None:
        # What is wrong is the server's to find.
        configuration = H2Configuration(
            client_side=True, validate_outbound_headers=False, normalize_outbound_headers=False)
        self.http = H2Connection(configuration)
        self.http.local_settings.update(settings)
        self.streams: dict[int, Stream] = {}
        self.settings: dict[int, int] = {}
        self.goaways: list[tuple[int, int]] = []
        self.pings = 0
        self.is_closed = False
        self._reader, self._writer = reader, writer
        self._changed = asyncio.Event()
        self._has_settings = False

    async def begin(self) -> None:
        self.http.initiate_connection()
        # A stream that is not read must not hold up the others.
        self.http.increment_flow_control_window(1 << 28)
        self.flush()
        await self.until(lambda: self._has_settings)

    async def pump(self) -> None:
        try:
            while data := await self._reader.read(1 << 16):
                for event in self.http.receive_data(data):
                    self._take(event)
                self.flush()
                self._changed.set()
        except (ConnectionError, ssl.SSLError):
            pass
        self.is_closed = True
        self._changed.set()

    def _take(self, event: Event) -> None:
        match event:
            case RemoteSettingsChanged():
                self.settings |= {code: setting.new_value for code, setting in event.changed_settings.items()}
                self._has_settings = True
            case ResponseReceived():
                self.streams[event.stream_id].fields |= {text(name): text(value) for name, value in event.headers}
            case DataReceived():
                stream = self.streams[event.stream_id]
                stream.body += event.data
                if stream.holds:
                    stream.held += event.flow_controlled_length
                elif event.flow_controlled_length:
                    self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case StreamEnded():
                self.streams[event.stream_id].is_ended = True
            case StreamReset():
                self.streams[event.stream_id].reset = event.error_code
            case ConnectionTerminated():
                self.goaways.append((event.last_stream_id, event.error_code))
            case PingAckReceived():
                self.pings += 1

    def flush(self) -> None:
        if data := self.http.data_to_send():
            self.send_raw(data)

    def send_raw(self, data: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(data)

    async def drain(self) -> None:
        await self._writer.drain()

    async def until(self, condition: Callable[[], object], patience: float | None = TIMEOUT) -> None:
        async with asyncio.timeout(patience):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    # MARK: Requests

    def ask(self, method: str, path: str, *more: Field, end: bool = True) -> int:
        names = {name for name, _ in more}
        pseudo = [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path)]
        return self.ask_with([item for item in pseudo if item[0] not in names] + list(more), end)

    def ask_with(self, fields: list[Field], end: bool = True) -> int:
        number = self.http.get_next_available_stream_id()
        self.streams[number] = Stream()
        ordered = sorted(fields, key=lambda item: not item[0].startswith(":"))
        self.http.send_headers(number, ordered, end_stream=end)
        self.flush()
        return number

    async def request(self, method: str, path: str, *more: Field) -> Stream:
        stream = self.streams[self.ask(method, path, *more)]
        await self.until(lambda: stream.is_ended or stream.reset is not None or self.is_closed)
        return stream

    async def answered(self, number: int) -> Stream:
        stream = self.streams[number]
        await self.until(lambda: ":status" in stream.fields or stream.reset is not None or self.is_closed)
        return stream

    async def send(
        self, number: int, data: bytes, end: bool = False, patience: float | None = TIMEOUT,
    ) -> None:
        """Sends data as flow control allows, for each part of which it waits no longer than it has patience."""
        rest = memoryview(data)
        while rest or end:
            window = self.http.local_flow_control_window(number)
            if rest and window <= 0:
                await self.until(
                    lambda: self.is_closed or self.streams[number].reset is not None
                    or self.http.local_flow_control_window(number) > 0,
                    patience)
                assert not self.is_closed and self.streams[number].reset is None
                continue
            part = rest[: min(window, self.http.max_outbound_frame_size)]
            rest = rest[len(part):]
            self.http.send_data(number, bytes(part), end_stream=end and not rest)
            self.flush()
            await self.drain()
            if not rest:
                return

    def release(self, number: int) -> None:
        """Gives the credit that was held back, and holds none any more."""
        stream = self.streams[number]
        stream.holds = False
        if stream.held:
            self.http.acknowledge_received_data(stream.held, number)
            stream.held = 0
        self.flush()

    def reset(self, number: int, code: int = ErrorCodes.CANCEL) -> None:
        self.http.reset_stream(number, code)
        self.flush()


def text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


@asynccontextmanager
async def client(server: Server, settings: dict[int, int] | None = None) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=tls("h2", "http/1.1"))
    assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
    protocol = Client(reader, writer, settings or {})
    pump = asyncio.create_task(protocol.pump())
    try:
        await protocol.begin()
        yield protocol
    finally:
        writer.transport.abort()
        await pump


INITIAL_WINDOW_SIZE = SettingCodes.INITIAL_WINDOW_SIZE
