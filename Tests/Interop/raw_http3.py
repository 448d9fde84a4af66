"""HTTP/3 and WebTransport by hand, on top of `raw_quic`: every frame, field section and capsule can be wrong."""

from __future__ import annotations

from dataclasses import dataclass, field

import pylsqpack
from aioquic.buffer import Buffer, BufferReadError

from raw_quic import Peer, Stream, varint
from rules import Close
from server import Server

DATA, HEADERS, CANCEL_PUSH, SETTINGS, PUSH_PROMISE, GOAWAY, MAX_PUSH_ID = 0x00, 0x01, 0x03, 0x04, 0x05, 0x07, 0x0D
PRIORITY_UPDATE = 0xF0700
CONTROL_STREAM, PUSH_STREAM, ENCODER_STREAM, DECODER_STREAM = 0x00, 0x01, 0x02, 0x03
WT_STREAM, WT_UNIDIRECTIONAL = 0x41, 0x54
WT_CLOSE_SESSION, WT_DRAIN_SESSION = 0x2843, 0x78AE

# What a client of WebTransport must say of itself: HTTP datagrams; the dialect is draft-02's, as browsers have it.
CLIENT_SETTINGS = {0x33: 1, 0x2B603742: 1}

Fields = list[tuple[str, str]]


def frame(kind: int, payload: bytes = b"") -> bytes:
    """A frame (RFC 9114 § 7.1), and a capsule (RFC 9297 § 3.2): they look the same."""
    return varint(kind) + varint(len(payload)) + payload


capsule = frame


def settings_frame(settings: dict[int, int] | list[tuple[int, int]]) -> bytes:
    pairs = settings.items() if isinstance(settings, dict) else settings
    return frame(SETTINGS, b"".join(varint(identifier) + varint(value) for identifier, value in pairs))


def prefixed(value: int, bits: int, first: int) -> bytes:
    """An integer with a prefix (RFC 7541 § 5.1)."""
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([first | value])
    encoded = bytes([first | limit])
    value -= limit
    while value >= 128:
        encoded += bytes([value & 127 | 128])
        value >>= 7
    return encoded + bytes([value])


def field_section(fields: Fields) -> bytes:
    """Only literal field lines with literal names (RFC 9204 § 4.5.6), in the order given."""
    lines = b"\x00\x00"
    for name, value in fields:
        lines += prefixed(len(name), 3, 0x20) + name.encode() + prefixed(len(value), 7, 0) + value.encode()
    return lines


def table_capacity(size: int) -> bytes:
    """An instruction of QPACK's encoder: the dynamic table may be so large (RFC 9204 § 4.3.1)."""
    return prefixed(size, 5, 0x20)


def headers(fields: Fields) -> bytes:
    return frame(HEADERS, field_section(fields))


def get(path: str = "/healthz", *more: tuple[str, str]) -> Fields:
    return [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", path), *more]


def connect(path: str = "/echo", *more: tuple[str, str], protocol: str = "webtransport") -> Fields:
    """An extended CONNECT that begins a session."""
    return [
        (":method", "CONNECT"), (":protocol", protocol), (":scheme", "https"), (":authority", "localhost"),
        (":path", path), *more,
    ]


def without(fields: Fields, name: str) -> Fields:
    return [item for item in fields if item[0] != name]


def close_capsule(code: int, reason: bytes = b"") -> bytes:
    return capsule(WT_CLOSE_SESSION, code.to_bytes(4, "big") + reason)


def wt_header(session: int, unidirectional: bool = False) -> bytes:
    """What a WebTransport stream begins with (draft-ietf-webtrans-http3 § 4.2, § 4.3)."""
    return varint(WT_UNIDIRECTIONAL if unidirectional else WT_STREAM) + varint(session)


def http_datagram(session: int, payload: bytes = b"") -> bytes:
    return varint(session // 4) + payload


def take_frames(data: bytes) -> list[tuple[int, bytes]]:
    """The complete frames, or capsules, at the beginning of the data."""
    frames = []
    buffer = Buffer(data=data)
    while not buffer.eof():
        try:
            kind = buffer.pull_uint_var()
            frames.append((kind, buffer.pull_bytes(buffer.pull_uint_var())))
        except BufferReadError:
            break
    return frames


@dataclass
class Message:
    """A response as far as it has arrived."""

    status: int | None = None
    fields: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class HTTP3Peer(Peer):
    """A client that has opened its control stream and the two of QPACK, unless told not to."""

    def __init__(
        self, server: Server, *, settings: dict[int, int] | None = CLIENT_SETTINGS, **options: object
    ) -> None:
        super().__init__(server, **options)
        self._settings = settings
        self.control = self.encoder = self.decoder = -1

    def __enter__(self) -> HTTP3Peer:
        super().__enter__()
        if self._settings is not None:
            self.open_control(settings_frame(self._settings))
            self.encoder = self.open(ENCODER_STREAM)
            self.decoder = self.open(DECODER_STREAM)
        return self

    def open_control(self, frames: bytes) -> None:
        self.control = self.open(CONTROL_STREAM, frames)

    def open(self, kind: int, data: bytes = b"") -> int:
        """A unidirectional stream of a type."""
        stream = self.new_stream(unidirectional=True)
        self.send(stream, varint(kind) + data)
        return stream

    def request(self, data: bytes, end: bool = True) -> int:
        stream = self.new_stream()
        self.send(stream, data, end)
        return stream

    def message(self, stream: int) -> Message:
        message = Message()
        # The server's encoder has no dynamic table to refer to: we allow it none.
        decoder = pylsqpack.Decoder(0, 0)
        for kind, payload in take_frames(self.streams[stream].data):
            if kind == HEADERS:
                _, fields = decoder.feed_header(stream, payload)
                message.fields |= {name.decode(): value.decode() for name, value in fields}
                message.status = int(message.fields[":status"])
            elif kind == DATA:
                message.body += payload
        return message

    def answer(self, stream: int) -> int | object:
        """The status of the response, or how else the server took the request."""
        state = self.streams[stream]
        self.until(lambda: self.closed or state.aborted or self.message(stream).status)
        return self.closed or self.message(stream).status or state.aborted or self.silence

    def http_outcome(self) -> Close | str | int:
        """Whether a further request is still answered; else how the connection ended."""
        outcome = self.connection_outcome()
        if isinstance(outcome, Close):
            return outcome
        status = self.answer(self.request(headers(get())))
        return outcome if status == 200 else status

    # The server's unidirectional streams, by their types.

    def server_stream(self, kind: int) -> Stream | None:
        for number, stream in self.streams.items():
            if number % 4 == 3 and stream.data and Buffer(data=stream.data).pull_uint_var() == kind:
                return stream
        return None

    def control_frames(self) -> list[tuple[int, bytes]]:
        stream = self.server_stream(CONTROL_STREAM)
        return [] if stream is None else take_frames(stream.data[1:])

    def settings(self) -> dict[int, int]:
        """What the server's SETTINGS say, of which each is said once."""
        self.until(self.control_frames)
        kind, payload = self.control_frames()[0]
        assert kind == SETTINGS
        buffer = Buffer(data=payload)
        pairs = []
        while not buffer.eof():
            pairs.append((buffer.pull_uint_var(), buffer.pull_uint_var()))
        assert len(dict(pairs)) == len(pairs), f"a setting twice: {pairs}"
        return dict(pairs)

    # WebTransport

    def session(self, path: str = "/echo", *more: tuple[str, str], protocol: str = "webtransport") -> int:
        """Opens a session that must be accepted."""
        stream = self.request(headers(connect(path, *more, protocol=protocol)), end=False)
        assert self.answer(stream) == 200, f"no session at {path}: {self.answer(stream)}"
        return stream

    def send_capsules(self, session: int, data: bytes, end: bool = False) -> None:
        self.send(session, frame(DATA, data), end)

    def capsules(self, session: int) -> list[tuple[int, bytes]]:
        return take_frames(self.message(session).body)

    def wt_stream(self, session: int, data: bytes = b"", end: bool = False, unidirectional: bool = False) -> int:
        stream = self.new_stream(unidirectional)
        self.send(stream, wt_header(session, unidirectional) + data, end)
        return stream

    def echo_of(self, stream: int, session: int) -> bytes | str:
        """What /echo makes of a finished stream, on its other half or on a unidirectional stream of the server's."""
        header = wt_header(session, unidirectional=True)

        def answer() -> bytes | None:
            if stream % 4 == 0:
                state = self.streams[stream]
                return state.data if state.is_finished else None
            for number, state in self.streams.items():
                if number % 4 == 3 and state.is_finished and state.data.startswith(header):
                    return state.data.removeprefix(header)
            return None

        self.until(lambda: self.closed or answer() is not None, timeout=3)
        echoed = answer()
        return echoed if echoed is not None else str(self.closed or self.silence)

    def said(self, session: int) -> bytes | str:
        """What the server says on a unidirectional stream of a session, as the endpoints under /test do."""
        header = wt_header(session, unidirectional=True)

        def said() -> list[bytes]:
            return [stream.data.removeprefix(header) for number, stream in self.streams.items()
                    if number % 4 == 3 and stream.is_finished and stream.data.startswith(header)]

        self.until(lambda: self.closed or said())
        return said()[0] if said() else str(self.closed or self.silence)

    def session_outcome(self, session: int) -> object:
        """Whether the session still echoes; else how it ended."""
        probe = b"still here? %d" % len(self.datagrams)
        echo = http_datagram(session, probe)
        self.send_datagram(echo)
        state = self.streams[session]
        self.until(
            lambda: self.closed or state.aborted or state.is_finished or echo in self.datagrams, timeout=3
        )
        if self.closed is not None:
            return self.closed
        if state.aborted is not None:
            return state.aborted
        if state.is_finished:
            return "the session ends in order"
        return SESSION_GOES_ON if echo in self.datagrams else self.silence


SESSION_GOES_ON = "the session goes on"
