"""Writes the seeds in Corpus/: valid inputs of every kind, and the nearest invalid ones, from which the fuzzer starts.

Run it again after a change; it replaces what is there. What the fuzzer has found by itself is not kept, but for inputs
that failed: those are in Regressions/.
"""

import shutil
import zlib
from pathlib import Path

CORPUS = Path(__file__).parent / "Corpus"


def varint(value: int, size: int | None = None) -> bytes:
    """RFC 9000 § 16."""
    size = size or next(size for size in (1, 2, 4, 8) if value < 1 << (8 * size - 2))
    return (value | {1: 0, 2: 1, 4: 2, 8: 3}[size] << (8 * size - 2)).to_bytes(size, "big")


def frame(kind: int, payload: bytes = b"") -> bytes:
    return varint(kind) + varint(len(payload)) + payload


def settings(*pairs: tuple[int, int]) -> bytes:
    return b"".join(varint(identifier) + varint(value) for identifier, value in pairs)


BROWSER = settings((0x01, 65536), (0x06, 16384), (0x07, 100), (0x08, 1), (0x33, 1), (0x2B603742, 1))
SAFARI = settings((0x08, 1), (0x33, 1), (0xC671706A, 100), (0x14E9CD29, 100), (0x1F * 7 + 0x21, 3))

VARINTS = {
    "one": b"\x25", "eight": b"\xc2\x19\x7c\x5e\xff\x14\xe8\x8c",
    "long-zero": b"\xc0" + bytes(7), "largest": b"\xff" * 8, "cut": b"\xc0\x00",
    "frame": frame(0x04, BROWSER), "datagram": varint(1) + b"payload", "quarter-too-large": varint(1 << 60, 8),
    "application-code": varint(0x52E4A40FA8DB + 30), "reserved-code": varint(0x52E4A40FA8DB + 0x1E),
}

CLOSE, DRAIN, KNOWN, UNKNOWN = 0x2843, 0x78AE, 0x190B4D3E, 0x1234
CAPSULES = {
    "close": frame(CLOSE, (7).to_bytes(4, "big") + b"bye"), "drain": frame(DRAIN),
    "several": frame(UNKNOWN, b"skipped") + frame(DRAIN) + frame(KNOWN, b"x" * 64) + frame(CLOSE, bytes(4)),
    "long-header": varint(CLOSE, 8) + varint(4, 8) + bytes(4), "too-long": varint(CLOSE) + varint(65) + bytes(65),
    "endless": varint(UNKNOWN) + varint((1 << 62) - 1) + b"skipped for ever", "cut": frame(CLOSE, bytes(20))[:9],
    "reason": (1).to_bytes(4, "big") + "überschüssig".encode(), "reason-not-utf8": bytes(4) + b"\xff\xfe",
}

SETTINGS = {
    "browser": frame(0x04, BROWSER), "safari": frame(0x04, SAFARI), "empty": frame(0x04),
    "twice": frame(0x04, settings((0x08, 1), (0x08, 1))),
    "not-a-switch": frame(0x04, settings((0x33, 2))), "cut-setting": frame(0x04, BROWSER[:-1]),
    "huge": varint(4) + varint(1 << 40), "other-first": frame(0x07, b"\x00") + frame(0x04, BROWSER),
    "behind": frame(0x04, SAFARI) + frame(0x07, b"\x00"),
}

SIGNAL, UNIDIRECTIONAL = varint(0x41), varint(0x54)
STREAM_HEADERS = {
    "bidirectional": SIGNAL + varint(4) + b"data", "unidirectional": UNIDIRECTIONAL + varint(4) + b"data",
    "long-forms": varint(0x41, 8) + varint(4, 8) + b"data", "no-session": SIGNAL, "largest": SIGNAL + b"\xff" * 8,
    "request": frame(0x01, b"\x00\x00\xd1") + frame(0x00, b"body"), "late": frame(0x00, b"body") + SIGNAL + varint(0),
    "control": b"\x00" + frame(0x04, BROWSER) + frame(0x0D, b"\x01"), "control-late": b"\x00" + frame(0x04) + SIGNAL,
    "encoder": b"\x02" + SIGNAL, "reserved-frame": frame(0x21, b"\x40\x41") + frame(0x01, b"\x00\x00\xd1"),
}


def long_header(version: int, destination: bytes, source: bytes, rest: bytes, first: int = 0xC3) -> bytes:
    ids = bytes([len(destination)]) + destination + bytes([len(source)]) + source
    return bytes([first]) + version.to_bytes(4, "big") + ids + rest


ID = bytes(range(0x11, 0x19))
DATAGRAM_ROUTING = {
    "short": b"\x40\x03" + ID[1:] + bytes(30), "foreign": b"\x40\x05" + ID[1:] + bytes(30), "tiny": b"\x40\x03",
    "initial": long_header(1, ID, ID, b"\x00" + varint(1170, 2) + b"\x00\x00\x00\x01"),
    "retry-token": long_header(1, ID, ID, varint(40) + b"\xb6" + bytes(39) + varint(1100, 2) + bytes(4)),
    "new-token": long_header(1, ID, ID, varint(40) + b"\x36" + bytes(39) + varint(1100, 2) + bytes(4)),
    "short-choice": long_header(1, ID[:7], ID, b"\x00" + varint(1170, 2)),
    "long-ids": long_header(1, bytes(20), bytes(20), b"\x00" + varint(1140, 2)),
    "too-long-id": long_header(1, bytes(21), ID, b"\x00" + varint(1140, 2)),
    "version-2": long_header(0x6B3343CF, ID, ID, b"\x00" + varint(1170, 2)),
    "unknown-version": long_header(0x1A2A3A4A, ID, ID, b"\x00"), "long-unknown": long_header(0xFF000000, bytes(40), ID, b""),
    "version-negotiation": long_header(0, ID, ID, b"\x00\x00\x00\x01", 0x80),
    "handshake": long_header(1, b"\x05" + ID[1:], ID, varint(30) + bytes(30), 0xE0),
    "zero-rtt": long_header(1, ID, ID, varint(30) + bytes(30), 0xD0),
    "retry": long_header(1, ID, ID, bytes(40), 0xF0),
}


def literal(name: str, value: str) -> bytes:
    """A field line with a literal name (RFC 9204 § 4.5.6); both shorter than their prefixes allow, or with one more byte."""
    head = bytes([0x20 | len(name)]) if len(name) < 7 else bytes([0x27, len(name) - 7])
    return head + name.encode() + bytes([len(value)]) + value.encode()


def section(*fields: tuple[str, str]) -> bytes:
    return frame(0x01, b"\x00\x00" + b"".join(literal(*field) for field in fields))


REQUEST = (":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/")
CONNECT = (
    (":method", "CONNECT"), (":protocol", "webtransport"), (":scheme", "https"), (":authority", "localhost"),
    (":path", "/echo"), ("origin", "https://localhost"),
)


def chunk(stream: int, data: bytes, end: bool = False) -> bytes:
    """One step of the script that http3-connection takes: see its target."""
    head = stream | (8 if end else 0)
    return bytes([head | len(data) << 4]) + data if len(data) < 15 else bytes([head | 0xF0, len(data)]) + data


SERVER, BARE_SERVER, CLIENT, BARE_CLIENT = b"\x01", b"\x00", b"\x03", b"\x02"
CONTROL, ENCODER, DECODER, OTHER = 3, 4, 5, 6
HTTP3_CONNECTION = {
    "get": SERVER + chunk(0, section(*REQUEST), True), "connect": SERVER + chunk(0, section(*CONNECT)),
    "two": SERVER + chunk(0, section(*CONNECT)) + chunk(1, section(*REQUEST), True) + chunk(0, frame(0x00, frame(DRAIN))),
    "body": SERVER + chunk(0, section(*REQUEST)) + chunk(0, frame(0x00, b"some data"), True),
    "trailers": SERVER + chunk(0, section(*REQUEST) + frame(0x00, b"data") + section(("x", "y")), True),
    "static-table": SERVER + chunk(0, frame(0x01, b"\x00\x00\xd1\xd7\xc1\x50\x09localhost"), True),
    "huffman": SERVER + chunk(0, frame(0x01, b"\x00\x00\xd1\xd7\xc1\x50\x86\xa0\xe4\x1d\x13\x9d\x09"), True),
    "no-path": SERVER + chunk(0, section(*REQUEST[:3]), True), "upper-case": SERVER + chunk(0, section(*REQUEST, ("X", "y"))),
    "no-token": SERVER + chunk(0, section((":method", "@"), *REQUEST[1:])),
    "insert": SERVER + chunk(ENCODER, b"\x3f\xe1\x1f" + b"\x41x\x01y") + chunk(0, frame(0x01, b"\x02\x00\xd1\xd7\xc1\x80")),
    "blocked": SERVER + chunk(0, frame(0x01, b"\x02\x00\xd1\xd7\xc1\x80"), True) + chunk(ENCODER, b"\x3f\xe1\x1f\x41x\x01y"),
    "acknowledge": SERVER + chunk(DECODER, b"\x80\x01\x40"), "goaway": SERVER + chunk(CONTROL, frame(0x07, b"\x00")),
    "priority": SERVER + chunk(CONTROL, frame(0xF0700, b"\x00u=1")) + chunk(0, section(*REQUEST, ("priority", "u=1, i"))),
    "max-push-id": SERVER + chunk(CONTROL, frame(0x0D, b"\x08") + frame(0x03, b"\x00")),
    "grease": SERVER + chunk(OTHER, varint(0x21) + b"ignored") + chunk(CONTROL, frame(0x21 + 0x1F, b"ignored")),
    "push-stream": SERVER + chunk(OTHER, b"\x01\x00"), "two-controls": SERVER + chunk(OTHER, b"\x00" + frame(0x04)),
    "wt-stream": SERVER + chunk(0, section(*REQUEST) + SIGNAL),
    "data-first": SERVER + chunk(0, frame(0x00, b"early")), "cut": SERVER + chunk(0, section(*REQUEST)[:-3], True),
    "bare": BARE_SERVER + chunk(CONTROL, b"\x00" + frame(0x04, BROWSER)) + chunk(0, section(*REQUEST), True),
    "no-settings": BARE_SERVER + chunk(CONTROL, b"\x00" + frame(0x07, b"\x00")),
    "response": CLIENT + chunk(0, section((":status", "200")) + frame(0x00, b"body"), True),
    "informational": CLIENT + chunk(0, section((":status", "103")) + section((":status", "404")), True),
    "bad-status": CLIENT + chunk(0, section((":status", "20")), True), "push-promise": CLIENT + chunk(0, frame(0x05, b"\x00\x00\x00")),
    "server-goaway": CLIENT + chunk(CONTROL, frame(0x07, b"\x04")), "bare-client": BARE_CLIENT + chunk(CONTROL, b"\x00" + frame(4)),
    "content-length": CLIENT + chunk(0, section((":status", "200"), ("content-length", "9")) + frame(0x00, b"four"), True),
}

CONNECT_HEADERS = {
    "url": b"https://localhost:4433/echo?a=b", "url-v6": b"wss://[2001:db8::1]:4433/", "url-default": b"ws://example.org",
    "url-empty-port": b"https://example.org:/path", "url-user": b"https://user@example.org/", "url-query": b"https://a?b",
    "origin": b"https://localhost:8080\nlocalhost:4433", "origin-null": b"null\nlocalhost",
    "origin-v6": b"http://[::1]:8080\n[::1]:4433", "origin-slash": b"https://example.org/\nexample.org",
    "origin-trick": b"https://example.org:x@evil.org\nexample.org", "list": b'"chat", "super;chat";q=1;a="x", "a\\"b"',
    "item": b'"moq-00";v=:YWJj:;b=?1;c=-1.5', "token": b"chat, superchat", "list-cut": b'"chat",', "spaces": b' "a"\t,\t"b" ',
}


def ws(opcode: int, payload: bytes = b"", fin: bool = True, mask: bytes | None = b"\x37\xfa\x21\x3d", rsv: int = 0) -> bytes:
    length = len(payload)
    size = bytes([length]) if length < 126 else b"\x7e" + length.to_bytes(2, "big")
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode, size[0] | (0x80 if mask else 0)]) + size[1:]
    return head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload)) if mask else head + payload


def deflated(data: bytes, bits: int = 15) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -bits)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\x00\x00\xff\xff")


TEXT = "Grüße, κόσμε, 🦆".encode()
HELLO = deflated(b"Hello, Hello, Hello")
WEBSOCKET_FRAMES = {
    "text": ws(1, b"Hello"), "utf8": ws(1, TEXT), "binary": ws(2, bytes(range(200))), "ping": ws(9, b"ping") + ws(10, b"pong"),
    "fragments": ws(1, TEXT[:4], fin=False) + ws(9) + ws(0, TEXT[4:9], fin=False) + ws(0, TEXT[9:]),
    "close": ws(8, b"\x03\xe8bye"), "close-empty": ws(8), "close-half": ws(8, b"\x03"), "close-code": ws(8, b"\x03\xed"),
    "not-utf8": ws(1, b"\xc3\x28"), "cut-utf8": ws(1, TEXT[:3]), "continuation": ws(0, b"x"), "opcode": ws(3, b"x"),
    "ping-long": ws(9, bytes(126)), "ping-fragment": ws(9, b"x", fin=False), "reserved": ws(1, b"x", rsv=2),
    "compressed": ws(1, HELLO, rsv=4) + ws(1, b"plain"), "compressed-fragments": ws(1, HELLO[:4], fin=False, rsv=4) + ws(0, HELLO[4:]),
    "compressed-ping": ws(9, b"x", rsv=4), "too-large": b"\x82\xfe\xff\xff" + bytes(8), "length-64": b"\x82\xff" + bytes(7) + b"\x05abcd",
    "unmasked": ws(1, b"Hello", mask=None) + ws(2, b"x" * 130, mask=None), "unmasked-close": ws(8, b"\x03\xe9", mask=None),
    "unmasked-fragments": ws(1, TEXT[:4], fin=False, mask=None) + ws(0, TEXT[4:], mask=None),
    "unmasked-compressed": ws(2, HELLO, mask=None, rsv=4), "bomb": ws(2, deflated(bytes(100_000)), rsv=4),
}

OFFER = "permessage-deflate; client_max_window_bits"
WEBSOCKET_EXTENSIONS = {
    "browser": OFFER, "bits": "permessage-deflate; server_max_window_bits=10; client_max_window_bits=15",
    "contexts": "permessage-deflate; server_no_context_takeover; client_no_context_takeover", "plain": "permessage-deflate",
    "fallbacks": f"permessage-deflate; server_max_window_bits=8, {OFFER}=9, x-webkit-deflate-frame", "quoted": f'{OFFER}="1\\2"',
    "twice": f"{OFFER}; client_max_window_bits=12", "zero": "permessage-deflate; server_max_window_bits=08",
    "empty-members": f", ,{OFFER},", "not-a-list": "permessage-deflate;", "answer": "permessage-deflate; client_max_window_bits=12",
}

DEFLATE = {
    "hello": HELLO, "small-window": deflated(b"abcabcabc" * 20, 9), "stored": b"\x00\x05\x00\xfa\xffHello\x00",
    "empty": b"\x00", "final-block": b"\xf3\x48\xcd\xc9\xc9\x07\x00", "two-blocks": b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
    "bomb": deflated(bytes(100_000)), "edge": deflated(b"x" * 40_000), "dynamic": deflated(bytes(range(256)) * 2), "bad": b"\x07",
    "far-back": b"\x4b\x04\x62\x00",
}



def h2(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A frame of HTTP/2 (RFC 9113 § 4.1)."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def hpack(*fields: tuple[str, str]) -> bytes:
    """Literal field lines that are not indexed (RFC 7541 § 6.2.2)."""
    return b"".join(bytes([0, len(name)]) + name.encode() + bytes([len(value)]) + value.encode() for name, value in fields)


# :method GET, :scheme https, :path / of the static table, and an :authority (RFC 7541 § A).
H2_GET = b"\x82\x87\x84\x01\x09localhost"
H2_CONNECT = hpack(
    (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":authority", "localhost"),
    (":path", "/echo"), ("sec-websocket-version", "13"),
)
H2_OPEN = h2(1, 4, 1, H2_CONNECT)
HTTP2_SERVER = {
    "get": h2(1, 5, 1, H2_GET), "three": h2(1, 5, 1, H2_GET) + h2(1, 5, 3, b"\x82\x87\x84\xbe") + h2(1, 5, 5, H2_GET),
    "post": h2(1, 4, 1, b"\x83\x87\x84\x01\x09localhost\x0f\x0d\x014") + h2(0, 1, 1, b"body"),
    "wrong-length": h2(1, 4, 1, b"\x83\x87\x84\x01\x09localhost\x0f\x0d\x015") + h2(0, 1, 1, b"body"),
    "padded": h2(1, 0x0D, 1, b"\x03" + H2_GET + bytes(3)), "priority": h2(1, 0x25, 1, b"\x00\x00\x00\x00\x10" + H2_GET),
    "continuation": h2(1, 1, 1, H2_GET[:4]) + h2(9, 0, 1, H2_GET[4:8]) + h2(9, 4, 1, H2_GET[8:]),
    "ping": h2(6, 0, 0, b"12345678") + h2(4, 1, 0), "settings": h2(4, 0, 0, b"\x00\x04\x00\x00\x00\x10") + h2(1, 5, 1, H2_GET),
    "window": h2(8, 0, 0, b"\x00\x00\x10\x00") + h2(1, 4, 1, H2_GET) + h2(8, 0, 1, b"\x7f\xff\xff\xff"),
    "reset": h2(1, 4, 1, H2_GET) + h2(3, 0, 1, b"\x00\x00\x00\x08") + h2(0, 1, 1, b"late"), "goaway": h2(7, 0, 0, bytes(8)),
    "even": h2(1, 5, 2, H2_GET), "no-path": h2(1, 5, 1, b"\x82\x87"), "upper-case": h2(1, 5, 1, H2_GET + hpack(("X", "y"))),
    "websocket": H2_OPEN + h2(0, 0, 1, ws(1, b"Hello") + ws(9, b"ping")) + h2(0, 1, 1, ws(8, b"\x03\xe8")),
    "websocket-violation": H2_OPEN + h2(0, 0, 1, ws(1, b"x", mask=None)), "websocket-cut": H2_OPEN + h2(0, 1, 1, ws(1, b"x")[:3]),
    "websocket-refused": h2(1, 4, 1, H2_CONNECT.replace(b"\x05/echo", b"\x08/refused")),
    "other-protocol": h2(1, 4, 1, H2_CONNECT.replace(b"websocket\x00", b"webtransp\x00")),
    "table-size": h2(1, 5, 1, b"\x20\x3f\xe1\x1f" + H2_GET), "huge-frame": b"\xff\xff\xff" + h2(0, 0, 1)[3:],
    "push": h2(5, 4, 1, bytes(4)), "unknown": h2(0x21, 0xFF, 7, b"ignored") + h2(1, 5, 1, H2_GET), "stream-0": h2(0, 1, 0, b"x"),
}

UPGRADE = (
    b"GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
HOST = b"Host: localhost\r\n"
HTTP1_SERVER = {
    "get": b"GET / HTTP/1.1\r\n" + HOST + b"\r\n", "head": b"HEAD /x HTTP/1.1\r\n" + HOST + b"\r\n",
    "pipelined": (b"GET /a HTTP/1.1\r\n" + HOST + b"\r\n") * 3, "http10": b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "post": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\n\r\nbodyGET / HTTP/1.1\r\n" + HOST + b"\r\n",
    "chunked": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nx: y\r\n\r\n",
    "smuggled": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "expect": b"PUT / HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n", "lf": b"GET / HTTP/1.1\n" + HOST + b"\n",
    "absolute": b"GET http://localhost/x?y HTTP/1.1\r\n" + HOST + b"\r\n", "two-hosts": b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
    "options": b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", "connect": b"CONNECT a:1 HTTP/1.1\r\n" + HOST + b"\r\n",
    "upgrade": UPGRADE + b"\r\n", "upgrade-frames": UPGRADE + b"\r\n" + ws(1, b"Hello") + ws(9, b"ping") + ws(8, b"\x03\xe8"),
    "upgrade-violation": UPGRADE + b"\r\n" + ws(1, b"x", mask=None), "upgrade-origin": UPGRADE + b"Origin: https://evil.org\r\n\r\n",
    "upgrade-extension": UPGRADE + b"Sec-WebSocket-Extensions: " + OFFER.encode() + b"\r\nSec-WebSocket-Protocol: chat\r\n\r\n",
    "upgrade-refused": UPGRADE.replace(b"/echo", b"/refused") + b"\r\n", "upgrade-version": UPGRADE.replace(b"13", b"8") + b"\r\n",
    "upgrade-body": UPGRADE + b"Content-Length: 1\r\n\r\nx", "h2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "tls": b"\x16\x03\x01\x00\x05hello",
    "many-fields": b"GET / HTTP/1.1\r\n" + HOST + b"x: y\r\n" * 17 + b"\r\n", "long-field": b"GET / HTTP/1.1\r\nx: " + b"y" * 600 + b"\r\n\r\n",
}

SWITCHING = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: @accept@\r\n"
)
WEBSOCKET_CLIENT = {
    "accepted": SWITCHING + b"\r\n", "protocol": SWITCHING + b"Sec-WebSocket-Protocol: chat\r\n\r\n" + ws(1, b"Hello", mask=None),
    "wrong-protocol": SWITCHING + b"Sec-WebSocket-Protocol: other\r\n\r\n", "wrong-key": SWITCHING.replace(b"@", b"A") + b"\r\n",
    "compressed": SWITCHING + b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=12; server_max_window_bits=12\r\n\r\n"
    + ws(1, HELLO, mask=None, rsv=4) + ws(8, b"\x03\xe8", mask=None),
    "masked": SWITCHING + b"\r\n" + ws(1, b"Hello"), "refused": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno\n",
    "until-end": b"HTTP/1.1 404 Not Found\r\n\r\nnothing here", "chunked": b"HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
    "continue": b"HTTP/1.1 100 Continue\r\n\r\n" + SWITCHING + b"\r\n", "ok": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "h2": b"\x00\x00\x12\x04\x00",
}


def record(kind: int, data: bytes) -> bytes:
    return bytes([kind]) + b"\x03\x03" + len(data).to_bytes(2, "big") + data


def vector(data: bytes, size: int) -> bytes:
    return len(data).to_bytes(size, "big") + data


def extension(kind: int, data: bytes) -> bytes:
    return kind.to_bytes(2, "big") + vector(data, 2)


def client_hello(*extensions: bytes) -> bytes:
    """RFC 8446 § 4.1.2."""
    suites = vector(b"\x13\x01\x13\x02\x13\x03\xc0\x2b\xc0\x2f", 2)
    body = b"\x03\x03" + bytes(32) + vector(bytes(32), 1) + suites + vector(b"\x00", 1) + vector(b"".join(extensions), 2)
    return record(22, b"\x01" + vector(body, 3))


TLS13 = (
    extension(0, vector(b"\x00" + vector(b"localhost", 2), 2)), extension(10, vector(b"\x00\x1d\x00\x17", 2)),
    extension(13, vector(b"\x04\x03\x08\x04\x04\x01", 2)), extension(16, vector(vector(b"http/1.1", 1), 2)),
    extension(43, vector(b"\x03\x04\x03\x03", 1)), extension(51, vector(b"\x00\x1d" + vector(b"\x09" + bytes(31), 2), 2)),
)
HELLO_MESSAGE = client_hello(*TLS13)[9:]
NEW_TICKET = b"\x00\x00\x1c\x20" + bytes(4) + vector(b"\x01", 1) + vector(bytes(32), 2)
TLS_MESSAGES = {
    "hello": HELLO_MESSAGE, "hello-cut": HELLO_MESSAGE[:-1], "hello-behind": HELLO_MESSAGE + b"x",
    "no-extensions": HELLO_MESSAGE[:2 + 32 + 33 + 12 + 2] + bytes(2), "two-shares": client_hello(
        extension(51, vector(b"\x00\x1d" + vector(b"\x09", 2) + b"\x00\x17" + vector(b"\x04", 2), 2)))[9:],
    "ticket": NEW_TICKET + vector(b"", 2), "early-data": NEW_TICKET + vector(extension(42, b"\xff\xff\xff\xff"), 2),
    "early-data-long": NEW_TICKET + vector(extension(42, bytes(5)), 2),
    "tickets": (b"\x04" + vector(NEW_TICKET + bytes(2), 3)) * 2, "key-update": b"\x18" + vector(b"\x00", 3),
    "ticket-then-request": b"\x04" + vector(b"x", 3) + b"\x0d" + vector(b"", 3), "empty-ticket": b"\x04\x00\x00\x00",
}

PACKET_NUMBERS = {
    # RFC 9000 § A.3.
    "example": (0xA82F30EB).to_bytes(8, "big") + b"\x01" + (0x9B32).to_bytes(4, "big"),
    "sizes": bytes(8) + b"".join(bytes([size]) + b"\x00\x00\x01\xff" for size in range(4)),
    "largest": b"\x3f" + b"\xff" * 7 + b"\x00\x00\x00\x00\x00" + b"\x03\xff\xff\xff\xff", "wrap": bytes(7) + b"\xff\x00" + bytes(4),
}

BATON = {
    "bare": b"\x00\x07", "padded": varint(5) + bytes(5) + b"\xff", "long-form": varint(2, 8) + bytes(2) + b"\x01",
    "no-baton": varint(5) + bytes(5), "behind": b"\x00\x07\x08", "endless": b"\xff" * 9,
}

QUERIES = {
    "plain": "/source?bytes=7", "twice": "/close?code=1&reason=a+b&code=2", "escaped": "/close?reason=%C3%BC%20%26%3D&code=%37",
    "cut": "/x?a=%4&b=%&c", "empty": "/?&&=&a=", "not-utf8": "/?a=%FF%FE", "second-mark": "/a?b?c=d", "range": "/?n=-7&m=8&k=+7",
    "traversal": "/../one?x", "dots": "/..%2F..", "nul": "/a%00b",
}

TLS_SERVER = {
    "tls13": client_hello(*TLS13), "tls12": client_hello(*TLS13[:4], extension(11, b"\x01\x00"), extension(23, b"")),
    "retry": client_hello(*TLS13[:5], extension(51, vector(b"", 2))), "no-alpn": client_hello(*TLS13[:3], *TLS13[4:]),
    "h2-only": client_hello(*TLS13[:3], extension(16, vector(vector(b"h2", 1), 2)), *TLS13[4:]), "plain": b"GET / HTTP/1.1\r\n\r\n",
    "alert": record(21, b"\x02\x28"), "early-data": client_hello(*TLS13, extension(42, b"")) + record(23, bytes(40)),
    "hello-then-ccs": client_hello(*TLS13) + record(20, b"\x01"), "cut": client_hello(*TLS13)[:90],
}

def server_hello(*extensions: bytes) -> bytes:
    """RFC 8446 § 4.1.3."""
    body = b"\x03\x03" + bytes(32) + vector(bytes(32), 1) + b"\x13\x01\x00" + vector(b"".join(extensions), 2)
    return record(22, b"\x02" + vector(body, 3))


X25519_SHARE = extension(51, b"\x00\x1d" + vector(b"\x09" + bytes(31), 2))
TLS_CLIENT = {
    "tls13": server_hello(extension(43, b"\x03\x04"), X25519_SHARE) + record(20, b"\x01") + record(23, bytes(60)),
    "tls12": server_hello(extension(0xFF01, b"\x00")), "retry": server_hello(extension(43, b"\x03\x04"), extension(51, b"\x00\x17")),
    "alert": record(21, b"\x02\x28"), "http": b"HTTP/1.1 400 Bad Request\r\n\r\n", "cut": server_hello(X25519_SHARE)[:50],
    "hello-request": record(22, bytes(4)), "no-share": server_hello(extension(43, b"\x03\x04")),
}

# The client's ID is put behind the first byte or, with a long header, behind the version.
QUIC_CLIENT = {
    "version-negotiation": b"\x80" + bytes(4) + b"\x08" + bytes(8) + b"\x6b\x33\x43\xcf",
    "negotiates-ours": b"\x80" + bytes(4) + b"\x08" + bytes(8) + b"\x00\x00\x00\x01",
    "retry": b"\xf0\x00\x00\x00\x01\x08" + ID + b"token" + bytes(16), "retry-no-token": b"\xf0\x00\x00\x00\x01\x08" + ID + bytes(16),
    "initial": b"\xc0\x00\x00\x00\x01\x08" + ID + b"\x00" + varint(1170, 2) + bytes(1170),
    "handshake": b"\xe0\x00\x00\x00\x01\x08" + ID + varint(40, 2) + bytes(40), "short": b"\x40" + bytes(40), "reset": b"\x5a" + bytes(36),
    "coalesced": 2 * (b"\xe0\x00\x00\x00\x01\x08" + ID + varint(40, 2) + bytes(40)),
}

MAX_DATA, BLOCKED, STREAMS_BLOCKED_UNI = 0x190B4D3D, 0x190B4D41, 0x190B4D44
MAX_STREAMS_BIDI, MAX_STREAMS_UNI, STREAMS_BLOCKED_BIDI = 0x190B4D3F, 0x190B4D40, 0x190B4D43


def steps(*pairs: tuple[int, int]) -> bytes:
    """What the session does between capsules: a step, and how much."""
    return b"".join(map(bytes, pairs))


def limit(kind: int, value: int, size: int | None = None) -> bytes:
    return frame(kind, varint(value, size))


SESSION_FLOW_CONTROL = {
    "arrivals": steps((10, 0), (12, 0)) * 6 + steps((11, 0), (13, 0), (11, 0)), "back": steps((0, 100), (2, 40), (0, 50), (18, 0)),
    "blocked": limit(BLOCKED, 300) + limit(STREAMS_BLOCKED_BIDI, 5) + limit(STREAMS_BLOCKED_UNI, (1 << 60) + 1),
    "credit": steps((6, 200), (8, 200), (6, 255), (6, 255)), "empty": frame(MAX_STREAMS_BIDI),
    "long-form": limit(MAX_DATA, 150, 8), "max-data": steps((0, 200)) + limit(MAX_DATA, 576) + steps((0, 200), (18, 0)),
    "missed": steps((16, 0), (6, 100)) + limit(BLOCKED, 300) + steps((14, 0), (14, 0)) + 2 * limit(STREAMS_BLOCKED_BIDI, 5),
    "missed-uni": steps((15, 0)) + limit(STREAMS_BLOCKED_UNI, 1) + steps((11, 0), (13, 0)) + limit(STREAMS_BLOCKED_UNI, 2),
    "most-data": limit(MAX_DATA, (1 << 62) - 1), "most-streams": limit(MAX_STREAMS_UNI, 1 << 60),
    "not-an-integer": frame(MAX_DATA, b"\x40") + frame(MAX_DATA, b"\x01\x02"), "not-rising": limit(MAX_DATA, 100, 2),
    "streams": steps((4, 0)) * 3 + limit(MAX_STREAMS_BIDI, 3) + steps((4, 0)) + limit(MAX_STREAMS_UNI, 1) + steps((5, 0), (19, 0)),
    "too-many-streams": limit(MAX_STREAMS_BIDI, (1 << 60) + 1), "too-much": steps((6, 200), (6, 101)),
    "unknown": frame(UNKNOWN, b"skipped") + limit(MAX_DATA, 101, 2),
}

INTEROP_WORDS = {
    "get": "GET file0.bin", "get-line": "GET file0.bin\r\n", "get-above": "GET ../certs/priv.key", "get-nothing": "GET ",
    "push": "PUSH file0.bin\ncontent", "push-empty": "PUSH a\n", "push-no-line": "PUSH file0.bin", "push-above": "PUSH ../a\nx",
    "push-line": "PUSH a\r\nx", "put": "PUT a", "not-ascii": "GET ü",
}

SEEDS = {
    "varints": VARINTS, "capsules": CAPSULES, "settings": SETTINGS, "stream-headers": STREAM_HEADERS,
    "datagram-routing": DATAGRAM_ROUTING, "http3-connection": HTTP3_CONNECTION, "connect-headers": CONNECT_HEADERS,
    "websocket-frames": WEBSOCKET_FRAMES, "websocket-extensions": WEBSOCKET_EXTENSIONS, "deflate": DEFLATE,
    "http1-server": HTTP1_SERVER, "websocket-client": WEBSOCKET_CLIENT, "tls-server": TLS_SERVER,
    "http2-server": HTTP2_SERVER, "tls-messages": TLS_MESSAGES, "packet-numbers": PACKET_NUMBERS, "baton": BATON,
    "queries": QUERIES, "tls-client": TLS_CLIENT, "quic-client": QUIC_CLIENT, "interop-words": INTEROP_WORDS,
    "session-flow-control": SESSION_FLOW_CONTROL,
}

if __name__ == "__main__":
    shutil.rmtree(CORPUS, ignore_errors=True)
    for target, seeds in SEEDS.items():
        (CORPUS / target).mkdir(parents=True)
        for name, seed in seeds.items():
            (CORPUS / target / name).write_bytes(seed if isinstance(seed, bytes) else seed.encode())
    print(f"{sum(map(len, SEEDS.values()))} seeds for {len(SEEDS)} targets")
