"""A live server under mutated bytes: datagrams as they travel, packets before they are protected, streams before they
are framed, and TCP in the same ways. It must live, serve an honest client meanwhile, keep its memory, and end the
connections over TCP that their clients have ended.

Every client has a seed, which a failure names. APUS_FUZZ_SEED begins elsewhere, and APUS_FUZZ_SECONDS makes each test
go on for so long.
"""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from aioquic.quic.connection import QuicConnectionError

import raw_http2 as http2
from http2_client import tls
from mutations import Mutator
from raw_http3 import (
    CLIENT_SETTINGS, DATA, GOAWAY, MAX_PUSH_ID, PRIORITY_UPDATE, HTTP3Peer, capsule, close_capsule, connect, frame, get,
    headers, http_datagram, settings_frame, wt_header,
)
from raw_quic import varint
from server import Server, resident

FIRST_SEED = int(os.environ.get("APUS_FUZZ_SEED", "1"))
SECONDS = float(os.environ.get("APUS_FUZZ_SECONDS", "0"))
# In seconds: clients that fall silent in the middle must not pile up.
IDLE_TIMEOUT = 3
# In kB: some hundred clients that have not timed out yet.
MEMORY = 120_000
# In seconds: what a client waits for an answer that may not come.
PATIENCE = 1.0
INTERNAL_ERRORS = {(0x01, False), (0x102, True)}


@pytest.fixture(scope="module")
def fuzzed_server(apus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server.start(tmp_path_factory.mktemp("fuzzed"), "--idle-timeout", f"{IDLE_TIMEOUT}s")
    yield running
    running.stop()


def seeds(count: int) -> Iterator[int]:
    """So many, or for as long as APUS_FUZZ_SECONDS says."""
    end = time.monotonic() + SECONDS
    seed = FIRST_SEED
    while seed < FIRST_SEED + count or time.monotonic() < end:
        yield seed
        seed += 1


def serves(server: Server) -> bool:
    """Whether an honest client has a session and an echo."""
    with HTTP3Peer(server) as peer:
        stream = peer.streams[peer.wt_stream(peer.session(), b"honest", end=True)]
        peer.until(lambda: peer.closed or stream.is_finished)
        return stream.data == b"honest"


@dataclass
class Result:
    """How many changes a client has sent, and whether it came so far that they could matter.

    - has_ended: whether the server has ended the connection in order, where the client had ended it; else None.
    """

    sent: int
    has_begun: bool
    has_ended: bool | None = None


def run(server: Server, count: int, client: Callable[[Mutator], Result], ends: bool = False) -> None:
    """Runs one client for each seed.

    - ends: most of them end their connections, for the server to do the same.
    """
    before = resident(server)
    sent = begun = clients = left = ended = 0
    for seed in seeds(count):
        try:
            result = client(Mutator(seed))
        except Exception as error:
            error.add_note(f"again: APUS_FUZZ_SEED={seed}")
            raise
        clients, begun, sent = clients + 1, begun + result.has_begun, sent + result.sent
        left, ended = left + (result.has_ended is not None), ended + (result.has_ended is True)
        assert server.is_running, f"the server died; again: APUS_FUZZ_SEED={seed}"
        if clients % 20 == 0:
            assert serves(server), f"an honest client is not served after seed {seed}"
    assert serves(server)
    growth = resident(server) - before
    print(
        f"{clients} clients from seed {FIRST_SEED} on, {begun} of which began, sent {sent} changes; {left} ended their "
        f"connections, and the server {ended} of these; {growth} kB more")
    assert begun > clients // 4, "too few came so far that their changes could matter"
    assert not ends or left > clients // 2, "too few ended their connections"
    # A reset is the end of a connection, too, where the server has ended it while the client was sending.
    assert ended >= left * 3 // 4, "too few connections came to an end in order"
    assert growth < MEMORY


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


# MARK: TCP

HTTP = [
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nOrigin: https://localhost\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
    b"HEAD http://localhost/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nbody",
]
UPGRADE = (
    b"GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
)
MASK = b"\x00\x00\x00\x00"
FRAMES = [
    b"\x81\x85" + MASK + b"Hello", b"\x01\x82" + MASK + b"\xc3\xbc" + b"\x80\x80" + MASK, b"\x89\x84" + MASK + b"ping",
    b"\x82\xfe\x01\x00" + MASK + bytes(256), b"\xc1\x87" + MASK + b"\xf2\x48\xcd\xc9\xc9\x07\x00",
    b"\x88\x85" + MASK + b"\x03\xe8bye",
]
# To what comes first, unless that has changed: the server switches protocols, has the resource, or knows no such method
# or host.
ANSWERS = tuple(b"HTTP/1.1 %d " % status for status in (101, 200, 405, 421))


class Secure:
    """TLS over a socket. It ends its direction while answers wait, which an SSLSocket would give up."""

    def __init__(self, plain: socket.socket, protocol: str, ending: tuple[bool, bool]) -> None:
        self._plain = plain
        self._has_goodbye, self._has_end = ending
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = tls(protocol).wrap_bio(self._incoming, self._outgoing)
        self._waiting = b""
        self._await(self._tls.do_handshake)
        self._flush()

    def sendall(self, data: bytes) -> None:
        self._tls.write(data)
        self._flush()

    def recv(self, size: int) -> bytes:
        """Nothing at the end of the connection, not at that of TLS alone."""
        if self._waiting:
            waiting, self._waiting = self._waiting, b""
            return waiting
        try:
            data = self._await(lambda: self._tls.read(size))
        except ssl.SSLZeroReturnError:
            # A close_notify that answers the client's.
            data = b""
        except ssl.SSLEOFError:
            # RFC 8446 § 6.1: it owes one to a client that has sent its own.
            assert not self._has_goodbye, "the server ends TLS without close_notify"
            return b""
        assert data or not self._plain.recv(size), "the server says something after its close_notify"
        return data

    def shutdown(self, how: int) -> None:
        if self._has_goodbye:
            # TLS looks for the server's close_notify at once, and fails over anything else that it has.
            with suppress(ssl.SSLWantReadError):
                while data := self._tls.read(65536):
                    self._waiting += data
            with suppress(ssl.SSLWantReadError):
                self._tls.unwrap()
            self._flush()
        if self._has_end:
            self._plain.shutdown(how)

    def _await(self, action: Callable[[], bytes | None]) -> bytes | None:
        while True:
            try:
                return action()
            except ssl.SSLWantReadError:
                self._flush()
            if data := self._plain.recv(65536):
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    def _flush(self) -> None:
        # After the end even nothing cannot be sent.
        if data := self._outgoing.read():
            self._plain.sendall(data)


Connection = socket.socket | Secure


def ending(mutator: Mutator) -> tuple[bool, bool]:
    """Whether a client ends TLS, and TCP: each of them ends its direction."""
    return mutator.choice([(True, True), (True, False), (False, True)])


def end(connection: Connection) -> tuple[bytes, bool]:
    """Ends the client's direction. Returns what the server said until it had ended its own, as it must then, and
    whether it did so in order."""
    # The server may have ended the connection before.
    with suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
    received = b""
    try:
        while data := connection.recv(65536):
            received += data
    except ConnectionError:
        return received, False
    except TimeoutError as error:
        raise AssertionError("the server keeps a connection that its client has ended") from error
    return received, True


def tcp_client(server: Server, is_secure: bool, mutator: Mutator) -> Result:
    """Requests and frames, changed and in pieces; within TLS, or changing its records."""
    if mutator.random() < 0.5:
        parts = [mutator.choice(HTTP) for _ in range(3)]
    else:
        # The handshake as it is, mostly, so that frames come to be read.
        upgrade = UPGRADE if mutator.random() < 0.8 else mutator.change(UPGRADE)
        parts = [upgrade, *(mutator.choice(FRAMES) for _ in range(4))]
    first, *rest = parts
    data = first + b"".join(mutator.change(part) for part in rest)
    with socket.create_connection(("127.0.0.1", server.port if is_secure else server.http_port), timeout=60) as plain:
        if is_secure and mutator.random() < 0.3:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            with suppress(ssl.SSLWantReadError):
                tls("http/1.1").wrap_bio(incoming, outgoing).do_handshake()
            plain.sendall(mutator.change(outgoing.read()))
            received, has_ended = end(plain)
            # Whatever it says, it has read the hello.
            return Result(1, bool(received), has_ended)
        connection = Secure(plain, "http/1.1", ending(mutator)) if is_secure else plain
        # The server may end the connection at any of these.
        with suppress(ConnectionError):
            while data:
                cut = mutator.randrange(1, len(data) + 1)
                connection.sendall(data[:cut])
                data = data[cut:]
        if mutator.random() < 0.7:
            received, has_ended = end(connection)
            return Result(len(rest), received.startswith(ANSWERS), has_ended)
    return Result(len(rest), False)


def http2_client(server: Server, mutator: Mutator) -> Result:
    """Requests and a WebSocket (RFC 8441): frames that change, in their order or not, and in pieces."""
    parts = [
        http2.frame(http2.HEADERS, 5, 3, http2.GET),
        http2.frame(http2.HEADERS, 1, 5, http2.GET[:20]) + http2.frame(http2.CONTINUATION, 4, 5, http2.GET[20:]),
        http2.frame(http2.HEADERS, 4, 7, http2.GET) + http2.frame(http2.DATA, 8, 7, b"\x04body" + bytes(4)),
        http2.frame(http2.DATA, 1, 7), http2.frame(http2.WINDOW_UPDATE, 0, 0, b"\0\0\1\0"),
        http2.frame(http2.PING, 0, 0, bytes(8)), http2.frame(http2.RST_STREAM, 0, 3, b"\0\0\0\x08"),
        http2.frame(http2.SETTINGS, 0, 0, b"\0\4\0\0\1\0"), http2.frame(http2.PRIORITY, 0, 9, bytes(5)),
        http2.frame(http2.GOAWAY, 0, 0, bytes(8)), *(http2.frame(http2.DATA, 0, 1, part) for part in FRAMES),
    ]
    sent = 0
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as plain:
        connection = Secure(plain, "h2", ending(mutator))
        connection.sendall(http2.PREFACE)
        connection.recv(65536)
        connection.sendall(http2.SETTINGS_SEEN + http2.frame(http2.HEADERS, 4, 1, http2.CONNECT))
        # The server may end the connection at any of these.
        with suppress(ConnectionError):
            for _ in range(mutator.randrange(1, 12)):
                part = mutator.choice(parts)
                if mutator.random() < 0.4:
                    part, sent = mutator.change(part), sent + 1
                cut = mutator.randrange(len(part) + 1)
                connection.sendall(part[:cut])
                connection.sendall(part[cut:])
        received, has_ended = end(connection)
    # That of a WebSocket that is open; with a body to come, unlike an error's.
    answer = http2.frame(http2.HEADERS, http2.END_HEADERS, 1)[3:]
    return Result(sent, answer in received, has_ended)


def test_frames_of_http2(fuzzed_server: Server) -> None:
    """RFC 9113, RFC 7541, RFC 8441: frames of any form, and the end of any connection whose client has ended it."""
    run(fuzzed_server, 150, lambda mutator: http2_client(fuzzed_server, mutator), ends=True)


@pytest.mark.parametrize("is_secure", [False, True], ids=["plain", "TLS"])
def test_requests_and_frames_over_tcp(fuzzed_server: Server, is_secure: bool) -> None:
    """RFC 9112, RFC 6455, RFC 8446: bytes of any form, and the end of any connection whose client has ended it."""
    run(fuzzed_server, 150, lambda mutator: tcp_client(fuzzed_server, is_secure, mutator), ends=True)
