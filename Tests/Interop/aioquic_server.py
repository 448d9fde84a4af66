"""An independent implementation (aioquic) as a WebTransport server, for our client to talk to."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aioquic.asyncio import QuicConnectionProtocol, serve
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, DatagramReceived, HeadersReceived, WebTransportStreamDataReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, ProtocolNegotiated, QuicEvent, StreamReset
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from http3_client import Answer, capsule

WT_CLOSE_SESSION = 0x2843


class HTTP3(H3Connection):
    """With SETTINGS of one's choice; aioquic knows draft-02 only."""

    def __init__(self, quic: QuicConnection, settings: dict[int, int] | None, enable_webtransport: bool) -> None:
        self._chosen = settings
        super().__init__(quic, enable_webtransport=enable_webtransport)

    def _get_local_settings(self) -> dict[int, int]:
        return super()._get_local_settings() if self._chosen is None else self._chosen


class Peer(QuicConnectionProtocol):
    """Accepts every session, plays a part in it, and keeps what arrives."""

    speaks_webtransport = True
    settings: dict[int, int] | None = None
    # Of the response, beside its status.
    fields: list[tuple[bytes, bytes]] = []
    plays: Callable[[Peer, int], Awaitable[None]] | None = None
    # The one connection of a test.
    current: Peer | None = None

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        type(self).current = self
        self.http: H3Connection | None = None
        self.request: dict[bytes, bytes] = {}
        # What the client sent on the session's stream, on others, and in datagrams.
        self.capsules, self.has_ended = Answer(), asyncio.Event()
        self.streams: dict[int, bytes] = {}
        self.finished: set[int] = set()
        self.datagrams, self.has_datagram = [], asyncio.Event()
        self.resets: dict[int, int] = {}
        self.close_code: int | None = None
        self._part: asyncio.Task | None = None

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, ProtocolNegotiated):
            self.http = HTTP3(self._quic, self.settings, self.speaks_webtransport)
        if isinstance(event, StreamReset):
            self.resets[event.stream_id] = event.error_code
        if isinstance(event, ConnectionTerminated):
            self.close_code = event.error_code
        for item in self.http.handle_event(event) if self.http else ():
            match item:
                case HeadersReceived():
                    self.request = dict(item.headers)
                    status = self.status
                    fields = [(b":status", b"%d" % status), *self.fields]
                    self.http.send_headers(item.stream_id, fields, end_stream=status != 200)
                    self.transmit()
                    if status == 200 and type(self).plays is not None:
                        self._part = asyncio.ensure_future(type(self).plays(self, item.stream_id))
                case DataReceived():
                    self.capsules.body += item.data
                    if item.stream_ended:
                        self.has_ended.set()
                case WebTransportStreamDataReceived():
                    self.streams[item.stream_id] = self.streams.get(item.stream_id, b"") + item.data
                    if item.stream_ended:
                        self.finished.add(item.stream_id)
                        self.answer(item.session_id, item.stream_id)
                case DatagramReceived():
                    self.datagrams.append(item.data)
                    self.has_datagram.set()

    @property
    def status(self) -> int:
        """What the request is answered with."""
        return 200

    def answer(self, session: int, stream: int) -> None:
        """The client has ended a stream. There is nothing to say to that, which the command waits for."""
        self.send(stream, b"", end=True)

    def send(self, stream: int, data: bytes, end: bool = False) -> None:
        self._quic.send_stream_data(stream, data, end)
        self.transmit()

    def close_session(self, session: int, code: int, reason: bytes) -> None:
        self.http.send_data(session, capsule(WT_CLOSE_SESSION, code.to_bytes(4) + reason), end_stream=True)
        self.transmit()


@asynccontextmanager
async def listening(part: type[Peer]) -> AsyncIterator[str]:
    """A server that plays a part; its certificate is nobody's, and the command is told not to look at it."""
    configuration = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN, max_datagram_frame_size=65536)
    configuration.certificate, configuration.private_key = self_signed()
    server = await serve("127.0.0.1", 0, configuration=configuration, create_protocol=part)
    try:
        yield f"https://127.0.0.1:{server._transport.get_extra_info('sockname')[1]}/part?of=it"
    finally:
        server.close()


def self_signed() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(hours=1))
    )
    return builder.sign(key, hashes.SHA256()), key
