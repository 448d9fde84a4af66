"""Bytes changed at random, so that the same seed changes them in the same way."""

from __future__ import annotations

import random

from raw_quic import varint

# Where integers of all sizes turn over.
EDGES = [0, 1, 2, 4, 63, 64, 127, 128, 255, 256, 16383, 16384, 65535, 1 << 30, (1 << 30) - 1, (1 << 60) - 1, 1 << 60,
         (1 << 61) + 1, (1 << 62) - 1]


class Mutator(random.Random):
    """Changes what it is given, and invents frames. Its seed is all it depends on."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.seen: list[bytes] = []

    def change(self, data: bytes) -> bytes:
        """One to four changes; rarely none."""
        self.seen = [*self.seen[-31:], data]
        for _ in range(self.choice([0, 1, 1, 1, 2, 2, 3, 4])):
            data = self.choice(self._CHANGES)(self, data)
        return data[:1 << 16]

    def _flip(self, data: bytes) -> bytes:
        if not data:
            return data
        at = self.randrange(len(data))
        return data[:at] + bytes([data[at] ^ 1 << self.randrange(8)]) + data[at + 1:]

    def _replace(self, data: bytes) -> bytes:
        if not data:
            return data
        at = self.randrange(len(data))
        return data[:at] + self.randbytes(1) + data[at + 1:]

    def _truncate(self, data: bytes) -> bytes:
        return data[: self.randrange(len(data) + 1)]

    def _extend(self, data: bytes) -> bytes:
        return data + self.randbytes(self.randrange(1, 40))

    def _remove(self, data: bytes) -> bytes:
        at = self.randrange(len(data) + 1)
        return data[:at] + data[at + self.randrange(1, 9):]

    def _repeat(self, data: bytes) -> bytes:
        at = self.randrange(len(data) + 1)
        return data[:at] + data[at : at + self.randrange(1, 33)] * 2 + data[at:]

    def _splice(self, data: bytes) -> bytes:
        other = self.choice(self.seen)
        return data[: self.randrange(len(data) + 1)] + other[self.randrange(len(other) + 1):]

    def _edge(self, data: bytes) -> bytes:
        at = self.randrange(len(data) + 1)
        edge = self.integer()
        return data[:at] + edge + data[at + len(edge):]

    _CHANGES = (_flip, _replace, _truncate, _extend, _remove, _repeat, _splice, _edge)

    def integer(self) -> bytes:
        """A varint that is likely to be a border case, in any of its forms."""
        value = self.choice(EDGES) if self.random() < 0.6 else self.getrandbits(self.choice([4, 8, 20, 62]))
        size = self.choice([size for size in (1, 2, 4, 8) if value < 1 << (8 * size - 2)])
        return (value | {1: 0, 2: 1, 4: 2, 8: 3}[size] << (8 * size - 2)).to_bytes(size, "big")

    def stream_id(self) -> bytes:
        return varint(self.randrange(24)) if self.random() < 0.8 else self.integer()

    def data(self) -> bytes:
        """With a length before it, which may lie."""
        data = self.randbytes(self.randrange(40))
        length = varint(len(data)) if self.random() < 0.8 else self.integer()
        return length + data

    def quic_frame(self) -> bytes:
        """A frame of QUIC (RFC 9000 § 19, RFC 9221 § 4): its fields in their order, each of them anything."""
        one, two, stream = self.integer, self.integer, self.stream_id
        kind = self.choice([*range(0x00, 0x1F), 0x30, 0x31, 0x40, 0x2F])
        match kind:
            case 0x02 | 0x03:
                # What was acknowledged must have been sent; small numbers have been.
                body = varint(self.randrange(8)) + one() + varint(0) + varint(0) + (one() * 3 if kind == 0x03 else b"")
            case 0x04:
                body = stream() + one() + two()
            case 0x05 | 0x11 | 0x15:
                body = stream() + one()
            case 0x06:
                body = one() + self.data()
            case 0x07:
                body = self.data()
            case _ if 0x08 <= kind <= 0x0F:
                body = stream() + (one() if kind & 4 else b"")
                body += self.data() if kind & 2 else self.randbytes(20)
            case 0x10 | 0x12 | 0x13 | 0x14 | 0x16 | 0x17 | 0x19:
                body = one()
            case 0x18:
                body = one() + two() + bytes([self.choice([0, 1, 8, 20, 21])]) + self.randbytes(self.choice([8, 24, 36]))
            case 0x1A | 0x1B:
                body = self.randbytes(8)
            case 0x1C | 0x1D:
                body = one() + (two() if kind == 0x1C else b"") + self.data()
            case 0x31:
                body = self.data()
            case 0x30:
                body = self.randbytes(30)
            case _:
                body = b""
        return varint(kind) + body
