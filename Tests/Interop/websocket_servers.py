"""Independent servers (h2, aioquic) for WebSocket over HTTP/2 and over HTTP/3, which play a part for our client."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from aioquic.asyncio import QuicConnectionProtocol, serve
from aioquic.buffer import encode_uint_var
from aioquic.h3.connection import H3_ALPN, FrameType, HeadersState, encode_frame
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ProtocolNegotiated, QuicEvent
from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.settings import SettingCodes, Settings
from websockets.frames import Opcode
from websockets.protocol import Protocol, Side, State

from aioquic_server import HTTP3
from certificates import Certificate

# RFC 8441 § 3 and RFC 9220 § 5.
ENABLE_CONNECT_PROTOCOL = 8
H3_NO_ERROR, H3_REQUEST_REJECTED, H3_INTERNAL_ERROR = 0x100, 0x10B, 0x102


@dataclass
class Part:
    """What a server does when it is asked for a session, and when it is told a message; keeps what it was asked."""

    asked: Callable[[Request], None] = lambda request: request.respond(200)
    told: Callable[[Request, bytes], None] = lambda request, message: request.frames.send_binary(message)
    # SETTINGS_ENABLE_CONNECT_PROTOCOL; None leaves it out.
    enable_connect_protocol: int | None = 1
    requests: list[Request] = field(default_factory=list)


class Request:
    """An extended CONNECT, and the WebSocket on its stream. Each mapping knows how its parts are sent."""

    def __init__(self, part: Part, fields: list[tuple[bytes, bytes]]) -> None:
        self.fields = [(name.decode(), value.decode()) for name, value in fields]
        self.received = bytearray()
        self.messages = 0
        self.has_ended = False
        # A server, which takes no frame without a mask.
        self.frames = Protocol(Side.SERVER, state=State.OPEN)
        self._part = part
        part.requests.append(self)

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.frames.receive_data(data)
        for frame in self.frames.events_received():
            if frame.opcode is Opcode.BINARY:
                self.messages += 1
                self._part.told(self, frame.data)
        self.send_frames()

    def eof_received(self) -> None:
        if self.frames.state is not State.CLOSED:
            self.frames.receive_eof()

    def send_frames(self) -> None:
        for data in self.frames.data_to_send():
            # Nothing stands for the end.
            if not self.has_ended:
                self.write(data, ends=not data)

    def respond(self, status: int, *, body: bytes = b"", ends: bool = False) -> None:
        self.send_head(status, ends=ends and not body)
        if body:
            self.write(body, ends)

    def end(self) -> None:
        self.write(b"", ends=True)

    def send_head(self, status: int, *, ends: bool = False) -> None: ...
    def write(self, data: bytes, ends: bool = False) -> None: ...
    def reset(self) -> None: ...

    def reject_with_goaway(self) -> None:
        """Says that this request is not worked on, and leaves the connection open."""

    def accept_with_goaway(self) -> None:
        """Says that this request is worked on, and no later one."""

    def close_connection(self) -> None:
        """With an error code."""

    def drop_connection(self) -> None:
        """Without a word, or as few as there can be."""


class Http2Request(Request):
    def __init__(self, connection: Http2Connection, number: int, part: Part, fields: list[tuple[bytes, bytes]]) -> None:
        super().__init__(part, fields)
        self._connection, self._number = connection, number
        self._outbox, self._has_sent_end = bytearray(), False

    def send_head(self, status: int, *, ends: bool = False) -> None:
        self.has_ended = self._has_sent_end = ends
        self._connection.http.send_headers(self._number, [(":status", str(status))], end_stream=ends)

    def write(self, data: bytes, ends: bool = False) -> None:
        self._outbox += data
        self.has_ended = ends
        self.window_opened()

    def window_opened(self) -> None:
        http = self._connection.http
        while self._outbox and (window := http.local_flow_control_window(self._number)) > 0:
            part = bytes(self._outbox[: min(window, http.max_outbound_frame_size)])
            del self._outbox[: len(part)]
            http.send_data(self._number, part)
        if self.has_ended and not self._outbox and not self._has_sent_end:
            self._has_sent_end = True
            http.end_stream(self._number)

    def reset(self) -> None:
        self._connection.http.reset_stream(self._number, ErrorCodes.INTERNAL_ERROR)

    def reject_with_goaway(self) -> None:
        self._connection.http.close_connection(ErrorCodes.NO_ERROR, last_stream_id=0)

    def accept_with_goaway(self) -> None:
        # By hand: h2 sends nothing any more after a GOAWAY of its own.
        self._connection.flush()
        payload = self._number.to_bytes(4) + int(ErrorCodes.NO_ERROR).to_bytes(4)
        self._connection.transport.write(len(payload).to_bytes(3) + bytes([7, 0]) + bytes(4) + payload)

    def close_connection(self) -> None:
        self._connection.http.close_connection(ErrorCodes.INTERNAL_ERROR)
        self._connection.flush()
        self._connection.transport.close()

    def drop_connection(self) -> None:
        self._connection.transport.abort()


class Http2Connection(asyncio.Protocol):
    def __init__(self, part: Part) -> None:
        self._part = part
        self._requests: dict[int, Http2Request] = {}
        self.http = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        settings = Settings(client=False)
        del settings[SettingCodes.ENABLE_CONNECT_PROTOCOL]
        if part.enable_connect_protocol is not None:
            settings[SettingCodes.ENABLE_CONNECT_PROTOCOL] = part.enable_connect_protocol
            settings.acknowledge()
        self.http.local_settings = settings

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.http.initiate_connection()
        self.flush()

    def data_received(self, data: bytes) -> None:
        for event in self.http.receive_data(data):
            self._take(event)
        self.flush()

    def _take(self, event: events.Event) -> None:
        match event:
            case events.RequestReceived():
                request = Http2Request(self, event.stream_id, self._part, event.headers)
                self._requests[event.stream_id] = request
                self._part.asked(request)
            case events.DataReceived():
                self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                self._requests[event.stream_id].data_received(event.data)
            case events.StreamEnded():
                self._requests[event.stream_id].eof_received()
            case events.StreamReset():
                del self._requests[event.stream_id]
            case events.WindowUpdated():
                for number, request in self._requests.items():
                    if event.stream_id in (0, number):
                        request.window_opened()

    def flush(self) -> None:
        if (data := self.http.data_to_send()) and not self.transport.is_closing():
            self.transport.write(data)


class Http3Request(Request):
    def __init__(self, connection: Http3Connection, number: int, part: Part, fields: list[tuple[bytes, bytes]]) -> None:
        super().__init__(part, fields)
        self._connection, self._number = connection, number

    def send_head(self, status: int, *, ends: bool = False) -> None:
        self.has_ended = ends
        http = self._connection.http
        http.send_headers(self._number, [(b":status", b"%d" % status)], end_stream=ends)
        if status < 200:
            # aioquic takes whatever follows the first fields for trailers.
            http._stream[self._number].headers_send_state = HeadersState.INITIAL

    def write(self, data: bytes, ends: bool = False) -> None:
        self.has_ended = ends
        if data:
            self._connection.http.send_data(self._number, data, end_stream=ends)
        else:
            # Also where no DATA may come.
            self._connection.quic.send_stream_data(self._number, b"", end_stream=ends)

    def reset(self) -> None:
        self._connection.quic.reset_stream(self._number, H3_INTERNAL_ERROR)
        self._connection.quic.stop_stream(self._number, H3_INTERNAL_ERROR)

    def reject_with_goaway(self) -> None:
        self._goaway(self._number)

    def accept_with_goaway(self) -> None:
        self._goaway(self._number + 4)

    def _goaway(self, number: int) -> None:
        http = self._connection.http
        frame = encode_frame(FrameType.GOAWAY, encode_uint_var(number))
        self._connection.quic.send_stream_data(http._local_control_stream_id, frame)

    def close_connection(self) -> None:
        self._connection.quic.close(H3_INTERNAL_ERROR, reason_phrase="gone")

    def drop_connection(self) -> None:
        self._connection.quic.close(H3_NO_ERROR)


class Http3Connection(QuicConnectionProtocol):
    def __init__(self, *args: object, part: Part, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._part = part
        self._requests: dict[int, Http3Request] = {}
        self.quic, self.http = self._quic, None

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, ProtocolNegotiated):
            value = self._part.enable_connect_protocol
            # One of those that nobody knows, so that there is one (RFC 9114 § 7.2.4.1).
            settings = {0x21: 1} | ({} if value is None else {ENABLE_CONNECT_PROTOCOL: value})
            self.http = HTTP3(self._quic, settings, enable_webtransport=False)
        for item in self.http.handle_event(event) if self.http else ():
            match item:
                case HeadersReceived():
                    request = Http3Request(self, item.stream_id, self._part, item.headers)
                    self._requests[item.stream_id] = request
                    self._part.asked(request)
                case DataReceived():
                    request = self._requests[item.stream_id]
                    if item.data:
                        request.data_received(item.data)
                    if item.stream_ended:
                        request.eof_received()
        self.transmit()


@asynccontextmanager
async def listening(mapping: str, part: Part, certificate: Certificate) -> AsyncIterator[int]:
    """A server that plays a part, on a port of its own. What it fails with, and not only its peer, is raised."""
    loop, faults = asyncio.get_running_loop(), []
    loop.set_exception_handler(lambda _, context: faults.append(context))
    if mapping == "HTTP/2":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)
        context.set_alpn_protocols(["h2"])
        server = await loop.create_server(lambda: Http2Connection(part), "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
    else:
        configuration = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN)
        configuration.load_cert_chain(certificate.certificate, certificate.key)
        server = await serve(
            "127.0.0.1", 0, configuration=configuration, create_protocol=partial(Http3Connection, part=part))
        port = server._transport.get_extra_info("sockname")[1]
    try:
        yield port
    finally:
        server.close()
    assert not faults, faults
