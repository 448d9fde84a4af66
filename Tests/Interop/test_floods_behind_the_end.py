"""What a client sends behind the end of what it is served: it must be read, lest closing destroys the answer (RFC 9112
§ 9.6), and none of it may be kept."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
import time
from contextlib import suppress

import pytest

from http2_client import tls
from memory_tls import Secure
from rules import expect
from server import Memory, Server

# In bytes; and in kB of a debug build, what of it may be on its way through the server.
FLOOD = 64 << 20
BOUND = 8_000

FIELDS = b"Host: localhost\r\n"
WEBSOCKET = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
# Behind each of these nothing further is served.
LAST = {
    "CONNECT": (b"CONNECT elsewhere:1 HTTP/1.1\r\n" + FIELDS, 405),
    "an upgrade that is not taken": (
        b"GET /healthz HTTP/1.1\r\n" + FIELDS + b"Upgrade: h2c\r\nConnection: Upgrade\r\n", 200),
    "a WebSocket that is refused": (b"GET /nothing HTTP/1.1\r\n" + FIELDS + WEBSOCKET, 404),
    "a request that is none": (b"GET\r\n", 400),
    "a body that is too large": (b"POST / HTTP/1.1\r\n" + FIELDS + b"Content-Length: 100000000\r\n", 413),
    "the end of the connection": (b"GET /healthz HTTP/1.1\r\n" + FIELDS + b"Connection: close\r\n", 200),
}


def flood(connection: socket.socket) -> int:
    """How many bytes the server has taken until it ended the connection, if it did."""
    sent = 0
    with suppress(ConnectionError):
        while sent < FLOOD:
            sent += connection.send(bytes(1 << 16))
    return sent


def expect_level(sent: str, count: int, memory: Memory) -> None:
    growth = memory.growth
    print(f"{count} bytes, {growth} kB")
    assert growth < BOUND, f"{count} bytes behind {sent} cost {growth} kB"


@pytest.mark.parametrize("is_secure", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("sent", LAST)
def test_what_comes_behind_the_last_request_is_not_kept(own_server: Server, sent: str, is_secure: bool) -> None:
    """RFC 9112 § 9.6 [72]"""
    request, status = LAST[sent]
    port = own_server.port if is_secure else own_server.http_port
    with socket.create_connection(("127.0.0.1", port), timeout=60) as plain:
        connection = tls("http/1.1").wrap_socket(plain, server_hostname="localhost") if is_secure else plain
        connection.sendall(request + b"\r\n")
        answer = connection.recv(1 << 16)
        expect("RFC 9112 § 9.6", sent, status, int(answer.split(b" ")[1]))
        expect("RFC 9112 § 9.6", sent, True, b"connection: close\r\n" in answer.lower())
        memory = Memory(own_server)
        expect_level(sent, flood(connection), memory)


def waiting(plain: socket.socket) -> int:
    """How much has arrived, when nothing more does: the window is full."""
    before = -1
    while True:
        count = struct.unpack("i", fcntl.ioctl(plain, termios.FIONREAD, bytes(4)))[0]
        if count > 0 and count == before:
            return count
        before = count
        time.sleep(0.2)


def test_what_comes_behind_the_end_of_tls_is_not_kept(own_server: Server) -> None:
    """RFC 8446 § 6.1: data behind close_notify is ignored; our close_notify waits, as the client reads nothing."""
    with socket.socket() as plain:
        plain.settimeout(60)
        # A window that is soon full.
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
        plain.connect(("127.0.0.1", own_server.port))
        connection = Secure(plain, "http/1.1", (True, False))
        connection.sendall(b"GET /source?bytes=1000000000 HTTP/1.1\r\n" + FIELDS + WEBSOCKET + b"\r\n")
        assert waiting(plain) > 0
        connection.shutdown(socket.SHUT_WR)
        memory = Memory(own_server)
        count = flood(plain)
        expect_level("close_notify", count, memory)
        assert count > FLOOD // 2, "the server has not waited with its close_notify"
