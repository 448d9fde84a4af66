"""Devious baton as its draft has it (draft-frindell-webtrans-devious-baton-00), from the client's end.

A baton is a message of a padding's length (a varint), the padding, and one byte: whoever receives it passes on one
more, modulo 256, until it is 0.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from baton_peer import (
    BRUH, CLIENTS_UNIDIRECTIONAL, DA_YAMN, DRAFT, IDC, I_LIED, KINDS, MAX_STREAMS_BIDI, MAX_STREAMS_UNI, PATH,
    SERVERS_BIDIRECTIONAL, STAYS_OPEN, SUS, WAYS, WHATEVER, WITHOUT_ERROR, Game, baton_of, message,
)
from raw_http3 import WT_CLOSE_SESSION, HTTP3Peer, connect, headers, http_datagram
from raw_quic import long_varint, varint
from rules import GOES_ON, Abort, OneOf, expect, rules
from server import Server


# A game


@pytest.mark.parametrize("first", [1, 2, 5, 122, 249, 250, 251, 252, 253, 254, 255])
def test_a_baton_travels_on_each_kind_of_stream_in_turn_until_it_is_home(server: Server, first: int) -> None:
    """draft-frindell-webtrans-devious-baton § 4.1, § 4.2, § 4.4, § 4.5: each end meets 0, on every kind of stream"""
    with HTTP3Peer(server) as peer:
        game = Game(peer, f"version=0&baton={first}&count=1")
        arrival, baton = game.next_baton(unidirectional=True)
        expect(f"{DRAFT} § 4.1", f"CONNECT for the baton {first}", first, baton)
        sevens = []
        while baton != 0:
            if baton % 7 == 1:
                peer.send_datagram(http_datagram(game.session, message(baton)))
            reply = (baton + 1) % 256
            # 0, with which the session ends, is another test's.
            if reply % 7 == 0 and reply != 0:
                sevens.append(reply)
            stream = game.pass_on(arrival, message(reply))
            sent = f"{reply} on {KINDS[stream % 4]}"
            if reply == 0:
                break
            arrival, baton = game.reply(stream)
            expect(f"{DRAFT} § 4.2", sent, (reply + 1) % 256, baton)
        if baton == 0:
            sent = "0 has come, FIN on the CONNECT stream"
            peer.send(game.session, end=True)
        expect(f"{DRAFT} § 4.5", sent, WITHOUT_ERROR, game.end())
        expect(f"{DRAFT} § 4.2", "no other baton", [], game.surplus())
        peer.until(lambda: peer.closed or len(game.datagrams()) >= len(sevens), timeout=3)
        came = [baton for baton in map(baton_of, game.datagrams()) if baton != 0]
        expect(f"{DRAFT} § 4.4", f"batons from {first}", sevens, came)
        expect(f"{DRAFT} § 4.5", "a game, then a request", GOES_ON, peer.http_outcome())


@pytest.mark.parametrize("count", [2, 5, 20])
def test_batons_in_parallel_each_go_their_way(server: Server, count: int) -> None:
    """draft-frindell-webtrans-devious-baton § 4.1, § 4.5: a stream for each, and an end when the last is home"""
    with HTTP3Peer(server) as peer:
        game = Game(peer, f"baton=253&count={count}")
        arrivals = game.take(unidirectional=True, count=count)
        came = [game.baton_on(stream) for stream in arrivals]
        expect(f"{DRAFT} § 4.1", f"CONNECT for {count} batons", [253] * count, came)
        # All are on their way at once, and come back in an order of their own.
        sent = [game.pass_on(arrival, message(254)) for arrival in arrivals]
        expect(f"{DRAFT} § 4.2", f"{count} times 254", [255] * count, [game.baton_on(stream) for stream in sent[::-1]])
        for home in range(count):
            expect(f"{DRAFT} § 4.5", f"0 for {home} of {count} batons", True, game.is_open())
            game.pass_on(sent[home], message(0))
        expect(f"{DRAFT} § 4.5", f"0 for {count} of {count} batons", WITHOUT_ERROR, game.end())
        expect(f"{DRAFT} § 4.2", "no other baton", [], game.surplus())


def test_the_end_of_a_game_is_no_error(server: Server) -> None:
    """draft-frindell-webtrans-devious-baton § 4.5: WT_CLOSE_SESSION is for errors, but with code 0 it says the same as
    FIN alone (draft-ietf-webtrans-http3 § 6)"""
    with HTTP3Peer(server) as peer:
        game = Game(peer, "baton=255")
        arrival, _ = game.next_baton(unidirectional=True)
        game.pass_on(arrival, message(0))
        expect(f"{DRAFT} § 4.5", "0, which is the last baton", WITHOUT_ERROR, game.end())


# Messages


PADDINGS = [
    (f"{DRAFT} § 4.3 (none)", b""),
    (f"{DRAFT} § 4.3 (a byte)", b"\xff"),
    (f"{DRAFT} § 4.3 (largest length in a byte)", bytes(63)),
    (f"{DRAFT} § 4.3 (smallest length in two bytes)", bytes(64)),
    (f"{DRAFT} § 4.3 (messages as padding)", message(7) * 100),
    (f"{DRAFT} § 4.3 (smallest length in four bytes)", bytes(16384)),
    (f"{DRAFT} § 4.3 (more than flow control allows at once)", random.Random(1).randbytes(3_000_000)),
]


@WAYS
@pytest.mark.parametrize("encode", [varint, long_varint], ids=["shortest", "longest"])
@pytest.mark.parametrize("rule, padding", rules(PADDINGS))
def test_padding_is_ignored(
    server: Server, rule: str, padding: bytes, encode: Callable[[int], bytes], kind: int
) -> None:
    """RFC 9000 § 16: its length in any encoding"""
    with HTTP3Peer(server) as peer:
        game = Game(peer, "baton=20")
        arrival, baton = game.until_it_is_to_go_on(kind)
        stream = game.pass_on(arrival, message(baton + 1, padding, encode))
        _, came = game.reply(stream)
        expect(rule, f"{baton + 1} behind {len(padding)} bytes on {KINDS[kind]}", baton + 2, came)


@WAYS
def test_a_message_may_come_byte_by_byte(server: Server, kind: int) -> None:
    """draft-frindell-webtrans-devious-baton § 4.3: and without FIN, which may be long in coming"""
    with HTTP3Peer(server) as peer:
        game = Game(peer, "baton=20")
        arrival, baton = game.until_it_is_to_go_on(kind)
        first, *others = message(baton + 1, b"padding", long_varint)
        stream = game.pass_on(arrival, bytes([first]), end=False)
        for byte in others:
            # Else the server might read several at once.
            peer.settle()
            peer.send(stream, bytes([byte]))
        peer.settle()
        peer.send(stream, end=True)
        expect(f"{DRAFT} § 4.3", f"a message on {KINDS[kind]}, each byte in a packet of its own", baton + 2,
               game.reply(stream)[1])


INCOMPLETE = [
    (f"{DRAFT} § 4.6 (nothing)", "FIN alone", b""),
    (f"{DRAFT} § 4.6 (length)", "a padding length that is cut", b"\xc0\x00\x00"),
    (f"{DRAFT} § 4.6 (no padding)", "a padding length alone", varint(5)),
    (f"{DRAFT} § 4.6 (padding)", "padding that is cut", varint(5) + bytes(4)),
    (f"{DRAFT} § 4.6 (no baton)", "padding without a baton", varint(5) + bytes(5)),
    (f"{DRAFT} § 4.6 (no padding, no baton)", "no padding and no baton", varint(0)),
    (f"{DRAFT} § 4.6 (largest)", "a padding length of 2^62 - 1", varint((1 << 62) - 1) + bytes(9)),
]


@WAYS
@pytest.mark.parametrize("rule, sent, data", rules(INCOMPLETE))
def test_an_incomplete_message_on_a_stream_ends_the_session(
    server: Server, rule: str, sent: str, data: bytes, kind: int
) -> None:
    """What it would have been is not waited for: the stream has been closed"""
    with HTTP3Peer(server) as peer:
        game = Game(peer, "baton=20&count=2")
        arrival, _ = game.until_it_is_to_go_on(kind, game.take(unidirectional=True, count=2)[0])
        game.pass_on(arrival, data)
        expect(rule, f"{sent} on {KINDS[kind]}", BRUH, game.end())
        expect(rule, f"{sent}, then a request", GOES_ON, peer.http_outcome())


@pytest.mark.parametrize("rule, sent, data", rules(INCOMPLETE))
def test_an_incomplete_message_in_a_datagram_ends_the_session(
    server: Server, rule: str, sent: str, data: bytes
) -> None:
    """As on a stream."""
    with HTTP3Peer(server) as peer:
        game = Game(peer, "baton=20")
        game.next_baton(unidirectional=True)
        peer.send_datagram(http_datagram(game.session, data))
        expect(rule, f"a datagram: {sent.replace('FIN alone', 'nothing')}", BRUH, game.end())
        expect(rule, f"{sent} in a datagram, then a request", GOES_ON, peer.http_outcome())


@WAYS
@pytest.mark.parametrize("step", [0, 2, 255])
def test_a_baton_with_another_value_than_the_next_may_end_the_session(server: Server, kind: int, step: int) -> None:
    """draft-frindell-webtrans-devious-baton § 4.2: with SUS, and no other code; else it is taken as it is"""
    with HTTP3Peer(server) as peer:
        game = Game(peer, "baton=20")
        arrival, baton = game.until_it_is_to_go_on(kind)
        wrong = (baton + step) % 256
        _, came = game.reply(game.pass_on(arrival, message(wrong)))
        expect(f"{DRAFT} § 4.2", f"{wrong} after {baton} on {KINDS[kind]}", OneOf(wrong + 1, SUS),
               came if came == wrong + 1 else game.end())


# Datagrams


def test_a_datagram_is_the_same_message(server: Server) -> None:
    """draft-frindell-webtrans-devious-baton § 4.4: identical to that which the server has received"""
    for padding in (b"", b"padding", bytes(100)):
        with HTTP3Peer(server) as peer:
            game = Game(peer, "baton=20")
            arrival, _ = game.next_baton(unidirectional=True)
            received = message(21, padding)
            game.pass_on(arrival, received)
            peer.until(lambda: peer.closed or game.datagrams(), timeout=3)
            expect(f"{DRAFT} § 4.4", f"21 behind {len(padding)} bytes", [received], game.datagrams())


def test_a_datagram_is_small_whatever_the_message_was(server: Server) -> None:
    """draft-frindell-webtrans-devious-baton § 4.4: the padding is as short as must be"""
    with HTTP3Peer(server) as peer:
        game = Game(peer, "baton=20")
        arrival, _ = game.next_baton(unidirectional=True)
        _, came = game.reply(game.pass_on(arrival, message(21, bytes(100_000))))
        expect(f"{DRAFT} § 4.2", "21 behind 100,000 bytes", 22, came)
        peer.until(lambda: peer.closed or game.datagrams(), timeout=3)
        expect(f"{DRAFT} § 4.4", "21 behind 100,000 bytes", [21], [baton_of(datagram) for datagram in game.datagrams()])


def test_zero_too_comes_in_a_datagram(server: Server) -> None:
    """draft-frindell-webtrans-devious-baton § 4.4: it is 0 modulo 7"""
    with HTTP3Peer(server) as peer:
        game = Game(peer, "baton=255&count=2")
        arrival, _ = game.next_baton(unidirectional=True)
        game.pass_on(arrival, message(0))
        peer.until(lambda: peer.closed or game.datagrams(), timeout=3)
        expect(f"{DRAFT} § 4.4", "0, while another baton is on its way", [0],
               [baton_of(datagram) for datagram in game.datagrams()])


def test_datagrams_move_no_baton(server: Server) -> None:
    """draft-frindell-webtrans-devious-baton § 4.2, § 4.4: only what comes on a stream is passed on"""
    with HTTP3Peer(server) as peer:
        game = Game(peer, "baton=22")
        arrival, _ = game.next_baton(unidirectional=True)
        for padding in (b"", b"padding", bytes(500)):
            peer.send_datagram(http_datagram(game.session, message(22, padding)))
        expect(f"{DRAFT} § 4.4", "22 in three datagrams", True, game.is_open())
        expect(f"{DRAFT} § 4.4", "22 in three datagrams", ([], []), (game.surplus(), game.datagrams()))
        _, came = game.reply(game.pass_on(arrival, message(23)))
        expect(f"{DRAFT} § 4.2", "22 in three datagrams, then 23 on a stream", 24, came)


@pytest.mark.parametrize("baton", [0, 7, 250])
def test_a_datagram_that_nobody_owes_may_end_the_session(server: Server, baton: int) -> None:
    """draft-frindell-webtrans-devious-baton § 4.4, § 4.6: with SUS, and no other code"""
    with HTTP3Peer(server) as peer:
        game = Game(peer, "baton=20")
        game.next_baton(unidirectional=True)
        peer.send_datagram(http_datagram(game.session, message(baton)))
        expect(f"{DRAFT} § 4.4", f"{baton} in a datagram", OneOf(STAYS_OPEN, SUS),
               STAYS_OPEN if game.is_open() else game.end())


# What the URL asks for


REFUSED = [
    (f"{DRAFT} § 3.1 (version 1)", "version=1"),
    (f"{DRAFT} § 3.1 (version below 0)", "version=-1"),
    (f"{DRAFT} § 3.1 (no number as version)", "version=zero"),
    (f"{DRAFT} § 3.1 (no version)", "version="),
    (f"{DRAFT} § 3.1 (large version)", "version=18446744073709551616"),
    (f"{DRAFT} § 3.1 (baton 0)", "baton=0"),
    (f"{DRAFT} § 3.1 (baton 256)", "baton=256"),
    (f"{DRAFT} § 3.1 (baton below 0)", "baton=-1"),
    (f"{DRAFT} § 3.1 (no number as baton)", "baton=one"),
    (f"{DRAFT} § 3.1 (no whole number as baton)", "baton=1.5"),
    (f"{DRAFT} § 3.1 (no baton)", "baton="),
    (f"{DRAFT} § 3.1 (large baton)", "baton=18446744073709551617"),
    (f"{DRAFT} § 3.1 (count 0)", "count=0"),
    (f"{DRAFT} § 3.1 (count below 0)", "count=-1"),
    (f"{DRAFT} § 3.1 (no number as count)", "count=many"),
    (f"{DRAFT} § 3.1 (no count)", "count="),
    (f"{DRAFT} § 3.1 (large count)", "count=1000000000"),
    (f"{DRAFT} § 3.1 (larger count)", "count=18446744073709551617"),
    (f"{DRAFT} § 3.1 (one of three)", "version=0&baton=256&count=1"),
]


@pytest.mark.parametrize("rule, query", rules(REFUSED))
def test_what_the_server_does_not_play_is_refused(server: Server, rule: str, query: str) -> None:
    """With a status code of 4xx."""
    with HTTP3Peer(server) as peer:
        came = peer.answer(peer.request(headers(connect(f"{PATH}?{query}")), end=False))
        expect(rule, f"CONNECT with {query}", "4xx", f"{came // 100}xx" if isinstance(came, int) else str(came))
        expect(rule, f"CONNECT with {query}, then a request", GOES_ON, peer.http_outcome())


@pytest.mark.parametrize("query", ["", "version=0", "count=1", "version=0&count=1", "other=1"])
def test_without_a_baton_the_server_chooses_one(server: Server, query: str) -> None:
    """draft-frindell-webtrans-devious-baton § 3.1: one, between 1 and 255, at random; parameters may be left out"""
    batons = []
    for _ in range(8):
        with HTTP3Peer(server) as peer:
            game = Game(peer, query)
            batons += [game.baton_on(stream) for stream in game.take(unidirectional=True)]
            expect(f"{DRAFT} § 3.1", f"CONNECT with {query!r}", True, game.is_open())
            expect(f"{DRAFT} § 3.1", f"CONNECT with {query!r}: one baton", [], game.surplus())
    inside = [isinstance(baton, int) and 1 <= baton <= 255 for baton in batons]
    expect(f"{DRAFT} § 3.1", f"CONNECT with {query!r}, 8 times: {batons}", [True] * 8, inside)
    # By chance alone once in 2^56 runs.
    assert len(set(batons)) > 1


# Streams that are broken off


def begin_a_message(game: Game, count: int) -> tuple[int, list[int]]:
    """A stream on which the server has read some of a message and has yet to answer, and where the other batons are."""
    arrival, *others = game.take(unidirectional=True, count=count)
    stream = game.pass_on(arrival, message(246, b"padding")[:5], end=False)
    game.peer.settle()
    return stream, others


def break_off(game: Game, how: str, stream: int) -> None:
    """Takes the message back, or gives it and will not have the answer to it."""
    if how == "RESET_STREAM":
        game.peer.quic.reset_stream(stream, I_LIED)
    else:
        game.peer.quic.stop_stream(stream, IDC)
        game.peer.settle()
        game.peer.send(stream, message(246, b"padding")[5:], end=True)
    game.peer.transmit()


@pytest.mark.parametrize("how, code", [("RESET_STREAM", WHATEVER), ("STOP_SENDING", IDC)])
def test_a_stream_that_is_broken_off_is_reset(server: Server, how: str, code: int) -> None:
    """draft-frindell-webtrans-devious-baton § 4.6 wants WHATEVER. To STOP_SENDING QUIC answers by itself, with the code
    that it brings (RFC 9000 § 3.5)."""
    with HTTP3Peer(server) as peer:
        game = Game(peer, "baton=245&count=2")
        stream, _ = begin_a_message(game, count=2)
        break_off(game, how, stream)
        peer.until(lambda: peer.closed or peer.streams[stream].reset is not None, timeout=3)
        expect(f"{DRAFT} § 4.6", f"{how} on a stream that has no answer yet", Abort(code),
               peer.streams[stream].aborted or peer.silence)


@pytest.mark.parametrize("how", ["RESET_STREAM", "STOP_SENDING"])
@pytest.mark.parametrize("count", [1, 2])
def test_a_baton_whose_stream_is_broken_off_is_out_of_the_game(server: Server, count: int, how: str) -> None:
    """draft-frindell-webtrans-devious-baton § 4.5: the game goes on with the others, and ends without an error"""
    with HTTP3Peer(server) as peer:
        game = Game(peer, f"baton=245&count={count}")
        stream, others = begin_a_message(game, count)
        break_off(game, how, stream)
        for other in others:
            expect(f"{DRAFT} § 4.5", f"{how} for one of {count} batons", True, game.is_open())
            game.play_home(other, 245)
        expect(f"{DRAFT} § 4.5", f"{how} for one of {count} batons, the others are home", WITHOUT_ERROR, game.end())


@WAYS
def test_a_message_that_is_reset_is_out_of_the_game(server: Server, kind: int) -> None:
    """draft-frindell-webtrans-devious-baton § 4.5, § 4.6: only a stream that ends in order has to hold a message"""
    with HTTP3Peer(server) as peer:
        game = Game(peer, "baton=245&count=2")
        first, other = game.take(unidirectional=True, count=2)
        arrival, baton = game.until_it_is_to_go_on(kind, first)
        stream = game.pass_on(arrival, message(baton + 1, b"padding")[:5], end=False)
        peer.settle()
        peer.quic.reset_stream(stream, I_LIED)
        expect(f"{DRAFT} § 4.6", f"RESET_STREAM for a baton on {KINDS[kind]}", True, game.is_open())
        game.play_home(other, 245)
        sent = f"RESET_STREAM for a baton on {KINDS[kind]}, the other is home"
        expect(f"{DRAFT} § 4.5", sent, WITHOUT_ERROR, game.end())


# Places for streams


def test_without_places_for_its_streams_the_server_ends_the_session(server: Server) -> None:
    """draft-frindell-webtrans-devious-baton § 4.1, § 4.2: with DA_YAMN, for its first batons and for its replies"""
    def begin(parameters: dict[int, bytes], query: str) -> Game:
        return Game(peers.enter_context(HTTP3Peer(server, parameters=parameters)), query)

    def reply(game: Game, kind: int) -> Game:
        arrival, baton = game.until_it_is_to_go_on(kind)
        game.pass_on(arrival, message(baton + 1))
        return game

    # HTTP/3 has three unidirectional streams of its own. All wait at once, as the server may wait too.
    with ExitStack() as peers:
        games = [
            ("§ 4.1", "no place for a baton", begin({MAX_STREAMS_UNI: varint(3)}, "baton=20")),
            ("§ 4.1", "places for 2 of 5 batons", begin({MAX_STREAMS_UNI: varint(5)}, "baton=20&count=5")),
            ("§ 4.2", "no place for a unidirectional reply",
             reply(begin({MAX_STREAMS_UNI: varint(4)}, "baton=20"), SERVERS_BIDIRECTIONAL)),
            ("§ 4.2", "no place for a bidirectional reply",
             reply(begin({MAX_STREAMS_BIDI: varint(0)}, "baton=20"), CLIENTS_UNIDIRECTIONAL)),
        ]
        for section, sent, game in games:
            expect(f"{DRAFT} {section}", sent, DA_YAMN, game.end())
            expect(f"{DRAFT} {section}", f"{sent}, then a request", GOES_ON, game.peer.http_outcome())
