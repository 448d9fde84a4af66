"""`apus connect`, and so the client library, against an independent WebTransport server (aioquic)."""

from __future__ import annotations

import asyncio
import signal
from asyncio.subprocess import DEVNULL
from pathlib import Path

import aioquic.quic.connection
import pytest
from aioquic.quic.events import ConnectionTerminated, QuicEvent

from aioquic_server import WT_CLOSE_SESSION, Peer, listening
from connect_command import EX_UNAVAILABLE, connecting, outcome


def test_a_line_split_over_packets_is_put_together(apus: Path) -> None:
    """Wherever it is split: within a word, after the newline, within a character."""

    class Part(Peer):
        async def plays(self, session: int) -> None:
            stream = self.http.create_webtransport_stream(session, is_unidirectional=True)
            for piece in (b"spl", b"it over", b" packets\n", b"nex", b"t l\xc3", b"\xb6ne\n\nlast"):
                self.send(stream, piece)
                # Acknowledged: the next piece travels in another packet.
                await self.ping()
            self.send(stream, b"", end=True)
            await self.ping()
            self.close_session(session, 0xFFFFFFFF, b"\x1bover")

    async def main() -> None:
        async with listening(Part) as url, connecting(apus, url) as command:
            code, output, errors = await outcome(command)
        lines = output.splitlines()
        assert lines == [f"[unidirectional 1] {text}" for text in ("split over packets", "next löne", "", "last")]
        assert errors.splitlines()[-1] == "apus: closed by the server with code 4294967295, \\u{1b}over"
        assert code == 0

    asyncio.run(main())


def test_request_lines_and_close_reach_an_independent_server(apus: Path) -> None:
    """draft-ietf-webtrans-http3 § 3.2 and § 6: CONNECT, a stream that names the session, WT_CLOSE_SESSION and FIN."""

    async def main() -> None:
        class Part(Peer):
            pass

        fields = ("--origin", "https://a.example", "--header", "X-Test: yes")
        async with listening(Part) as url, connecting(apus, url, *fields) as command:
            command.stdin.write(b"one\ntwo\n")
            command.stdin.close()
            code, output, errors = await outcome(command)
            peer = Part.current
            await peer.has_ended.wait()
        assert (code, output, errors.splitlines()[-1]) == (0, "", "apus: closed")
        names = (b":method", b":protocol", b":scheme", b":path", b"origin", b"x-test")
        assert [peer.request[name] for name in names] == [
            b"CONNECT", b"webtransport", b"https", b"/part?of=it", b"https://a.example", b"yes",
        ]
        assert list(peer.streams.values()) == [b"one\ntwo\n"]
        assert peer.finished == set(peer.streams)
        assert peer.capsules.capsules == [(WT_CLOSE_SESSION, bytes(4))]

    asyncio.run(main())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_closes_the_session_towards_the_server(apus: Path, number: int) -> None:
    """§ 6: the server is told with WT_CLOSE_SESSION, not left to time out. The input need not end."""

    async def main() -> None:
        class Part(Peer):
            pass

        async with listening(Part) as url, connecting(apus, url) as command:
            assert b"connected over WebTransport" in await command.stderr.readline()
            command.send_signal(number)
            await Part.current.has_ended.wait()
            code, _, errors = await outcome(command)
        assert Part.current.capsules.capsules == [(WT_CLOSE_SESSION, bytes(4))]
        assert (code, errors) == (0, "apus: closed\n")

    asyncio.run(main())


def test_datagrams_go_both_ways(apus: Path) -> None:
    class Part(Peer):
        async def plays(self, session: int) -> None:
            await self.has_datagram.wait()
            self.http.send_datagram(session, b"and \x07back")
            self.transmit()
            await self.ping()
            self.close_session(session, 0, b"")

    async def main() -> None:
        async with listening(Part) as url, connecting(apus, url, "--datagram") as command:
            command.stdin.write(b"there\n")
            code, output, errors = await outcome(command)
        assert Part.current.datagrams == [b"there"]
        assert (code, output) == (0, "[datagram] and \\u{7}back\n")
        assert errors.splitlines()[-1] == "apus: closed by the server with code 0, no reason"

    asyncio.run(main())


def test_a_server_that_speaks_no_webtransport_is_told(apus: Path) -> None:
    """§ 3.1: its SETTINGS say so, and the client asks for no session."""

    class Part(Peer):
        speaks_webtransport = False

    async def main() -> None:
        async with listening(Part) as url, connecting(apus, url, stdin=DEVNULL) as command:
            code, output, errors = await outcome(command)
        assert (code, output) == (EX_UNAVAILABLE, "")
        assert "SETTINGS" in errors and "WebTransport" in errors
        assert Part.current.request == {}

    asyncio.run(main())


@pytest.mark.parametrize("size", [0xFFFFFFFF, 1000])
def test_tickets_offer_early_data_of_one_size_only(apus: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """RFC 9001 § 4.6.1: any other max_early_data_size than 0xffffffff is a connection error, PROTOCOL_VIOLATION."""
    monkeypatch.setattr(aioquic.quic.connection, "MAX_EARLY_DATA", size)

    class Part(Peer):
        termination: ConnectionTerminated | None = None

        def __init__(self, quic: aioquic.quic.connection.QuicConnection, **kwargs: object) -> None:
            # Without somebody who keeps them, no tickets are issued.
            quic._session_ticket_handler = lambda ticket: None
            super().__init__(quic, **kwargs)

        def quic_event_received(self, event: QuicEvent) -> None:
            super().quic_event_received(event)
            if isinstance(event, ConnectionTerminated):
                self.termination = event
                self.has_ended.set()

    async def main() -> None:
        async with listening(Part) as url, connecting(apus, url, stdin=DEVNULL) as command:
            code, _, _ = await outcome(command)
            await Part.current.has_ended.wait()
        if size == 0xFFFFFFFF:
            assert code == 0
        else:
            assert code == EX_UNAVAILABLE and Part.current.termination.error_code == 0x0A

    asyncio.run(main())
