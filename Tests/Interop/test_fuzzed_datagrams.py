"""A live server under mutated bytes over UDP: datagrams as they travel, packets before they are protected, and streams
before they are framed."""

from __future__ import annotations

from contextlib import suppress

from aioquic.quic.connection import QuicConnectionError

from fuzzed_clients import FRAMES, Result, fuzzed_server, run  # noqa: F401
from mutations import Mutator
from raw_http3 import (
    CLIENT_SETTINGS, DATA, GOAWAY, MAX_PUSH_ID, PRIORITY_UPDATE, HTTP3Peer, capsule, close_capsule, connect, frame, get,
    headers, http_datagram, settings_frame, wt_header,
)
from raw_quic import varint
from server import Server

# In seconds: what a client waits for an answer that may not come.
PATIENCE = 1.0
INTERNAL_ERRORS = {(0x01, False), (0x102, True)}


class FuzzedPeer(HTTP3Peer):
    """A client of which a part is changed on its way out. It does as much as the server lets it."""

    def __init__(self, server: Server, mutator: Mutator, **options: object) -> None:
        super().__init__(server, **options)
        self.mutator = mutator
        self.sent = 0

    def until(self, condition: Callable[[], object], timeout: float = PATIENCE) -> bool:
        return super().until(condition, min(timeout, PATIENCE))

    def converse(self) -> None:
        """A session with streams and datagrams, whatever becomes of them."""
        session = self.request(headers(connect()), end=False)
        for number in range(3):
            self.send(self.new_stream(), wt_header(session) + b"bidirectional", number != 1)
            self.send(self.new_stream(unidirectional=True), wt_header(session, True) + b"unidirectional", True)
            self.send_datagram(http_datagram(session, b"datagram"))
        self.send(session, frame(DATA, capsule(0x1234, b"unknown")))
        self.send(self.new_stream(), headers(get()), True)
        self.until(lambda: self.closed, timeout=0.01)
        self.send(session, frame(DATA, close_capsule(7, b"bye")), True)
        self.until(lambda: self.closed, timeout=0.01)

    def is_well_closed(self) -> bool:
        """What a peer does wrong is its own error, not the server's."""
        return self.closed is None or (self.closed.code, self.closed.is_application) not in INTERNAL_ERRORS


def conversation(peer: FuzzedPeer) -> Result:
    # aioquic takes part with what it understands; what the server makes of the changes may be too much for it.
    with suppress(QuicConnectionError, ValueError, KeyError, IndexError, AssertionError), peer:
        if peer.has_completed_handshake:
            peer.converse()
    assert peer.is_well_closed(), f"the server blames itself: {peer.closed}"
    return Result(peer.sent, peer.has_completed_handshake)


class DatagramPeer(FuzzedPeer):
    """Datagrams change on their way, as on a network that means ill: also repeated, held back, and mixed."""

    def _send(self, datagram: bytes) -> None:
        for _ in range(self.mutator.choice([0, 1, 1, 4])):
            self.sent += 1
            super()._send(self.mutator.change(datagram))
        # Two of three arrive as they are: otherwise no handshake would end.
        if self.mutator.random() < 0.67:
            super()._send(datagram)


def test_datagrams_that_change_on_their_way(fuzzed_server: Server) -> None:
    """RFC 9001 § 9.5 and RFC 9000 § 21: what is not authenticated changes nothing."""
    run(fuzzed_server, 50, lambda mutator: conversation(DatagramPeer(fuzzed_server, mutator)))


class PacketPeer(FuzzedPeer):
    """Payloads change before they are protected, and frames are added: the server takes them for the client's own."""

    def __init__(self, server: Server, mutator: Mutator) -> None:
        super().__init__(server, mutator)
        # Few in the handshake, which should end in most cases.
        self.likelihood = mutator.choice([0, 0, 0.1, 0.3])
        initialize = self.quic._initialize

        def initialize_and_change(peer_cid: bytes) -> None:
            initialize(peer_cid)
            for crypto in self.quic._cryptos.values():
                crypto.encrypt_packet = self.changing(crypto.encrypt_packet)

        self.quic._initialize = initialize_and_change

    def changing(self, encrypt: Callable[[bytes, bytes, int], bytes]) -> Callable[[bytes, bytes, int], bytes]:
        def change(header: bytes, payload: bytes, number: int) -> bytes:
            if self.mutator.random() < self.likelihood:
                self.sent += 1
                changed = self.mutator.change(payload)[:1150]
                # In a long header the length is protected with the payload, and must stay as it is.
                payload = changed if header[0] & 0x80 == 0 else changed[: len(payload)].ljust(len(payload), b"\0")
                payload = payload.ljust(4, b"\0")
            return encrypt(header, payload, number)

        return change

    def converse(self) -> None:
        self.likelihood = 0.1
        for _ in range(30):
            if self.closed is not None:
                break
            frames = b"".join(self.mutator.quic_frame() for _ in range(self.mutator.choice([1, 1, 2, 5])))
            self.sent += 1
            self.send_frames(frames.ljust(4, b"\0")[:1150])
            self.until(lambda: self.closed, timeout=0.001)
        super().converse()


def test_frames_that_nobody_would_send(fuzzed_server: Server) -> None:
    """RFC 9000 § 12.4: frames of any type with any fields, in packets that are in order."""
    run(fuzzed_server, 60, lambda mutator: conversation(PacketPeer(fuzzed_server, mutator)))


class StreamPeer(FuzzedPeer):
    """The bytes of streams and datagrams change: QUIC is in order, and HTTP/3 and WebTransport are not."""

    def send(self, stream: int, data: bytes = b"", end: bool = False) -> None:
        if self.mutator.random() < 0.3:
            self.sent += 1
            data = self.mutator.change(data)
        # In pieces, so that none of the server's readers sees all at once. The time between them is for aioquic's
        # pacing, which would put them into one packet.
        while len(data) > 1 and self.mutator.random() < 0.5:
            cut = self.mutator.randrange(1, len(data))
            super().send(stream, data[:cut])
            self.until(lambda: self.closed, timeout=0.001)
            data = data[cut:]
        super().send(stream, data, end)

    def send_datagram(self, data: bytes) -> None:
        self.sent += 1
        super().send_datagram(self.mutator.change(data)[:1000])

    def converse(self) -> None:
        for _ in range(self.mutator.randrange(4)):
            stream, data = self.mutator.choice([
                (self.control, settings_frame(CLIENT_SETTINGS)),
                (self.control, frame(PRIORITY_UPDATE, varint(0) + b"u=1, i")),
                (self.control, frame(GOAWAY, varint(8)) + frame(MAX_PUSH_ID, varint(8))),
                # A table of 4,096 bytes, an entry for it, and a copy of that; then an acknowledgement.
                (self.encoder, b"\x3f\xe1\x1f" + b"\x41x\x01y" + b"\x00"),
                (self.decoder, b"\x80\x40\x01"),
            ])
            self.send(stream, data)
        super().converse()
        # A WebSocket (RFC 9220), whose frames change.
        fields = connect("/echo", ("sec-websocket-version", "13"), protocol="websocket")
        tunnel = self.request(headers(fields), end=False)
        for _ in range(self.mutator.randrange(6)):
            self.send(tunnel, frame(DATA, self.mutator.change(self.mutator.choice(FRAMES))))
        for _ in range(10):
            if self.closed is not None:
                return
            kind = self.mutator.integer() if self.mutator.random() < 0.7 else b"\x54"
            super().send(self.new_stream(unidirectional=True), kind + self.mutator.randbytes(20), True)
            self.send(self.new_stream(), headers(connect()) + frame(DATA, close_capsule(1, b"reason")))
            self.sent += 1
            self.until(lambda: self.closed, timeout=0.001)


def test_streams_that_hold_nonsense(fuzzed_server: Server) -> None:
    """RFC 9114, RFC 9204, RFC 9297 and WebTransport: streams, frames, field sections and capsules of any form."""
    run(fuzzed_server, 100, lambda mutator: conversation(StreamPeer(fuzzed_server, mutator)))
