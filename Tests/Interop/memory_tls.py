"""TLS in memory, over a socket that a test may use as well."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

from http2_client import tls


class Secure:
    """TLS over a socket. It ends its direction while answers wait, which an SSLSocket would give up."""

    def __init__(self, plain: socket.socket, protocol: str, ending: tuple[bool, bool] = (True, True)) -> None:
        """- ending: whether `shutdown` ends TLS, and TCP."""
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
