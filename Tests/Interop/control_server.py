"""The control: a WebTransport server on aioquic with those of our endpoints that a browser's faults are shown with.

A behaviour that a browser gets wrong here too is the browser's fault and not ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from aioquic.asyncio import serve
from aioquic.quic.configuration import QuicConfiguration

import certificates
from control_webtransport import Aborted, Connection, Session, Stream, wire_code
from server import STOP_TIMEOUT, first_line


@dataclass
class ControlServer:
    """One running control server; `page` is where a page that uses it comes from. It stops this process only."""

    process: subprocess.Popen
    port: int
    sha256: str
    page: str
    host: str = "localhost"

    @classmethod
    def start(cls, directory: Path, page: str) -> ControlServer:
        files = certificates.make(directory)
        with open(directory / "control.log", "ab") as log:
            process = subprocess.Popen(
                [sys.executable, __file__, files.certificate, files.key], stdout=subprocess.PIPE, stderr=log)
        try:
            ready = json.loads(first_line(process, directory / "control.log"))
        except BaseException:
            process.kill()
            process.wait()
            raise
        return cls(process, ready["port"], files.sha256, page)

    def https(self, path: str) -> str:
        return f"https://{self.host}:{self.port}{path}"

    def ws(self, path: str) -> str:
        return f"ws://{self.host}:0{path}"

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(STOP_TIMEOUT)
        self.process.stdout.close()


@dataclass
class Record:
    """What `/test/record` has seen under a token."""

    sessions: int = 0
    opened: int = 0
    streams: list[dict] = field(default_factory=list)
    end: dict | None = None


class Records:
    """The records by token, and those who wait for one of them to change."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = defaultdict(Record)
        self._changed = asyncio.Event()

    def __getitem__(self, token: str) -> Record:
        return self._records[token]

    @contextlib.contextmanager
    def changing(self, token: str):
        yield self._records[token]
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, token: str, condition: Callable[[Record], bool]) -> Record:
        while not condition(self._records[token]):
            await self._changed.wait()
        return self._records[token]


# MARK: Endpoints, each as README.md describes ours


async def echo(session: Session) -> None:
    async def back(stream: Stream) -> None:
        with contextlib.suppress(Aborted):
            answer = None if stream.is_unidirectional else stream
            async for chunk in stream:
                answer = answer or session.open(is_unidirectional=True)
                answer.write(chunk)
            # Without a byte there is nothing to send on a stream of our own: Firefox would close the connection.
            if answer is not None:
                answer.write(b"", ends=True)

    async def datagrams() -> None:
        while True:
            session.send_datagram(await session.datagrams.get())

    await each(session, back, datagrams())


async def reset(session: Session) -> None:
    await abort(session, lambda stream: stream.reset(wire_code(int(session.query["code"]))))


async def stop(session: Session) -> None:
    await abort(session, lambda stream: stream.stop(wire_code(int(session.query["code"]))))


async def abort(session: Session, signal: Callable[[Stream], None]) -> None:
    if session.query.get("of") == "server":
        stream = session.open(is_unidirectional=False)
        stream.write(b"to be given up")
        async for _ in stream:
            signal(stream)
            return

    async def at_once(stream: Stream) -> None:
        signal(stream)

    await each(session, at_once)


async def read_then_close(session: Session) -> None:
    stream = await session.incoming.get()
    async for _ in stream:
        pass
    session.close(int(session.query.get("code", 0)), session.query.get("reason", ""))


async def record(session: Session) -> None:
    token, writes = session.query["token"], "write" in session.query
    with records.changing(token) as noted:
        noted.sessions += 1

    async def written(stream: Stream) -> None:
        # As much as any window takes, and no end of it.
        stream.write(bytes(1 << 16))
        code = await stream.stopped
        note(stream, "gone" if code is None else "stopped", code, 0)

    def note(stream: Stream, end: str, code: int | None, count: int) -> None:
        kind = "unidirectional" if stream.is_unidirectional else "bidirectional"
        item = {"kind": kind, "end": end, "bytes": count} | ({} if code is None else {"code": code})
        with records.changing(token) as noted:
            noted.streams.append(item)

    async def read(stream: Stream) -> None:
        with records.changing(token) as noted:
            noted.opened += 1
        count = 0
        writing = asyncio.ensure_future(written(stream)) if writes and not stream.is_unidirectional else None
        try:
            async for chunk in stream:
                count += len(chunk)
            note(stream, "finished", None, count)
        except Aborted as aborted:
            note(stream, "reset" if aborted.was_reset else "gone", aborted.code, count)
        if writing is not None:
            await writing

    await each(session, read, *([written(session.open(is_unidirectional=True))] if writes else []))
    with records.changing(token) as noted:
        noted.end = session.ended.result()


async def order(session: Session) -> None:
    """Bytes of one stream that come without another's in between are one arrival."""
    arrivals: list[dict] = []
    ends: list[int] = []

    async def follow(stream: Stream) -> None:
        name = None
        async for chunk in stream:
            name = chunk[0] if name is None else name
            if not arrivals or arrivals[-1]["stream"] != name:
                arrivals.append({"stream": name, "bytes": 0})
            arrivals[-1]["bytes"] += len(chunk)
        ends.append(name)
        if len(ends) == int(session.query["streams"]):
            answer = json.dumps({"arrivals": arrivals, "ends": ends}).encode()
            session.open(is_unidirectional=True).write(answer, ends=True)

    await each(session, follow)


async def query(session: Session) -> None:
    wanted = {name: int(session.query.get(name, 0)) for name in ("opened", "streams", "session")}
    answered = asyncio.ensure_future(records.until(session.query["token"], lambda noted: (
        noted.opened >= wanted["opened"] and len(noted.streams) >= wanted["streams"]
        and (noted.end is not None or not wanted["session"]))))
    await asyncio.wait([answered, session.ended], return_when=asyncio.FIRST_COMPLETED)
    if session.ended.done():
        answered.cancel()
        return
    noted = vars(answered.result())
    answer = {name: value for name, value in noted.items() if value is not None}
    session.open(is_unidirectional=True).write(json.dumps(answer).encode(), ends=True)


async def each(session: Session, action: Callable[[Stream], Awaitable[None]], *others: Awaitable[None]) -> None:
    """Runs the action for each stream that the client opens, beside the others, until the session ends."""
    async def incoming(group: asyncio.TaskGroup) -> None:
        while True:
            group.create_task(action(await session.incoming.get()))

    async with asyncio.TaskGroup() as group:
        endless = [group.create_task(incoming(group)), *map(group.create_task, others)]
        await session.ended
        for task in endless:
            task.cancel()


ENDPOINTS = {
    "/echo": echo, "/test/order": order, "/test/reset": reset, "/test/stop": stop,
    "/test/read-then-close": read_then_close, "/test/record": record, "/test/query": query,
}
records = Records()


async def serve_session(session: Session) -> None:
    endpoint = ENDPOINTS.get(session.path)
    session.respond(404 if endpoint is None else 200)
    if endpoint is not None:
        await endpoint(session)


async def main(certificate: str, key: str) -> None:
    configuration = QuicConfiguration(alpn_protocols=["h3"], is_client=False, max_datagram_frame_size=65535)
    configuration.load_cert_chain(certificate, key)
    server = await serve("::", 0, configuration=configuration, create_protocol=partial(Connection, serve_session))
    port = server._transport.get_extra_info("sockname")[1]
    print(json.dumps({"ready": True, "port": port}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(*sys.argv[1:]))
