"""A WebSocket client that decides on every frame, over each version of HTTP that carries one."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import http2_client
import http3_client
from http2_client import TIMEOUT
from server import Server

MAPPINGS = ["HTTP/1.1", "HTTP/2", "HTTP/3"]
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
FINISHED = "finished"


def frame(opcode: int, payload: bytes = b"", *, final: bool = True, rsv1: bool = False, mask: bool = True) -> bytes:
    first = opcode | (0x80 if final else 0) | (0x40 if rsv1 else 0)
    bit = 0x80 if mask else 0
    if len(payload) < 126:
        header = bytes([first, bit | len(payload)])
    elif len(payload) < 1 << 16:
        header = bytes([first, bit | 126]) + struct.pack(">H", len(payload))
    else:
        header = bytes([first, bit | 127]) + struct.pack(">Q", len(payload))
    if not mask:
        return header + payload
    # Four zeros are a key like any other, and leave the payload as it is.
    return header + bytes(4) + payload


def close(code: int, reason: str = "") -> bytes:
    return frame(CLOSE, struct.pack(">H", code) + reason.encode())


@dataclass
class Frame:
    opcode: int
    payload: bytes
    rsv1: bool = False

    @property
    def close(self) -> tuple[int, str]:
        return struct.unpack(">H", self.payload[:2])[0], self.payload[2:].decode()


class Tunnel:
    """What a mapping provides: bytes both ways, and how the server's direction ended."""

    status: int
    fields: dict[str, str]

    def received(self) -> bytearray: ...
    def end(self) -> str | None: ...
    async def until(self, condition: Callable[[], object]) -> None: ...
    async def send(self, data: bytes) -> None: ...
    async def finish(self) -> None: ...
    def reset(self) -> None: ...

    async def frame(self) -> Frame:
        buffer = self.received
        await self.until(lambda: len(buffer()) >= 2 or self.end())
        length, header = buffer()[1] & 0x7F, 2
        if length >= 126:
            header = 4 if length == 126 else 10
            await self.until(lambda: len(buffer()) >= header)
            length = int.from_bytes(buffer()[2:header], "big")
        await self.until(lambda: len(buffer()) >= header + length)
        first, payload = buffer()[0], bytes(buffer()[header : header + length])
        del buffer()[: header + length]
        return Frame(first & 15, payload, bool(first & 0x40))

    async def message(self) -> bytes:
        """What comes next but for pings, which may come at any time."""
        while (frame := await self.frame()).opcode == PING:
            pass
        return frame.payload

    async def ended(self) -> str:
        await self.until(self.end)
        return self.end()


class Http1Tunnel(Tunnel):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._buffer, self._end = bytearray(), None
        self._changed = asyncio.Event()

    async def open(self, path: str, fields: dict[str, str]) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        lines = {"Host": "localhost", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": key} | fields
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._writer.write(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
        async with asyncio.timeout(TIMEOUT):
            answer = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        self.status = int(answer[0].split()[1])
        pairs = [line.split(": ", 1) for line in answer[1:] if line]
        self.fields = {name.lower(): value for name, value in pairs}
        if self.status == 101:
            digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()  # noqa: S324
            assert self.fields.pop("sec-websocket-accept") == base64.b64encode(digest).decode()

    async def pump(self) -> None:
        try:
            while data := await self._reader.read(1 << 16):
                self._buffer += data
                self._changed.set()
            self._end = FINISHED
        except ConnectionError:
            self._end = "reset"
        self._changed.set()

    def received(self) -> bytearray:
        return self._buffer

    def end(self) -> str | None:
        return self._end

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(TIMEOUT):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def finish(self) -> None:
        # TLS has no half closure that asyncio knows.
        self._writer.close()

    def reset(self) -> None:
        self._writer.transport.abort()


class Http2Tunnel(Tunnel):
    def __init__(self, client: http2_client.Client) -> None:
        self.client = client

    async def open(self, path: str, fields: dict[str, str], protocol: str = "websocket") -> None:
        more = [(name.lower(), value) for name, value in fields.items()]
        self.number = self.client.ask("CONNECT", path, (":protocol", protocol), *more, end=False)
        self.stream = await self.client.answered(self.number)
        self.status, self.fields = self.stream.status, self.stream.fields

    def received(self) -> bytearray:
        return self.stream.body

    def end(self) -> str | None:
        if self.stream.reset is not None:
            return f"reset {self.stream.reset:#x}"
        if self.stream.is_ended:
            return FINISHED
        return "closed" if self.client.is_closed else None

    async def until(self, condition: Callable[[], object]) -> None:
        await self.client.until(condition)

    async def send(self, data: bytes) -> None:
        await self.client.send(self.number, data)

    async def finish(self) -> None:
        await self.client.send(self.number, b"", end=True)

    def reset(self) -> None:
        self.client.reset(self.number)


class Http3Tunnel(Tunnel):
    def __init__(self, client: http3_client.Client) -> None:
        self.client = client

    async def open(self, path: str, fields: dict[str, str], protocol: str = "websocket") -> None:
        more = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
        self.number = await self.client.session(path, protocol, *more)
        self.answer = self.client.answers[self.number]
        self.answer.body = bytearray(self.answer.body)
        self.status, self.fields = self.answer.status, self.answer.fields

    def received(self) -> bytearray:
        return self.answer.body

    def end(self) -> str | None:
        if codes := self.client.resets[self.number]:
            return f"reset {next(iter(codes)):#x}"
        if self.number in self.client.ended:
            return FINISHED
        return "closed" if self.client.termination else None

    async def until(self, condition: Callable[[], object]) -> None:
        await self.client.until(condition)

    async def send(self, data: bytes) -> None:
        self.client.http.send_data(self.number, data, end_stream=False)
        self.client.transmit()

    async def finish(self) -> None:
        self.client.http.send_data(self.number, b"", end_stream=True)
        self.client.transmit()

    def reset(self) -> None:
        self.client.reset(self.number, 0x10C)
        self.client.stop(self.number, 0x10C)


@asynccontextmanager
async def websocket(
    server: Server, mapping: str, path: str = "/echo", fields: dict[str, str] | None = None, plain: bool = False,
) -> AsyncIterator[Tunnel]:
    """Asks for a session on a connection of its own."""
    fields = {"Sec-WebSocket-Version": "13"} | (fields or {})
    if mapping == "HTTP/1.1":
        port, context = (server.http_port, None) if plain else (server.port, http2_client.tls("http/1.1"))
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        tunnel = Http1Tunnel(reader, writer)
        await tunnel.open(path, fields)
        pump = asyncio.create_task(tunnel.pump())
        try:
            yield tunnel
        finally:
            writer.transport.abort()
            await pump
        return
    module, kind = (http2_client, Http2Tunnel) if mapping == "HTTP/2" else (http3_client, Http3Tunnel)
    async with module.client(server) as client:
        tunnel = kind(client)
        await tunnel.open(path, fields)
        yield tunnel
