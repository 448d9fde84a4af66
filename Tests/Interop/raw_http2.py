"""HTTP/2 by hand: frames and header sections that may be wrong (RFC 9113, RFC 7541)."""

from __future__ import annotations

from raw_http3 import prefixed

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS, PADDED, ACK = 0x01, 0x04, 0x08, 0x01


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def literal(name: str, value: str) -> bytes:
    """A field that is not to be indexed (RFC 7541 § 6.2.2)."""
    return b"\x00" + prefixed(len(name), 7, 0) + name.encode() + prefixed(len(value), 7, 0) + value.encode()


def literals(*fields: tuple[str, str]) -> bytes:
    return b"".join(literal(*field) for field in fields)


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0)
# What a client says when it knows the server's settings: before, there is no extended CONNECT (RFC 8441 § 3).
SETTINGS_SEEN = frame(SETTINGS, ACK, 0)
GET = literals((":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/healthz"))
# A WebSocket at /echo (RFC 8441 § 4).
CONNECT = literals(
    (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":authority", "localhost"),
    (":path", "/echo"), ("sec-websocket-version", "13"),
)
