"""Streams and datagrams that arrive before their session, with an independent implementation (draft-ietf-webtrans-http3)."""

from __future__ import annotations

import pytest
from aioquic.buffer import encode_uint_var

from http3_client import Client, connected
from server import Server

WT_SESSION_GONE = 0x170D7B68
WT_BUFFERED_STREAM_REJECTED = 0x3994BD84
H3_ID_ERROR = 0x108


@pytest.mark.parametrize("is_unidirectional", [False, True])
def test_a_stream_before_its_request_waits_for_it(server: Server, is_unidirectional: bool) -> None:
    """§ 4.6: packets overtake each other; a stream that names a session to come is held, its data with it."""

    async def body(protocol: Client) -> None:
        session = protocol._quic.get_next_available_stream_id()
        send_early(protocol, session, b"early bird", is_unidirectional)
        # Acknowledged, so the stream has arrived before the request leaves.
        await protocol.ping()
        protocol.ask(session, "/echo")
        await protocol.answered(session)
        assert protocol.answers[session].status == 200
        await protocol.until(lambda: b"early bird" in protocol.streams.values())

    connected(server, body)


def send_early(protocol: Client, session: int, data: bytes, is_unidirectional: bool = False, index: int = 0) -> int:
    """Opens a stream after that of a session which is yet to be asked for."""
    if is_unidirectional:
        return protocol.open(session, data, end=True, is_unidirectional=True)
    stream = session + 4 * (index + 1)
    protocol.own.add(stream)
    protocol.send(stream, encode_uint_var(0x41) + encode_uint_var(session) + data, end=True)
    return stream


def test_a_datagram_before_its_request_waits_for_it(server: Server) -> None:
    """§ 4.6: as for streams."""

    async def body(protocol: Client) -> None:
        session = protocol._quic.get_next_available_stream_id()
        protocol.send_datagram(session, b"early bird")
        await protocol.ping()
        protocol.ask(session, "/echo")
        await protocol.until(lambda: b"early bird" in protocol.datagrams)

    connected(server, body)


def test_more_early_streams_than_are_held_are_rejected(server: Server) -> None:
    """§ 4.6: the number held is bounded; a stream too many is given up with WT_BUFFERED_STREAM_REJECTED."""

    async def body(protocol: Client) -> None:
        session = protocol._quic.get_next_available_stream_id()
        streams = [send_early(protocol, session, b"early", index=index) for index in range(30)]
        await protocol.until(lambda: sum(bool(protocol.resets[stream]) for stream in streams) >= 6)
        protocol.ask(session, "/echo")
        await protocol.until(lambda: sum(stream in protocol.ended for stream in streams) == 24)
        rejected = [stream for stream in streams if stream not in protocol.ended]
        assert [protocol.resets[stream] for stream in rejected] == [{WT_BUFFERED_STREAM_REJECTED}] * 6
        assert all(protocol.streams[stream] == b"early" for stream in streams if stream in protocol.ended)

    connected(server, body)


def test_streams_before_a_refused_request_are_given_up(server: Server) -> None:
    """§ 6: a session that was refused is gone like one that has ended."""

    async def body(protocol: Client) -> None:
        session = protocol._quic.get_next_available_stream_id()
        stream = send_early(protocol, session, b"early")
        await protocol.ping()
        protocol.ask(session, "/nothing")
        await protocol.until(lambda: protocol.resets[stream])
        assert protocol.resets[stream] == {WT_SESSION_GONE}
        assert protocol.answers[session].status == 404

    connected(server, body)


@pytest.mark.parametrize("session", [1, 2, 3])
def test_a_stream_of_what_cannot_be_a_session_ends_the_connection(server: Server, session: int) -> None:
    """§ 4: a session is named by a client's bidirectional stream; anything else is H3_ID_ERROR."""

    async def body(protocol: Client) -> None:
        await protocol.session("/echo")
        protocol.open(session, b"whose?")
        await protocol.until(lambda: protocol.termination is not None)
        assert protocol.termination.error_code == H3_ID_ERROR

    connected(server, body)
