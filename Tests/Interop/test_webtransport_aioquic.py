"""WebTransport frame by frame, as an independent implementation (aioquic) receives it.

A browser shows a page what it makes of the server's frames; here it is the frames themselves. Sections without a name
are those of draft-ietf-webtrans-http3.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from aioquic.buffer import encode_uint_var

from http3_client import TIMEOUT, Client, connected, echo
from server import Server

# An application's codes and how they travel (§ 4.4): first, last before and first after the first code that HTTP/3
# reserves for greasing, and the last of one, two and four bytes. Computed by hand.
CODES = {
    0: 0x52E4A40FA8DB,
    29: 0x52E4A40FA8F8,
    30: 0x52E4A40FA8FA,
    255: 0x52E4A40FA9E2,
    65535: 0x52E4A410B162,
    0xFFFFFFFF: 0x52E5AC983162,
}
STREAMS = 100

WT_CLOSE_SESSION = 0x2843
WT_SESSION_GONE = 0x170D7B68
H3_REQUEST_REJECTED = 0x10B
H3_REQUEST_CANCELLED = 0x10C
H3_MESSAGE_ERROR = 0x10E

codes = pytest.mark.parametrize(("code", "wire"), CODES.items())


# MARK: Sessions


def test_settings_announce_every_dialect(server: Server) -> None:
    """Exactly 1 each: Chromium closes the connection on more."""

    async def body(protocol: Client) -> None:
        await protocol.session("/echo")
        settings = protocol.http.received_settings
        wanted = (0x08, 0x33, 0x2B603742, 0xC671706A, 0x14E9CD29, 0x2C7CF000)
        assert {key: settings.get(key) for key in wanted} == dict.fromkeys(wanted, 1)

    connected(server, body)


@pytest.mark.parametrize("name", ["webtransport", "webtransport-h3"])
def test_streams_of_both_kinds_and_datagrams_are_echoed(server: Server, name: str) -> None:
    connected(server, lambda protocol: echo(protocol, name))


@pytest.mark.parametrize(("offered", "answered"), [
    ((), {}),
    (((b"sec-webtransport-http3-draft02", b"1"),), {"sec-webtransport-http3-draft": "draft02"}),
    # § 3.3: the endpoint chooses none of the protocols offered, and says so by silence.
    (((b"wt-available-protocols", b'"a", "b"'),), {}),
])
def test_response_to_connect_has_a_status_and_what_was_negotiated(
    server: Server, offered: tuple, answered: dict[str, str],
) -> None:
    """§ 3.2, and the version header of draft-02, which is for those who offer it."""

    async def body(protocol: Client) -> None:
        session = await protocol.session("/echo", "webtransport", *offered)
        fields = protocol.answers[session].fields
        assert fields[":status"] == "200"
        names = ("sec-webtransport-http3-draft", "wt-protocol")
        assert {name: fields[name] for name in names if name in fields} == answered

    connected(server, body)


@pytest.mark.parametrize(("path", "name", "fields", "status"), [
    ("/nothing", "webtransport", (), 404),
    ("/echo", "connect-udp", (), 501),
    ("/close?code=4294967296", "webtransport", (), 400),
    ("/echo", "webtransport", ((b"origin", b"https://elsewhere.example"),), 403),
])
def test_sessions_that_cannot_be_are_refused_with_a_status(
    server: Server, path: str, name: str, fields: tuple, status: int,
) -> None:
    """draft-ietf-webtrans-http3 § 3.2, RFC 9220 § 3 [4, 6]"""
    async def body(protocol: Client) -> None:
        session = await protocol.session(path, name, *fields)
        assert protocol.answers[session].status == status
        await protocol.until(lambda: session in protocol.ended)
        # The connection goes on.
        assert (await protocol.request("GET", "/healthz")).body == b"ok"

    connected(server, body)


def test_one_session_at_a_time_and_then_another(server: Server) -> None:
    """§ 5.1: without session flow control a connection carries one; the refused one does not disturb it."""

    async def body(protocol: Client) -> None:
        first = await protocol.session("/echo")
        second = protocol._quic.get_next_available_stream_id()
        protocol.ask(second, "/echo")
        await protocol.until(lambda: protocol.resets[second])
        assert protocol.resets[second] == {H3_REQUEST_REJECTED}
        stream = protocol.open(first, b"still here", end=True)
        await protocol.until(lambda: stream in protocol.ended)
        assert protocol.streams[stream] == b"still here"
        protocol.send_capsule(first, WT_CLOSE_SESSION, bytes(4), end=True)
        await protocol.until(lambda: first in protocol.ended)
        await echo(protocol)

    connected(server, body)


# MARK: Signals of streams


@codes
@pytest.mark.parametrize("signal", ["reset", "stop"])
def test_server_signals_carry_their_application_code_every_time(
    server: Server, signal: str, code: int, wire: int,
) -> None:
    """§ 4.4: the one frame that was asked for, with the mapped code, on each of many streams, and not the other [20]."""

    async def body(protocol: Client) -> None:
        session = await protocol.session(f"/test/{signal}?code={code}")
        streams = [protocol.open(session, b"to be refused") for _ in range(STREAMS)]
        expected, other = (
            (protocol.resets, protocol.stops) if signal == "reset" else (protocol.stops, protocol.resets)
        )
        await protocol.until(lambda: all(expected[stream] for stream in streams))
        assert [expected[stream] for stream in streams] == [{wire}] * STREAMS
        assert not any(other[stream] for stream in streams)

    connected(server, body)


@codes
def test_a_reset_of_the_client_comes_back_with_its_code(server: Server, code: int, wire: int) -> None:
    """§ 4.4 in both directions: the echo gives up its half with the application code that it was told [21]."""

    async def body(protocol: Client) -> None:
        session = await protocol.session("/echo")
        streams = [protocol.open(session, b"never mind") for _ in range(STREAMS)]
        for stream in streams:
            protocol.reset(stream, wire)
        await protocol.until(lambda: all(protocol.resets[stream] for stream in streams))
        assert [protocol.resets[stream] for stream in streams] == [{wire}] * STREAMS
        assert not any(protocol.stops[stream] for stream in streams)

    connected(server, body)


@pytest.mark.parametrize("wire", [0, H3_REQUEST_CANCELLED, 0x52E4A40FA8F9, 0x52E5AC983163])
def test_a_code_that_is_none_of_an_application_is_not_passed_on(server: Server, wire: int) -> None:
    """§ 4.4: outside of the range, or one of its holes. The stream is reset; the echo has no code but its own, 0 [21]."""

    async def body(protocol: Client) -> None:
        session = await protocol.session("/echo")
        stream = protocol.open(session, b"never mind")
        protocol.reset(stream, wire)
        await protocol.until(lambda: protocol.resets[stream])
        assert protocol.resets[stream] == {CODES[0]}
        await echo_again(protocol, session)

    connected(server, body)


@codes
def test_one_stream_carries_both_signals(server: Server, code: int, wire: int) -> None:
    """RFC 9000 § 3.5: who is asked to stop resets, with the same code. The echo has then no use for more input [21]."""

    async def body(protocol: Client) -> None:
        session = await protocol.session("/echo")
        streams = [protocol.open(session, b"first") for _ in range(STREAMS)]
        await protocol.until(lambda: all(protocol.streams[stream] == b"first" for stream in streams))
        for stream in streams:
            protocol.stop(stream, wire)
        await protocol.until(lambda: all(protocol.resets[stream] for stream in streams))
        # The echo notices as it writes, and whether a write comes before or after the notice is a race.
        async with asyncio.timeout(TIMEOUT):
            while waiting := [stream for stream in streams if not protocol.stops[stream]]:
                for stream in waiting:
                    protocol.send(stream, b"more")
                await protocol.ping()
        assert [protocol.resets[stream] for stream in streams] == [{wire}] * STREAMS
        assert [protocol.stops[stream] for stream in streams] == [{CODES[0]}] * STREAMS
        await echo_again(protocol, session)

    connected(server, body)


async def echo_again(protocol: Client, session: int) -> None:
    stream = protocol.open(session, b"still here", end=True)
    await protocol.until(lambda: stream in protocol.ended)
    assert protocol.streams[stream] == b"still here"


# MARK: The end of a session


def end_with_capsule(protocol: Client, session: int) -> None:
    protocol.send_capsule(session, WT_CLOSE_SESSION, (4711).to_bytes(4) + b"done")


def end_with_fin(protocol: Client, session: int) -> None:
    protocol.http.send_data(session, b"", end_stream=True)
    protocol.transmit()


def end_with_reset(protocol: Client, session: int) -> None:
    protocol.reset(session, H3_REQUEST_CANCELLED)


def end_with_stop_sending(protocol: Client, session: int) -> None:
    protocol.stop(session, H3_REQUEST_CANCELLED)


@pytest.mark.parametrize("end", [end_with_capsule, end_with_fin, end_with_reset, end_with_stop_sending])
def test_all_streams_go_when_the_session_ends(server: Server, end: Callable[[Client, int], None]) -> None:
    """§ 6: however the CONNECT stream ends, both halves of every stream are given up with WT_SESSION_GONE.

    What arrives afterwards is refused in the same way, and the connection takes another session.
    """

    async def body(protocol: Client) -> None:
        session = await protocol.session("/echo")
        both = [protocol.open(session, b"open") for _ in range(STREAMS)]
        one_way = [protocol.open(session, b"way %d" % n, is_unidirectional=True) for n in range(STREAMS)]
        await protocol.until(lambda: all(protocol.streams[stream] == b"open" for stream in both))
        replies = lambda: [n for n, data in protocol.streams.items() if data.startswith(b"way ")]  # noqa: E731
        await protocol.until(lambda: len(replies()) == STREAMS)

        end(protocol, session)
        await protocol.until(lambda: all(protocol.resets[stream] for stream in (*both, *replies())))
        await protocol.until(lambda: all(protocol.stops[stream] for stream in (*both, *one_way)))
        assert {code for stream in (*both, *replies()) for code in protocol.resets[stream]} == {WT_SESSION_GONE}
        assert {code for stream in (*both, *one_way) for code in protocol.stops[stream]} == {WT_SESSION_GONE}

        late = protocol.open(session, b"too late")
        await protocol.until(lambda: protocol.resets[late] and protocol.stops[late])
        assert (protocol.resets[late], protocol.stops[late]) == ({WT_SESSION_GONE}, {WT_SESSION_GONE})
        await echo(protocol)

    connected(server, body)


def test_a_stream_that_the_server_has_reset_is_stopped_when_the_session_ends(server: Server) -> None:
    """Both signals on one stream, each with its own code: the application's reset, then the session's end."""

    async def body(protocol: Client) -> None:
        session = await protocol.session("/test/reset?code=30")
        streams = [protocol.open(session, b"to be refused") for _ in range(STREAMS)]
        await protocol.until(lambda: all(protocol.resets[stream] for stream in streams))
        end_with_fin(protocol, session)
        await protocol.until(lambda: all(protocol.stops[stream] for stream in streams))
        assert [protocol.resets[stream] for stream in streams] == [{CODES[30]}] * STREAMS
        assert [protocol.stops[stream] for stream in streams] == [{WT_SESSION_GONE}] * STREAMS

    connected(server, body)


@pytest.mark.parametrize("end", [end_with_capsule, end_with_fin])
def test_the_end_of_a_session_is_answered_with_fin(server: Server, end: Callable[[Client, int], None]) -> None:
    """§ 6: no capsule comes back, and no reset. The capsule alone ends it: its sender's FIN is not waited for."""

    async def body(protocol: Client) -> None:
        session = await protocol.session("/echo")
        end(protocol, session)
        await protocol.until(lambda: session in protocol.ended)
        assert protocol.answers[session].capsules == []
        assert not protocol.resets[session]

    connected(server, body)


@pytest.mark.parametrize("reason", [b"", "größer".encode(), b"x" * 1024])
def test_a_close_within_its_limits_is_taken(server: Server, reason: bytes) -> None:
    """§ 6: four bytes of code and at most 1,024 bytes of UTF-8."""

    async def body(protocol: Client) -> None:
        session = await protocol.session("/echo")
        protocol.send_capsule(session, WT_CLOSE_SESSION, b"\xff\xff\xff\xff" + reason)
        await protocol.until(lambda: session in protocol.ended)
        assert not protocol.resets[session]

    connected(server, body)


@pytest.mark.parametrize("value", [b"", bytes(3), bytes(4) + b"x" * 1025, bytes(4) + b"\xff\xfe"])
def test_a_malformed_close_resets_the_session(server: Server, value: bytes) -> None:
    """§ 6: too short, too long, or not UTF-8 is H3_MESSAGE_ERROR for the CONNECT stream, not for the connection."""

    async def body(protocol: Client) -> None:
        session = await protocol.session("/echo")
        stream = protocol.open(session, b"open")
        await protocol.until(lambda: protocol.streams[stream] == b"open")
        protocol.send_capsule(session, WT_CLOSE_SESSION, value)
        await protocol.until(lambda: protocol.resets[session] and protocol.resets[stream])
        assert protocol.resets[session] == {H3_MESSAGE_ERROR}
        assert protocol.resets[stream] == {WT_SESSION_GONE}
        await echo(protocol)

    connected(server, body)


def test_data_after_close_resets_the_session(server: Server) -> None:
    """§ 6: not a byte may follow WT_CLOSE_SESSION; the server says so with H3_MESSAGE_ERROR."""

    async def body(protocol: Client) -> None:
        session = await protocol.session("/echo")
        protocol.http.send_data(session, encode_uint_var(WT_CLOSE_SESSION) + b"\x04" + bytes(4) + b"more", False)
        protocol.transmit()
        await protocol.until(lambda: protocol.stops[session])
        assert protocol.stops[session] == {H3_MESSAGE_ERROR}
        await echo(protocol)

    connected(server, body)


@pytest.mark.parametrize(("code", "reason"), [(0, ""), (4242, "bye"), (0xFFFFFFFF, "gr%C3%B6%C3%9Fer")])
def test_close_of_the_server_is_a_capsule_and_fin(server: Server, code: int, reason: str) -> None:
    """§ 6: code and reason in one capsule, then at once the end of the stream."""

    async def body(protocol: Client) -> None:
        session = await protocol.session(f"/close?code={code}&reason={reason}")
        await protocol.until(lambda: session in protocol.ended)
        text = {"gr%C3%B6%C3%9Fer": "größer"}.get(reason, reason)
        assert protocol.answers[session].capsules == [(WT_CLOSE_SESSION, code.to_bytes(4) + text.encode())]

    connected(server, body)


def test_a_reason_that_is_too_long_is_cut_between_characters(server: Server) -> None:
    """§ 6: at most 1,024 bytes, and still UTF-8. 513 times two bytes do not fit; one byte more moves the cut."""

    async def body(protocol: Client) -> None:
        for prefix, kept in (("", 512), ("x", 511)):
            session = await protocol.session(f"/close?reason={prefix}{'%C3%A9' * 513}")
            await protocol.until(lambda session=session: session in protocol.ended)
            ((_, value),) = protocol.answers[session].capsules
            assert value[4:].decode() == prefix + "é" * kept

    connected(server, body)
