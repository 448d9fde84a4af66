"""`apus interop fetch`, and so resumption and early data of the client library, against an independent server (aioquic)."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aioquic.asyncio import QuicConnectionProtocol, serve
from aioquic.h3.connection import H3_ALPN, ErrorCode, H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, HandshakeCompleted, ProtocolNegotiated, QuicEvent
from aioquic.tls import SessionTicket

from aioquic_server import self_signed
from http3_client import TIMEOUT


class Connection(QuicConnectionProtocol):
    """Answers every request, and notes when it came."""

    has_datagrams = True
    # The connections of a test, in order.
    all: list[Connection] = []

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        type(self).all.append(self)
        self.http: H3Connection | None = None
        self.is_handshake_complete = False
        # For each request, whether it came before the handshake was complete.
        self.requests: list[bool] = []
        self.is_resumed = False
        self.termination, self.has_ended = None, asyncio.Event()

    def quic_event_received(self, event: QuicEvent) -> None:
        match event:
            case ProtocolNegotiated():
                self.http = H3Connection(self._quic, enable_webtransport=self.has_datagrams)
            case HandshakeCompleted():
                self.is_handshake_complete = True
                self.is_resumed = event.session_resumed
            case ConnectionTerminated():
                self.termination = event
                self.has_ended.set()
        for item in self.http.handle_event(event) if self.http else ():
            if isinstance(item, HeadersReceived):
                self.requests.append(not self.is_handshake_complete)
                self.answer(item.stream_id)
                self.transmit()

    def answer(self, stream: int) -> None:
        self.http.send_headers(stream, [(b":status", b"200")])
        self.http.send_data(stream, b"answer", end_stream=True)


class Listener:
    """What a test changes between one connection and the next."""

    def __init__(self) -> None:
        self.configuration = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN, max_datagram_frame_size=65536)
        self.configuration.certificate, self.configuration.private_key = self_signed()
        self.tickets: dict[bytes, SessionTicket] = {}
        self.part = type("Part", (Connection,), {"all": []})
        self.url = ""

    @property
    def connections(self) -> list[Connection]:
        return self.part.all

    def keep(self, ticket: SessionTicket) -> None:
        self.tickets[ticket.ticket] = ticket


@asynccontextmanager
async def listening() -> AsyncIterator[Listener]:
    listener = Listener()
    server = await serve(
        "127.0.0.1", 0, configuration=listener.configuration, create_protocol=listener.part,
        session_ticket_fetcher=lambda label: listener.tickets.pop(label, None), session_ticket_handler=lambda ticket: listener.keep(ticket),
    )
    listener.url = f"https://127.0.0.1:{server._transport.get_extra_info('sockname')[1]}/resource"
    try:
        yield listener
    finally:
        server.close()


async def fetch(
    apus: Path, listener: Listener, *arguments: str, between: Callable[[], None] = lambda: None
) -> tuple[int, list[str]]:
    """Runs the command, and does something when its first line is there."""
    command = await asyncio.create_subprocess_exec(
        apus, "interop", "fetch", listener.url, "--insecure", *arguments, stdout=PIPE, stderr=PIPE,
    )
    try:
        async with asyncio.timeout(3 * TIMEOUT):
            first = await command.stdout.readline()
            between()
            rest = await command.stdout.read()
            return await command.wait(), (first + rest).decode().splitlines()
    finally:
        if command.returncode is None:
            command.kill()
            await command.wait()


def line(beginning: str) -> str:
    return f"status 200, 6 bytes, {beginning}"


def test_a_request_travels_before_the_handshake_when_the_server_is_known(apus: Path) -> None:
    """RFC 9001 § 4.6: the ticket of each connection serves the next."""

    async def main() -> None:
        async with listening() as listener:
            code, lines = await fetch(apus, listener, "--times", "3")
        assert (code, lines) == (0, [line("a full handshake"), line("early data"), line("early data")])
        assert [connection.requests for connection in listener.connections] == [[False], [True], [True]]

    asyncio.run(main())


def test_early_data_can_be_left_off(apus: Path) -> None:
    async def main() -> None:
        async with listening() as listener:
            code, lines = await fetch(apus, listener, "--early-data", "off")
        assert (code, lines) == (0, [line("a full handshake"), line("a resumed session")])
        assert [connection.requests for connection in listener.connections] == [[False], [False]]

    asyncio.run(main())


def test_a_server_that_has_forgotten_the_ticket_is_asked_again(apus: Path) -> None:
    """RFC 9001 § 4.6.2: the rejected request is made anew, and arrives once."""

    async def main() -> None:
        async with listening() as listener:
            # Whatever has come until the first answer, and whatever comes later.
            listener.keep = lambda ticket: None
            code, lines = await fetch(apus, listener)
        assert (code, lines) == (0, [line("a full handshake")] * 2)
        assert [connection.requests for connection in listener.connections] == [[False], [False]]

    asyncio.run(main())


EX_UNAVAILABLE = 69


def given_up(connection: Connection, stream: int) -> None:
    connection.http.send_headers(stream, [(b":status", b"200")])
    connection.http.send_data(stream, b"half an ans", end_stream=False)
    connection._quic.reset_stream(stream, ErrorCode.H3_INTERNAL_ERROR)


def without_a_header_section(connection: Connection, stream: int) -> None:
    connection._quic.send_stream_data(stream, b"", end_stream=True)


def shorter_than_it_says(connection: Connection, stream: int) -> None:
    connection.http.send_headers(stream, [(b":status", b"200"), (b"content-length", b"7")])
    connection.http.send_data(stream, b"answer", end_stream=True)


def with_the_connection(connection: Connection, stream: int) -> None:
    connection.http.send_headers(stream, [(b":status", b"200")])
    connection.close(ErrorCode.H3_INTERNAL_ERROR)


@pytest.mark.parametrize("answer", [given_up, without_a_header_section, shorter_than_it_says, with_the_connection])
def test_an_answer_that_does_not_come_whole_is_an_error(apus: Path, answer: Callable[[Connection, int], None]) -> None:
    """RFC 9114 § 4.1.1, § 4.1.2: and nobody waits for the rest."""

    async def main() -> None:
        async with listening() as listener:
            listener.part.answer = answer
            # Long before the connection's idle timeout.
            async with asyncio.timeout(TIMEOUT):
                code, lines = await fetch(apus, listener, "--times", "1")
            assert (code, lines) == (EX_UNAVAILABLE, [])
            assert [connection.requests for connection in listener.connections] == [[False]], "it was asked for"

    asyncio.run(main())
