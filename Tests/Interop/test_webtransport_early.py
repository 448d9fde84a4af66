"""Streams and datagrams that arrive before their session (draft-ietf-webtrans-http3)."""

from __future__ import annotations

import pytest
from aioquic.buffer import encode_uint_var

from http3_client import Client, connected
from raw_http3 import Fields, HTTP3Peer, connect, headers, wt_header
from rules import expect, stream_error
from server import Server

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


REFUSED = [
    pytest.param(404, connect("/nothing"), id="for a path that is not there"),
    pytest.param(431, connect("/echo", *((f"x-{number}", "x" * 1000) for number in range(70))),
                 id="with more header fields than fit"),
    pytest.param(421, [(":scheme", "http") if name == ":scheme" else (name, value) for name, value in connect()],
                 id="for another scheme"),
]


@pytest.mark.parametrize("status, fields", REFUSED)
def test_streams_before_a_refused_request_are_given_up(server: Server, status: int, fields: Fields) -> None:
    """draft-ietf-webtrans-http3 § 6: a session that was refused is gone like one that has ended."""
    with HTTP3Peer(server) as peer:
        session, early = peer.new_stream(), peer.new_stream()
        peer.send(early, wt_header(session) + b"early", end=True)
        peer.settle()
        peer.send(session, headers(fields))
        rule = "draft-ietf-webtrans-http3 § 6"
        expect(rule, "a CONNECT that is to be refused", status, peer.answer(session))
        expect(rule, "a stream before it", stream_error("WT_SESSION_GONE"), peer.stream_outcome(early))


@pytest.mark.parametrize("session", [1, 2, 3])
def test_a_stream_of_what_cannot_be_a_session_ends_the_connection(server: Server, session: int) -> None:
    """§ 4: a session is named by a client's bidirectional stream; anything else is H3_ID_ERROR."""

    async def body(protocol: Client) -> None:
        await protocol.session("/echo")
        protocol.open(session, b"whose?")
        await protocol.until(lambda: protocol.termination is not None)
        assert protocol.termination.error_code == H3_ID_ERROR

    connected(server, body)
