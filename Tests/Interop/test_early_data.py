"""Session resumption, early data (0-RTT) and address tokens, as another stack sees them [63].

An early GET is answered at once. A session never begins before the handshake is complete: until then nothing proves that
its CONNECT is not a replay.
"""

from __future__ import annotations

import dataclasses
import datetime
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import aioquic.tls
import pytest
from aioquic.buffer import Buffer
from aioquic.tls import Epoch, SessionTicket
from cryptography.hazmat.primitives.asymmetric import ec, x448, x25519

from raw_http3 import (
    CLIENT_SETTINGS, DATA, HTTP3Peer, connect, frame, get, headers, http_datagram, settings_frame,
)
from raw_quic import Peer, varint
from rules import expect, quic_error, rules
from server import Server

FULL = "a full handshake"


@pytest.fixture
def ticket(server: Server) -> SessionTicket:
    return ticket_of(server)


def ticket_of(server: Server) -> SessionTicket:
    with Peer(server) as peer:
        assert peer.until(lambda: peer.tickets)
    return peer.tickets[0]


class EarlyPeer(HTTP3Peer):
    """A client that resumes, and sends SETTINGS and whatever `ask` sends before the handshake."""

    def __init__(
        self, server: Server, ticket: SessionTicket, ask: Callable[[EarlyPeer], None] = lambda peer: None,
        **options: object,
    ) -> None:
        def early(peer: EarlyPeer) -> None:
            peer.open_control(settings_frame(CLIENT_SETTINGS))
            ask(peer)

        super().__init__(server, settings=None, ticket=ticket, early=early, **options)
        self.sent: list[bytes] = []

    def _send(self, datagram: bytes) -> None:
        self.sent.append(datagram)
        super()._send(datagram)

    @property
    def handshake(self) -> tuple[bool, bool]:
        return self.is_resumed, self.is_early_data_accepted


def never(_: Peer) -> None:
    """Holds the Finished back."""


def ask_for_health(peer: HTTP3Peer) -> None:
    peer.request(headers(get()))


def test_tickets_offer_early_data(server: Server, ticket: SessionTicket) -> None:
    """RFC 9001 § 4.6.1: max_early_data_size is 0xffffffff, as flow control does the limiting."""
    expect("RFC 9001 § 4.6.1", FULL, 0xFFFFFFFF, ticket.max_early_data_size)
    with Peer(server, ticket=ticket) as peer:
        expect("RFC 8446 § 2.2", "a ClientHello with the ticket", True, peer.is_resumed)


def test_early_data_can_be_turned_off(apus: Path, tmp_path: Path) -> None:
    """RFC 9001 § 4.6.1: without the extension in its tickets a server takes none; sessions are resumed all the same."""
    server = Server.start(tmp_path, "--early-data", "off")
    try:
        ticket = ticket_of(server)
        expect("RFC 9001 § 4.6.1", FULL, None, ticket.max_early_data_size)
        # A client that sends early data all the same is not heard, and harms nobody.
        with EarlyPeer(server, dataclasses.replace(ticket, max_early_data_size=0xFFFFFFFF)) as peer:
            expect("RFC 9001 § 4.6.2", "early data that was not asked for", (True, False), peer.handshake)
    finally:
        server.stop()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_early_request_is_answered_before_the_handshake_is_complete(
    server: Server, ticket: SessionTicket, method: str
) -> None:
    """RFC 9001 § 4.6; RFC 8470 § 3: safe methods may be served from early data."""
    fields = [(":method", method), *get()[1:]]
    with EarlyPeer(
        server, ticket, lambda peer: peer.request(headers(fields)), instead_of_finished=never
    ) as peer:
        expect("RFC 9001 § 4.6", f"{method} in 0-RTT, and no Finished", 200, peer.answer(0))
        expect("RFC 9001 § 4.6", f"{method} in 0-RTT", (True, True), peer.handshake)
        assert len(peer.sent) == 1, "the answer needs no second packet"
        peer.finish()
        expect("RFC 9001 § 4.6", "GET in 1-RTT, afterwards", 200, peer.answer(peer.request(headers(get()))))


def test_a_session_does_not_begin_before_the_handshake_is_complete(server: Server, ticket: SessionTicket) -> None:
    """draft-ietf-webtrans-http3 § 3.4: a CONNECT in 0-RTT waits; streams and datagrams with it wait too."""

    def ask(peer: EarlyPeer) -> None:
        session = peer.request(headers(connect("/echo")), end=False)
        peer.wt_stream(session, b"there and back", end=True)
        peer.send_datagram(http_datagram(session, b"early"))
        peer.request(headers(get()))

    session, stream, fence = 0, 4, 8
    with EarlyPeer(server, ticket, ask, instead_of_finished=never) as peer:
        # Sent behind the CONNECT in the same packet: once this is answered, the CONNECT has been seen.
        expect("RFC 9001 § 4.6", "GET behind CONNECT in 0-RTT", 200, peer.answer(fence))
        early = (peer.streams[session].data, peer.streams[stream].data, peer.datagrams, peer.streams[session].aborted)
        expect("draft-ietf-webtrans-http3 § 3.4", "CONNECT in 0-RTT, and no Finished", (b"", b"", [], None), early)
        peer.finish()
        expect("draft-ietf-webtrans-http3 § 3.4", "CONNECT in 0-RTT, then Finished", 200, peer.answer(session))
        assert peer.echo_of(stream, session) == b"there and back"
        assert peer.until(lambda: http_datagram(session, b"early") in peer.datagrams)


def test_a_websocket_does_not_begin_before_the_handshake_is_complete(server: Server, ticket: SessionTicket) -> None:
    """RFC 8470 § 3: an extended CONNECT is not safe, whatever its protocol; what follows it is kept."""
    message = bytes([0x82, 0x80 | 5, 0, 0, 0, 0]) + b"early"

    def ask(peer: EarlyPeer) -> None:
        fields = connect("/echo", ("sec-websocket-version", "13"), protocol="websocket")
        peer.request(headers(fields) + frame(DATA, message), end=False)
        peer.request(headers(get()))

    socket, fence = 0, 4
    with EarlyPeer(server, ticket, ask, instead_of_finished=never) as peer:
        expect("RFC 9001 § 4.6", "GET behind CONNECT in 0-RTT", 200, peer.answer(fence))
        expect("RFC 8470 § 3", "CONNECT in 0-RTT, and no Finished", b"", peer.streams[socket].data)
        peer.finish()
        expect("RFC 8470 § 3", "CONNECT in 0-RTT, then Finished", 200, peer.answer(socket))
        assert peer.until(lambda: peer.message(socket).body == b"\x82\x05early")


def test_many_early_sessions_are_not_all_kept(server: Server, ticket: SessionTicket) -> None:
    """RFC 9114 § 10.5: what waits for the end of a handshake that may never come is bounded.

    H3_EXCESSIVE_LOAD is not for an eavesdropper to read: before the end it is APPLICATION_ERROR (RFC 9000 § 10.2.3).
    """

    def ask(peer: EarlyPeer) -> None:
        for _ in range(17):
            peer.request(headers(connect("/echo")), end=False)

    with EarlyPeer(server, ticket, ask, instead_of_finished=never) as peer:
        peer.until(lambda: peer.closed is not None)
        expect("RFC 9114 § 10.5", "17 CONNECTs in 0-RTT", quic_error("APPLICATION_ERROR"), peer.closed)


def test_a_session_that_came_early_to_a_gateway_is_put_off(server: Server) -> None:
    """RFC 8470 § 5.1, § 5.2: a request with Early-Data: 1 that may not be served so is answered 425."""
    with HTTP3Peer(server) as peer:
        stream = peer.request(headers(connect("/echo", ("early-data", "1"))), end=False)
        expect("RFC 8470 § 5.2", "CONNECT with Early-Data: 1", 425, peer.answer(stream))
        expect("RFC 8470 § 5.1", "GET with Early-Data: 1", 200,
               peer.answer(peer.request(headers(get("/healthz", ("early-data", "1"))))))


IN_0RTT = [
    ("RFC 9001 § 8.3", "CRYPTO", b"\x06" + varint(0) + varint(1) + b"x"),
    ("RFC 9000 § 12.5 (ACK)", "ACK", b"\x02\x00\x00\x00\x00"),
    ("RFC 9000 § 12.5 (NEW_TOKEN)", "NEW_TOKEN", b"\x07\x04abcd"),
    ("RFC 9000 § 12.5 (PATH_RESPONSE)", "PATH_RESPONSE", b"\x1b" + bytes(8)),
    ("RFC 9000 § 12.5 (HANDSHAKE_DONE)", "HANDSHAKE_DONE", b"\x1e"),
]


@pytest.mark.parametrize("rule, sent, payload", rules(IN_0RTT))
def test_an_illegal_frame_in_0rtt_closes_the_connection(
    server: Server, ticket: SessionTicket, rule: str, sent: str, payload: bytes
) -> None:
    def send(peer: Peer) -> None:
        peer.send_frames(payload, Epoch.ZERO_RTT)

    with EarlyPeer(server, ticket, instead_of_finished=send) as peer:
        expect(rule, f"{sent} in a 0-RTT packet", quic_error("PROTOCOL_VIOLATION"), peer.connection_outcome())


def test_early_data_before_a_hello_retry_request_harms_nobody(
    own_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 8446 § 4.2.10: a HelloRetryRequest refuses early data. GnuTLS takes it with the second hello, if not kept from it."""
    hellos: list[aioquic.tls.ClientHello] = []
    serialize = aioquic.tls.push_client_hello

    def without_a_key(buffer: Buffer, hello: aioquic.tls.ClientHello) -> None:
        hellos.append(dataclasses.replace(hello))
        hello.key_share = [(aioquic.tls.Group.GREASE, b"\0")]
        serialize(buffer, hello)

    ticket = ticket_of(own_server)
    peer = EarlyPeer(own_server, ticket)
    with monkeypatch.context() as patch:
        patch.setattr(aioquic.tls, "push_client_hello", without_a_key)
        peer.begin()
    peer.transmit()
    request = peer.receive_one()
    assert request[0] & 0xF0 == 0xC0, "an Initial packet, with the HelloRetryRequest"

    second = dataclasses.replace(hellos[0], early_data=False, pre_shared_key=None)
    buffer = Buffer(capacity=1024)
    serialize(buffer, second)
    first_size = peer.quic._crypto_streams[Epoch.INITIAL].sender._buffer_stop
    payload = b"\x06" + varint(first_size) + varint(buffer.tell()) + buffer.data
    for _ in range(3):
        peer.send_frames(payload.ljust(1150, b"\0"), Epoch.INITIAL)
        assert peer.receive_one(), "the server goes on with the handshake"
    with HTTP3Peer(own_server) as other:
        expect("RFC 8446 § 4.2.10", "two hellos, the first with early data", 200,
               other.answer(other.request(headers(get()))))


# Tickets that do not serve

def altered(ticket: SessionTicket) -> SessionTicket:
    middle = len(ticket.ticket) // 2
    data = ticket.ticket
    return dataclasses.replace(ticket, ticket=data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1:])


def too_old(ticket: SessionTicket) -> SessionTicket:
    """The client's clock says that more time has passed than the ticket lives."""
    lifetime = ticket.not_valid_after - ticket.not_valid_before
    return dataclasses.replace(
        ticket, not_valid_before=ticket.not_valid_before - lifetime - datetime.timedelta(seconds=2)
    )


def from_the_future(ticket: SessionTicket) -> SessionTicket:
    """The client's clock says that the ticket is older than the server knows it to be."""
    return dataclasses.replace(ticket, not_valid_before=ticket.not_valid_before - datetime.timedelta(minutes=30))


USELESS = [
    ("RFC 5077 § 4", "a ticket with a bit turned over", altered, (False, False)),
    ("RFC 8446 § 4.6.1", "a ticket past its lifetime", too_old, (False, False)),
    ("RFC 8446 § 8.3", "a ticket that the client took before it was issued", from_the_future, (True, False)),
]


@pytest.mark.parametrize("rule, sent, change, handshake", rules(USELESS))
def test_a_ticket_that_does_not_serve_costs_the_early_data_only(
    server: Server, ticket: SessionTicket, rule: str, sent: str,
    change: Callable[[SessionTicket], SessionTicket], handshake: tuple[bool, bool],
) -> None:
    with EarlyPeer(server, change(ticket), ask_for_health) as peer:
        expect(rule, sent, handshake, peer.handshake)
        # aioquic sends what was lost again.
        expect(rule, "the GET again, in 1-RTT", 200, peer.answer(0))


def test_a_ticket_of_another_server_is_none(server: Server, own_server: Server) -> None:
    """RFC 9001 § 4.6.2: each process has a key of its own, hence promises that it can keep."""
    with EarlyPeer(server, ticket_of(own_server), ask_for_health) as peer:
        expect("RFC 9001 § 4.6.2", "another server's ticket", (False, False), peer.handshake)
        expect("RFC 9001 § 4.6.2", "the GET again, in 1-RTT", 200, peer.answer(0))


# Replay

@contextmanager
def same_chances(monkeypatch: pytest.MonkeyPatch, moment: datetime.datetime) -> Iterator[None]:
    """Everything that a client draws or reads from a clock is the same within each such context."""
    source = random.Random(1)
    keys = {
        x25519.X25519PrivateKey: x25519.X25519PrivateKey.from_private_bytes(bytes(range(32))),
        x448.X448PrivateKey: x448.X448PrivateKey.from_private_bytes(bytes(range(56))),
    }
    with monkeypatch.context() as patch:
        patch.setattr(os, "urandom", source.randbytes)
        patch.setattr(aioquic.tls, "utcnow", lambda: moment)
        for kind, key in keys.items():
            patch.setattr(kind, "generate", staticmethod(lambda key=key: key))
        patch.setattr(ec, "generate_private_key", lambda curve: ec.derive_private_key(7, curve))
        yield


def test_a_first_flight_is_taken_once(apus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 8446 § 8; RFC 9001 § 9.2: the same bytes again, to whichever of the server's loops, are no early data.

    Whoever replays them does not have the client's secrets; this one has, which shows what the server makes of it.
    """
    server = Server.start(tmp_path, "--loops", "2")
    try:
        ticket = ticket_of(server)
        moment = aioquic.tls.utcnow()
        flights, outcomes = set(), []
        for _ in range(8):
            # Until the server has forgotten the one before, its IDs lead to that, and the client has to try again.
            with same_chances(monkeypatch, moment), EarlyPeer(server, ticket, ask_for_health) as peer:
                flights.add(peer.sent[0])
                outcomes.append(peer.handshake)
                expect("RFC 9001 § 4.6.2", "the GET, again if need be", 200, peer.answer(0))
        assert len(flights) == 1, "every attempt sends the same bytes"
        expect("RFC 8446 § 8", "the same first flight eight times", [(True, True)] + [(True, False)] * 7, outcomes)
    finally:
        server.stop()


# Address tokens

def test_a_token_spares_the_retry(apus: Path, tmp_path: Path) -> None:
    """RFC 9000 § 8.1.3: NEW_TOKEN is issued and honoured; one that was altered is ignored [51]."""
    server = Server.start(tmp_path, "--retry", "always")
    try:
        def retries(token: bytes) -> tuple[int, bytes]:
            with Peer(server, token=token) as peer:
                assert peer.until(lambda: peer.tokens), "the server issues a token"
                assert peer.has_completed_handshake
            return peer.quic._retry_count, peer.tokens[0]

        count, token = retries(b"")
        expect("RFC 9000 § 8.1.2", "no token", 1, count)
        count, _ = retries(token)
        expect("RFC 9000 § 8.1.3", "the token of an earlier connection", 0, count)
        for changed in (token[:-1], token[:-1] + bytes([token[-1] ^ 1]), b"\x00" * 40):
            count, _ = retries(changed)
            expect("RFC 9000 § 8.1.3", f"a token that proves nothing: {changed.hex()}", 1, count)
    finally:
        server.stop()
