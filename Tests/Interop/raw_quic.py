"""A QUIC client that breaks rules on purpose: any frame, any transport parameter, at any encryption level.

aioquic does the honest part (TLS, acknowledgements, retransmission); what is illegal is built here by hand and goes out
in a packet of its own.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from aioquic.buffer import Buffer, encode_uint_var
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import (
    DatagramFrameReceived,
    HandshakeCompleted,
    PingAcknowledged,
    QuicEvent,
    StopSendingReceived,
    StreamDataReceived,
    StreamReset,
)
from aioquic.tls import Epoch, ExtensionType, SessionTicket

from rules import GOES_ON, Abort, Close
from server import Server

TIMEOUT = 10.0

varint = encode_uint_var


def long_varint(value: int) -> bytes:
    """The longest of the encodings that RFC 9000 § 16 allows for a value."""
    return (value | 3 << 62).to_bytes(8, "big")


class RawConnection(QuicConnection):
    """aioquic's client with its transport parameters and TLS extensions open to change."""

    def __init__(
        self,
        configuration: QuicConfiguration,
        parameters: dict[int, bytes | None],
        extensions: Callable[[bytes], list[tuple[int, bytes]]] | None,
        tickets: list[SessionTicket],
        tokens: list[bytes],
    ) -> None:
        super().__init__(
            configuration=configuration, session_ticket_handler=tickets.append, token_handler=tokens.append
        )
        self._changed_parameters = parameters
        self._make_extensions = extensions
        self.peer_close: Close | None = None
        self.peer_parameters: dict[int, bytes] = {}
        self.path_responses: list[bytes] = []

    def _serialize_transport_parameters(self) -> bytes:
        parameters = parse_parameters(super()._serialize_transport_parameters())
        for identifier, value in self._changed_parameters.items():
            if value is None:
                parameters.pop(identifier, None)
            else:
                parameters[identifier] = value
        return b"".join(varint(k) + varint(len(v)) + v for k, v in parameters.items())

    def _initialize(self, peer_cid: bytes) -> None:
        super()._initialize(peer_cid)
        if self._make_extensions is not None:
            ((_, parameters),) = self.tls.handshake_extensions
            self.tls.handshake_extensions = self._make_extensions(parameters)

    def _parse_transport_parameters(self, data: bytes, from_session_ticket: bool = False) -> None:
        self.peer_parameters = parse_parameters(data)
        super()._parse_transport_parameters(data, from_session_ticket)

    def _handle_connection_close_frame(self, context: object, frame_type: int, buf: Buffer) -> None:
        super()._handle_connection_close_frame(context, frame_type, buf)
        event = self._close_event
        if self.peer_close is None:
            self.peer_close = Close(event.error_code, event.frame_type is None, event.reason_phrase)

    def _handle_path_response_frame(self, context: object, frame_type: int, buf: Buffer) -> None:
        # aioquic ends the connection over an answer to a challenge that it has not sent itself.
        self.path_responses.append(buf.pull_bytes(8))

    def _handle_retire_connection_id_frame(self, context: object, frame_type: int, buf: Buffer) -> None:
        # Likewise over an ID that it has not issued itself.
        buf.pull_uint_var()

    def can_send(self, epoch: Epoch) -> bool:
        return epoch in self._cryptos and self._cryptos[epoch].send.is_valid()

    def packet(self, epoch: Epoch, payload: bytes, reserved_bits: int = 0) -> bytes:
        """A protected packet with exactly this payload, which may be nothing."""
        crypto = self._cryptos[epoch]
        number = self._packet_number
        self._packet_number += 1
        # A packet number of four bytes leaves enough to sample when the payload is empty (RFC 9001 § 5.4.2).
        if epoch is Epoch.ONE_RTT:
            header = bytes([0x40 | reserved_bits << 3 | crypto.key_phase << 2 | 3]) + self._peer_cid.cid
        else:
            kind = {Epoch.INITIAL: 0, Epoch.ZERO_RTT: 1, Epoch.HANDSHAKE: 2}[epoch]
            header = bytes([0xC0 | kind << 4 | reserved_bits << 2 | 3]) + self._version.to_bytes(4, "big")
            for identifier in (self._peer_cid.cid, self.host_cid):
                header += bytes([len(identifier)]) + identifier
            if epoch is Epoch.INITIAL:
                header += varint(len(self._peer_token)) + self._peer_token
            header += (4 + len(payload) + crypto.aead_tag_size | 0x4000).to_bytes(2, "big")
        return crypto.encrypt_packet(header + number.to_bytes(4, "big"), payload, number)


def parse_parameters(data: bytes) -> dict[int, bytes]:
    buffer = Buffer(data=data)
    parameters = {}
    while not buffer.eof():
        identifier = buffer.pull_uint_var()
        parameters[identifier] = buffer.pull_bytes(buffer.pull_uint_var())
    return parameters


@dataclass
class Stream:
    """What has arrived on one stream, and what the server asked for."""

    data: bytes = b""
    is_finished: bool = False
    reset: int | None = None
    stopped: int | None = None

    @property
    def aborted(self) -> Abort | None:
        code = self.reset if self.reset is not None else self.stopped
        return None if code is None else Abort(code)


class Peer:
    """One connection, driven by hand: nothing moves but within a call. Use it as a context manager.

    - parameters: transport parameters to add or replace by identifier, or to leave out (None).
    - extensions: makes the ClientHello's QUIC extensions from the transport parameters.
    - early: is called once with the peer before its first packet. What it writes goes out as early data when the ticket
      allows that.
    - instead_of_finished: is called once with the peer when it could send its Finished, which it then does not do before
      `finish`.
    """

    def __init__(
        self,
        server: Server,
        *,
        alpn: list[str] | None = ["h3"],  # noqa: B006: never changed
        parameters: dict[int, bytes | None] | None = None,
        extensions: Callable[[bytes], list[tuple[int, bytes]]] | None = None,
        early: Callable[[Peer], None] | None = None,
        instead_of_finished: Callable[[Peer], None] | None = None,
        ticket: SessionTicket | None = None,
        token: bytes = b"",
        datagrams: int | None = 65535,
    ) -> None:
        configuration = QuicConfiguration(
            alpn_protocols=alpn, verify_mode=ssl.CERT_NONE, server_name="localhost", max_datagram_frame_size=datagrams,
            session_ticket=ticket, token=token, max_data=1 << 26, max_stream_data=1 << 24,
        )
        self.tickets: list[SessionTicket] = []
        self.tokens: list[bytes] = []
        self.quic = RawConnection(configuration, parameters or {}, extensions, self.tickets, self.tokens)
        self.streams: dict[int, Stream] = defaultdict(Stream)
        self.datagrams: list[bytes] = []
        self.has_completed_handshake = False
        self.is_resumed = False
        self.is_early_data_accepted = False
        self._acknowledged_pings = 0
        self._pings = 0
        self._early = early
        self._is_held_back = False
        self._instead_of_finished = instead_of_finished
        self._server = server
        self._address = ("127.0.0.1", server.port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._socket.setblocking(False)

    def begin(self) -> None:
        """Makes the first flight, without sending it."""
        self.quic.connect(self._address, now=time.monotonic())
        if self._early is not None:
            self._is_held_back = True
            self._early(self)
            self._is_held_back = False

    def receive_one(self) -> bytes:
        """The next datagram, which aioquic does not get to see; nothing when none comes."""
        return self._socket.recv(65536) if select.select([self._socket], [], [], TIMEOUT)[0] else b""

    def __enter__(self) -> Peer:
        self.begin()
        if self._instead_of_finished is not None:
            self.until(lambda: self.quic.can_send(Epoch.HANDSHAKE) or self.closed is not None)
            if self.closed is None:
                self._instead_of_finished(self)
        else:
            self.until(lambda: self.has_completed_handshake or self.closed is not None)
        return self

    def __exit__(self, *_: object) -> None:
        if self.closed is None and self.has_completed_handshake:
            self.quic.close(error_code=0x100)
            self.transmit()
        self._socket.close()

    @property
    def closed(self) -> Close | None:
        return self.quic.peer_close

    # Time

    def transmit(self) -> None:
        if self._is_held_back:
            return
        # Once it could complete the handshake, a peer that must not complete it says only what it is told to say.
        if self._instead_of_finished is not None and self.quic.can_send(Epoch.HANDSHAKE):
            return
        for datagram, _ in self.quic.datagrams_to_send(now=time.monotonic()):
            self._send(datagram)

    def finish(self) -> None:
        """Completes the handshake after all."""
        self._instead_of_finished = None
        self.transmit()

    def until(self, condition: Callable[[], object], timeout: float = TIMEOUT) -> bool:
        """Runs the connection until the condition holds, and says whether it does."""
        deadline = time.monotonic() + timeout
        self.transmit()
        while not condition():
            now = time.monotonic()
            # Also when packets or timers come without end.
            if now >= deadline:
                return False
            timer = self.quic.get_timer()
            # Half a second, to notice within it that the server has died.
            wait = max(0.0, min(deadline, now + 0.5, timer if timer is not None else deadline) - now)
            if select.select([self._socket], [], [], wait)[0]:
                self._receive()
            elif timer is not None and time.monotonic() >= timer:
                self.quic.handle_timer(now=time.monotonic())
                self._dispatch()
            elif not self._server.is_running:
                return False
            self.transmit()
        return True

    def _receive(self) -> None:
        # A batch, as a burst would otherwise be answered with an acknowledgement each.
        for _ in range(64):
            try:
                datagram, _ = self._socket.recvfrom(65536)
            except (BlockingIOError, ConnectionRefusedError):
                break
            self.quic.receive_datagram(datagram, self._address, now=time.monotonic())
        self._dispatch()

    def _dispatch(self) -> None:
        while (event := self.quic.next_event()) is not None:
            self.handle(event)

    def handle(self, event: QuicEvent) -> None:
        match event:
            case HandshakeCompleted():
                self.has_completed_handshake = True
                self.is_resumed = event.session_resumed
                self.is_early_data_accepted = event.early_data_accepted
            case StreamDataReceived():
                stream = self.streams[event.stream_id]
                stream.data += event.data
                stream.is_finished |= event.end_stream
            case StreamReset():
                self.streams[event.stream_id].reset = event.error_code
            case StopSendingReceived():
                self.streams[event.stream_id].stopped = event.error_code
            case DatagramFrameReceived():
                self.datagrams.append(event.data)
            case PingAcknowledged():
                self._acknowledged_pings += 1

    # Sending

    def _send(self, datagram: bytes) -> None:
        # A full send buffer, or the server's end: as good as a lost packet.
        try:
            self._socket.sendto(datagram, self._address)
        except (BlockingIOError, ConnectionRefusedError):
            select.select([], [self._socket], [], 1)

    def send_frames(self, frames: bytes, epoch: Epoch = Epoch.ONE_RTT, reserved_bits: int = 0) -> None:
        """Sends these bytes as the whole payload of one packet."""
        self._send(self.quic.packet(epoch, frames, reserved_bits))

    def send(self, stream: int, data: bytes = b"", end: bool = False) -> None:
        self.quic.send_stream_data(stream, data, end)
        self.transmit()

    def send_datagram(self, data: bytes) -> None:
        self.quic.send_datagram_frame(data)
        self.transmit()

    def new_stream(self, unidirectional: bool = False) -> int:
        stream = self.quic.get_next_available_stream_id(unidirectional)
        # It takes the ID: aioquic gives the same one again until a stream is used.
        self.quic._get_or_create_stream_for_send(stream)
        return stream

    def is_acknowledged(self, stream: int) -> bool:
        """Whether the server has all that was sent on the stream."""
        return not self.quic._streams[stream].sender._buffer

    # Outcomes

    def settle(self) -> bool:
        """Waits until the server has acknowledged all that was sent before, or has closed."""
        self._pings += 1
        self.quic.send_ping(self._pings)
        wanted = self._pings
        self.transmit()
        if self.closed is None:
            # The second packet in a row is acknowledged without delay (RFC 9000 § 13.2.2).
            self.send_frames(b"\x01")
        return self.until(lambda: self.closed is not None or self._acknowledged_pings >= wanted)

    @property
    def silence(self) -> str:
        return "silence" if self._server.is_running else "the server has died"

    def connection_outcome(self) -> Close | str:
        """How the server takes what was sent: it closes in the turn in which it reads, hence before it acknowledges."""
        if self.has_completed_handshake and self._instead_of_finished is None:
            return (self.closed or GOES_ON) if self.settle() else self.silence
        self.until(lambda: self.closed is not None, timeout=2)
        return self.closed or self.silence

    def stream_outcome(self, stream: int) -> Abort | Close | str:
        """How the server takes what was sent on a stream."""
        state = self.streams[stream]
        self.until(lambda: self.closed or state.aborted or state.is_finished, timeout=2)
        if self.closed is not None:
            return self.closed
        return state.aborted or ("the stream ends in order" if state.is_finished else self.silence)


QUIC_TRANSPORT_PARAMETERS = ExtensionType.QUIC_TRANSPORT_PARAMETERS


def random_id() -> bytes:
    return os.urandom(8)
