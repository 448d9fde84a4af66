"""A live server under mutated bytes over TCP: requests, frames of WebSockets and of HTTP/2, and TLS records."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress

import pytest

import raw_http2 as http2
from fuzzed_clients import FRAMES, Result, fuzzed_server, run  # noqa: F401
from http2_client import tls
from memory_tls import Secure
from mutations import Mutator
from server import Server

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
# To what comes first, unless that has changed: the server switches protocols, has the resource, or knows no such method
# or host.
ANSWERS = tuple(b"HTTP/1.1 %d " % status for status in (101, 200, 405, 421))


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
