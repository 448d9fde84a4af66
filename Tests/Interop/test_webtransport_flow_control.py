"""Several sessions on one connection, and the limits of each (draft-ietf-webtrans-http3 § 5).

The checklist's numbers stand in brackets; NOT-APPLICABLE.md has those that are not here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aioquic.buffer import Buffer

from abuse import await_metric, exceeded, flood, metrics
from raw_http3 import CLIENT_SETTINGS, SESSION_GOES_ON, HTTP3Peer, capsule, close_capsule, connect, headers
from raw_quic import varint
from rules import GOES_ON, expect, http3_error, rules, stream_error
from server import Server

DRAFT = "draft-ietf-webtrans-http3"
MAX_SESSIONS_DRAFT_13, INITIAL_DATA, INITIAL_UNIDIRECTIONAL, INITIAL_BIDIRECTIONAL = 0x14E9CD29, 0x2B61, 0x2B64, 0x2B65
MAX_DATA, MAX_STREAMS_BIDI, MAX_STREAMS_UNI = 0x190B4D3D, 0x190B4D3F, 0x190B4D40
DATA_BLOCKED, STREAMS_BLOCKED_BIDI, STREAMS_BLOCKED_UNI = 0x190B4D41, 0x190B4D43, 0x190B4D44
FLOW_CONTROL = {MAX_DATA, MAX_STREAMS_BIDI, MAX_STREAMS_UNI, DATA_BLOCKED, STREAMS_BLOCKED_BIDI, STREAMS_BLOCKED_UNI}

FLOW_CONTROL_ERROR = stream_error("WT_FLOW_CONTROL_ERROR")
MESSAGE_ERROR = stream_error("H3_MESSAGE_ERROR")
REJECTED = stream_error("H3_REQUEST_REJECTED")
SESSION_GONE = stream_error("WT_SESSION_GONE")
SESSIONS = 3


def client_settings(data: int = 1 << 30, bidirectional: int = 1000, unidirectional: int = 1000) -> dict[int, int]:
    return CLIENT_SETTINGS | {
        INITIAL_DATA: data, INITIAL_BIDIRECTIONAL: bidirectional, INITIAL_UNIDIRECTIONAL: unidirectional,
    }


GENEROUS = client_settings()
# What /echo reads it cannot send back, and so it soon reads no more.
STINGY = client_settings(data=1)


@pytest.fixture(scope="module")
def shared(apus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that takes three sessions on a connection."""
    running = Server.start(tmp_path_factory.mktemp("shared"), "--sessions-per-connection", str(SESSIONS))
    yield running
    assert running.is_running, "the server did not survive the tests"
    running.stop()


def limit(kind: int, value: int) -> bytes:
    return capsule(kind, varint(value))


def messages(peer: HTTP3Peer, session: int) -> list[tuple[int, int]]:
    """The capsules of flow control that have come, by kind and value."""
    return [
        (kind, Buffer(data=payload).pull_uint_var())
        for kind, payload in peer.capsules(session) if kind in FLOW_CONTROL
    ]


def values(peer: HTTP3Peer, session: int, kind: int) -> list[int]:
    return [value for came, value in messages(peer, session) if came == kind]


# Sessions


def test_several_sessions_are_offered_with_limits(shared: Server) -> None:
    """draft-16 § 5.1, § 5.5 [39]; what Chromium wants to be exactly 1 stays so, and iOS wants limits with a number"""
    with HTTP3Peer(shared) as peer:
        settings = peer.settings()
        assert [settings[identifier] for identifier in (0x08, 0x33, 0x2B603742, 0xC671706A)] == [1, 1, 1, 1]
        assert settings[MAX_SESSIONS_DRAFT_13] == SESSIONS
        assert all(settings[kind] > 0 for kind in (INITIAL_DATA, INITIAL_UNIDIRECTIONAL, INITIAL_BIDIRECTIONAL))


def test_as_many_sessions_begin_as_were_offered(shared: Server) -> None:
    """draft-14 § 5.2 [12]: one more is rejected, harms none, and takes a place that becomes free"""
    with HTTP3Peer(shared, settings=GENEROUS) as peer:
        sessions = [peer.session() for _ in range(SESSIONS)]
        early = peer.new_stream()
        stray = peer.wt_stream(early, b"x")
        peer.send(early, headers(connect()))
        expect(f"{DRAFT} § 5.2", "one session too many", REJECTED, peer.answer(early))
        expect(f"{DRAFT} § 4.6", "a stream of it", SESSION_GONE, peer.stream_outcome(stray))
        for session in sessions:
            expect(f"{DRAFT} § 5.2", "one session too many", SESSION_GOES_ON, peer.session_outcome(session))
        peer.send_capsules(sessions[0], close_capsule(0), end=True)
        peer.until(lambda: peer.streams[sessions[0]].is_finished)
        expect(f"{DRAFT} § 5.2", "a session in place of another", SESSION_GOES_ON,
               peer.session_outcome(peer.session()))


def test_each_session_has_its_own_streams_and_ends_for_itself(shared: Server) -> None:
    """draft-16 § 4, § 6: the connection ends with the last one [35]"""
    with HTTP3Peer(shared, settings=GENEROUS) as peer:
        first, second = peer.session(), peer.session()
        streams = {session: peer.wt_stream(session, b"open") for session in (first, second)}
        peer.until(lambda: all(peer.streams[stream].data == b"open" for stream in streams.values()))
        peer.send_capsules(first, close_capsule(7), end=True)
        expect(f"{DRAFT} § 6", "the end of one session", SESSION_GONE, peer.stream_outcome(streams[first]))
        expect(f"{DRAFT} § 6", "the end of one session", SESSION_GOES_ON, peer.session_outcome(second))
        assert peer.streams[streams[second]].aborted is None
        # Longer than a connection without a session is kept.
        peer.until(lambda: peer.closed, timeout=6)
        expect(f"{DRAFT} § 6", "the end of one session", SESSION_GOES_ON, peer.session_outcome(second))
        peer.send(second, end=True)
        peer.until(lambda: peer.closed)
        expect("RFC 9114 § 5.1", "the end of the last session", http3_error("H3_NO_ERROR"), peer.closed)


def test_without_limits_of_the_client_there_is_one_session(shared: Server) -> None:
    """draft-16 § 5.1 [12, 39]: and then no limits, and no capsules"""
    with HTTP3Peer(shared) as peer:
        session = peer.session()
        expect(f"{DRAFT} § 5.1", "a second CONNECT", REJECTED,
               peer.answer(peer.request(headers(connect()), end=False)))
        for kind in FLOW_CONTROL:
            peer.send_capsules(session, limit(kind, 0) + limit(kind, (1 << 60) + 1) + capsule(kind))
        expect(f"{DRAFT} § 5.1", "capsules of flow control, none of them sound", SESSION_GOES_ON,
               peer.session_outcome(session))
        count = peer.settings()[INITIAL_BIDIRECTIONAL] + 1
        streams = [peer.wt_stream(session, b"x") for _ in range(count)]
        peer.until(lambda: all(peer.streams[stream].data for stream in streams))
        expect(f"{DRAFT} § 5.1", f"{count} streams", SESSION_GOES_ON, peer.session_outcome(session))
        assert messages(peer, session) == []


def test_a_client_with_limits_gets_all_credit_from_a_server_without(server: Server) -> None:
    """draft-16 § 5.1: it must ignore the capsules; Safari is reported to need them"""
    everything = [(MAX_DATA, (1 << 62) - 1), (MAX_STREAMS_BIDI, 1 << 60), (MAX_STREAMS_UNI, 1 << 60)]
    with HTTP3Peer(server, settings=GENEROUS) as peer:
        session = peer.session()
        expect(f"{DRAFT} § 5.1", "SETTINGS with limits", SESSION_GOES_ON, peer.session_outcome(session))
        peer.until(lambda: len(messages(peer, session)) == len(everything))
        assert messages(peer, session) == everything
        expect(f"{DRAFT} § 5.1", "a second CONNECT", REJECTED,
               peer.answer(peer.request(headers(connect()), end=False)))
    with HTTP3Peer(server) as peer:
        session = peer.session()
        expect(f"{DRAFT} § 5.1", "SETTINGS without limits", SESSION_GOES_ON, peer.session_outcome(session))
        assert peer.capsules(session) == []


# What the client sends


def fill(peer: HTTP3Peer, session: int) -> list[int]:
    """Sends as much data as the session may send unread, to /echo that cannot send it back."""
    size = peer.settings()[INITIAL_DATA]
    streams = [peer.wt_stream(session) for _ in range(4)]
    for number, stream in enumerate(streams):
        peer.send(stream, bytes(size // 4 + (size % 4 if number == 0 else 0)))
    assert peer.until(lambda: all(peer.is_acknowledged(stream) for stream in streams))
    return streams


def test_data_up_to_the_limit_is_taken_and_a_byte_more_ends_the_session(shared: Server) -> None:
    """draft-16 § 5.4, § 5.6.4 [40]: bodies count, headers do not"""
    with HTTP3Peer(shared, settings=STINGY) as peer:
        session, other = peer.session(), peer.session()
        streams = fill(peer, session)
        expect(f"{DRAFT} § 5.4", "as much data as is allowed", SESSION_GOES_ON, peer.session_outcome(session))
        assert values(peer, session, MAX_DATA) == []
        peer.send(streams[0], b"x")
        expect(f"{DRAFT} § 5.6.4", "a byte more", FLOW_CONTROL_ERROR, peer.stream_outcome(session))
        expect(f"{DRAFT} § 6", "a byte more", SESSION_GONE, peer.stream_outcome(streams[1]))
        expect(f"{DRAFT} § 5.6.4", "a byte more", SESSION_GOES_ON, peer.session_outcome(other))


def test_a_session_that_is_full_stops_no_other(shared: Server) -> None:
    """draft-16 § 8: each session has its share"""
    with HTTP3Peer(shared, settings=STINGY) as peer:
        session, other = peer.session(), peer.session()
        fill(peer, session)
        peer.send_capsules(other, limit(MAX_DATA, 1 << 30))
        # More than the limit of a session, in streams within it.
        sent = bytes(range(256)) * (1 << 11)
        for _ in range(peer.settings()[INITIAL_DATA] // len(sent) + 1):
            stream = peer.wt_stream(other, sent, end=True)
            peer.until(lambda: peer.closed or peer.streams[stream].is_finished, timeout=60)
            assert peer.streams[stream].data == sent
        expect(f"{DRAFT} § 8", "data that is not read", SESSION_GOES_ON, peer.session_outcome(session))


@pytest.mark.parametrize("kind", ["bidirectional", "unidirectional"])
def test_streams_up_to_the_limit_are_taken_and_one_more_ends_the_session(shared: Server, kind: str) -> None:
    """draft-16 § 5.3, § 5.6.2 [40]"""
    unidirectional = kind == "unidirectional"
    with HTTP3Peer(shared, settings=GENEROUS) as peer:
        session, other = peer.session(), peer.session()
        count = peer.settings()[INITIAL_UNIDIRECTIONAL if unidirectional else INITIAL_BIDIRECTIONAL]
        for _ in range(count):
            peer.wt_stream(session, b"x", unidirectional=unidirectional)
        expect(f"{DRAFT} § 5.3", f"{count} {kind} streams", SESSION_GOES_ON, peer.session_outcome(session))
        peer.wt_stream(session, b"x", unidirectional=unidirectional)
        expect(f"{DRAFT} § 5.6.2", f"one {kind} stream more", FLOW_CONTROL_ERROR, peer.stream_outcome(session))
        expect(f"{DRAFT} § 5.6.2", f"one {kind} stream more", SESSION_GOES_ON, peer.session_outcome(other))


def test_closed_streams_count(shared: Server) -> None:
    """draft-16 § 5.6.2 [40]"""
    with HTTP3Peer(shared, settings=GENEROUS) as peer:
        session = peer.session()
        count = peer.settings()[INITIAL_BIDIRECTIONAL]
        # Fewer than for which new credit comes.
        closed = [peer.wt_stream(session, b"x", end=True) for _ in range(count // 2 - 2)]
        peer.until(lambda: all(peer.streams[stream].is_finished for stream in closed))
        for _ in range(count - len(closed)):
            peer.wt_stream(session, b"x")
        expect(f"{DRAFT} § 5.6.2", f"{count} streams, of which many have closed", SESSION_GOES_ON,
               peer.session_outcome(session))
        peer.wt_stream(session, b"x")
        expect(f"{DRAFT} § 5.6.2", "one stream more", FLOW_CONTROL_ERROR, peer.stream_outcome(session))


def test_early_streams_count(shared: Server) -> None:
    """draft-16 § 4.6, § 5.6.4 [17, 40]: what overtook its CONNECT is of the session all the same"""
    with HTTP3Peer(shared, settings=STINGY) as peer:
        session = peer.new_stream()
        size = peer.settings()[INITIAL_DATA]
        stream = peer.wt_stream(session, bytes(size // 2))
        assert peer.until(lambda: peer.is_acknowledged(stream))
        peer.send(session, headers(connect()))
        expect(f"{DRAFT} § 4.6", "a stream, then CONNECT", 200, peer.answer(session))
        second = peer.wt_stream(session, bytes(size - size // 2))
        assert peer.until(lambda: peer.is_acknowledged(second))
        expect(f"{DRAFT} § 5.6.4", "as much as is allowed", SESSION_GOES_ON, peer.session_outcome(session))
        peer.send(stream, b"x")
        expect(f"{DRAFT} § 5.6.4", "a byte more", FLOW_CONTROL_ERROR, peer.stream_outcome(session))


def test_credit_comes_without_being_asked_for(shared: Server) -> None:
    """draft-16 § 5.6 [41]: as data is consumed and streams close, and it rises every time"""
    with HTTP3Peer(shared, settings=GENEROUS) as peer:
        session = peer.session()
        size, count = peer.settings()[INITIAL_DATA], peer.settings()[INITIAL_BIDIRECTIONAL]
        for number in range(1, 4 * size // (1 << 18) + 1):
            stream = peer.wt_stream(session, bytes(1 << 18), end=True)
            peer.until(lambda: peer.closed or len(peer.streams[stream].data) == 1 << 18)
            if number * 2 >= count:
                break
        for _ in range(count):
            stream = peer.wt_stream(session, b"x", end=True)
            peer.until(lambda: peer.closed or peer.streams[stream].is_finished)
        expect(f"{DRAFT} § 5.6", "four times the limit", SESSION_GOES_ON, peer.session_outcome(session))
        for kind, initial in ((MAX_DATA, size), (MAX_STREAMS_BIDI, count)):
            came = [initial, *values(peer, session, kind)]
            assert len(came) > 2
            assert came == sorted(set(came)), f"limits that do not rise: {came}"


# What the server sends


def test_the_server_sends_no_more_than_the_client_allows(shared: Server) -> None:
    """draft-16 § 5.4, § 5.6.4, § 5.6.5 [40]: over all streams, and it says once that it waits"""
    with HTTP3Peer(shared, settings=client_settings(data=1000)) as peer:
        session = peer.session()
        streams = [peer.wt_stream(session, b"x" * 700, end=True) for _ in range(3)]

        def received() -> int:
            return sum(len(peer.streams[stream].data) for stream in streams)

        expected = 1000
        for allowed in (1000, 1500, 1501):
            if allowed > 1000:
                peer.send_capsules(session, limit(MAX_DATA, allowed))
            expected = allowed
            peer.until(lambda: received() >= expected and expected in values(peer, session, DATA_BLOCKED))
            peer.settle()
            expect(f"{DRAFT} § 5.6.4", f"a limit of {allowed} bytes", allowed, received())
        assert values(peer, session, DATA_BLOCKED) == [1000, 1500, 1501]
        peer.send_capsules(session, limit(MAX_DATA, 2100))
        peer.until(lambda: all(peer.streams[stream].is_finished for stream in streams))
        expect(f"{DRAFT} § 5.6.4", "a limit of all there is", 2100, received())
        expect(f"{DRAFT} § 5.6.4", "a limit of all there is", SESSION_GOES_ON, peer.session_outcome(session))


@pytest.mark.parametrize("unidirectional", [True, False], ids=["unidirectional", "bidirectional"])
def test_the_server_opens_no_more_streams_than_the_client_allows(shared: Server, unidirectional: bool) -> None:
    """draft-16 § 5.3, § 5.6.2, § 5.6.3 [40]"""
    raise_limit, blocked = (
        (MAX_STREAMS_UNI, STREAMS_BLOCKED_UNI) if unidirectional else (MAX_STREAMS_BIDI, STREAMS_BLOCKED_BIDI)
    )
    # The endpoint opens one of each kind in turn.
    settings = client_settings(**{"unidirectional" if unidirectional else "bidirectional": 2})
    with HTTP3Peer(shared, settings=settings) as peer:
        session = peer.session("/test/streams?count=5")
        # HTTP/3 has 3, 7 and 11.
        first, kind = (15, 3) if unidirectional else (1, 1)

        def opened() -> int:
            return len([number for number in peer.streams if number % 4 == kind and number >= first])

        peer.until(lambda: 2 in values(peer, session, blocked))
        peer.settle()
        expect(f"{DRAFT} § 5.6.2", "a limit of 2 streams", 2, opened())
        peer.send_capsules(session, limit(raise_limit, 3))
        peer.until(lambda: 3 in values(peer, session, blocked))
        peer.settle()
        expect(f"{DRAFT} § 5.6.2", "a limit of 3 streams", 3, opened())
        assert values(peer, session, blocked) == [2, 3]
        peer.send_capsules(session, limit(raise_limit, 1 << 60))
        peer.until(lambda: opened() == 5)
        expect(f"{DRAFT} § 5.6.2", "a limit of 2^60 streams", 5, opened())


# Capsules


BROKEN = [
    (f"{DRAFT} § 5.6.4 (equal)", "WT_MAX_DATA with the value that holds", limit(MAX_DATA, 1000)),
    (f"{DRAFT} § 5.6.4 (less)", "WT_MAX_DATA that falls", limit(MAX_DATA, 2000) + limit(MAX_DATA, 1999)),
    (f"{DRAFT} § 5.6.4 (zero)", "WT_MAX_DATA of 0", limit(MAX_DATA, 0)),
    (f"{DRAFT} § 5.6.2 (equal)", "WT_MAX_STREAMS with the value that holds", limit(MAX_STREAMS_BIDI, 10)),
    (f"{DRAFT} § 5.6.2 (equal, one way)", "WT_MAX_STREAMS with the value that holds", limit(MAX_STREAMS_UNI, 10)),
    (f"{DRAFT} § 5.6.2 (less)", "WT_MAX_STREAMS that falls",
     limit(MAX_STREAMS_UNI, 20) + limit(MAX_STREAMS_UNI, 19)),
    (f"{DRAFT} § 5.6.2 (beyond 2^60)", "WT_MAX_STREAMS of 2^60 + 1", limit(MAX_STREAMS_BIDI, (1 << 60) + 1)),
    (f"{DRAFT} § 5.6.2 (beyond 2^60, one way)", "WT_MAX_STREAMS of 2^62 - 1",
     limit(MAX_STREAMS_UNI, (1 << 62) - 1)),
    (f"{DRAFT} § 5.6.3 (beyond 2^60)", "WT_STREAMS_BLOCKED of 2^60 + 1", limit(STREAMS_BLOCKED_BIDI, (1 << 60) + 1)),
    (f"{DRAFT} § 5.6.3 (beyond 2^60, one way)", "WT_STREAMS_BLOCKED of 2^60 + 1",
     limit(STREAMS_BLOCKED_UNI, (1 << 60) + 1)),
]


@pytest.mark.parametrize("rule, sent, data", rules(BROKEN))
def test_an_impossible_limit_ends_the_session(shared: Server, rule: str, sent: str, data: bytes) -> None:
    """[41]: with WT_FLOW_CONTROL_ERROR, and no other"""
    with HTTP3Peer(shared, settings=client_settings(data=1000, bidirectional=10, unidirectional=10)) as peer:
        session, other = peer.session(), peer.session()
        peer.send_capsules(session, data)
        expect(rule, sent, FLOW_CONTROL_ERROR, peer.stream_outcome(session))
        expect(rule, sent, SESSION_GOES_ON, peer.session_outcome(other))
        expect(rule, sent, GOES_ON, peer.http_outcome())


SOUND = [
    (f"{DRAFT} § 5.6.4", "the largest WT_MAX_DATA", limit(MAX_DATA, (1 << 62) - 1)),
    (f"{DRAFT} § 5.6.2", "the largest WT_MAX_STREAMS", limit(MAX_STREAMS_BIDI, 1 << 60)),
    (f"{DRAFT} § 5.6.3", "the largest WT_STREAMS_BLOCKED", limit(STREAMS_BLOCKED_UNI, 1 << 60)),
    (f"{DRAFT} § 5.6.5", "WT_DATA_BLOCKED at many limits",
     b"".join(limit(DATA_BLOCKED, value) for value in (0, 1, 1 << 20, 1 << 21, 1 << 21, (1 << 62) - 1))),
]


@pytest.mark.parametrize("rule, sent, data", rules(SOUND))
def test_a_possible_limit_is_taken(shared: Server, rule: str, sent: str, data: bytes) -> None:
    """[41]; who says that it waits gets nothing for it that it would not have got"""
    with HTTP3Peer(shared, settings=client_settings(data=1000, bidirectional=10, unidirectional=10)) as peer:
        session = peer.session()
        peer.send_capsules(session, data)
        expect(rule, sent, SESSION_GOES_ON, peer.session_outcome(session))
        assert messages(peer, session) == []


@pytest.mark.parametrize("payload", [b"", b"\x40", b"\x01\x02"], ids=["empty", "cut short", "too long"])
def test_a_capsule_that_is_not_one_integer_is_malformed(shared: Server, payload: bytes) -> None:
    """RFC 9297 § 3.3 [41]"""
    with HTTP3Peer(shared, settings=GENEROUS) as peer:
        for kind in sorted(FLOW_CONTROL):
            session = peer.session()
            peer.send_capsules(session, capsule(kind, payload))
            expect("RFC 9297 § 3.3", f"capsule {kind:#x} with {payload!r}", MESSAGE_ERROR,
                   peer.stream_outcome(session))


def rising(kind: int) -> Callable[[int], bytes]:
    return lambda number: limit(kind, (1 << 40) + number)


def repeated(kind: int) -> Callable[[int], bytes]:
    return lambda _: limit(kind, 1)


FLOODS = {
    "WT_MAX_DATA that rises": rising(MAX_DATA),
    "WT_MAX_STREAMS that rises": rising(MAX_STREAMS_BIDI),
    "WT_DATA_BLOCKED": repeated(DATA_BLOCKED),
    "WT_STREAMS_BLOCKED": repeated(STREAMS_BLOCKED_UNI),
}


@pytest.mark.parametrize("make", FLOODS.values(), ids=FLOODS)
def test_a_flood_of_limits_ends_the_connection(shared: Server, make: Callable[[int], bytes]) -> None:
    """RFC 9114 § 10.5 [38, 41]: a new limit for each of many short streams is in order, and so are a thousand a second"""
    series = exceeded("capsules")
    before = metrics(shared)[series]
    with HTTP3Peer(shared, settings=GENEROUS) as peer:
        session = peer.session()
        numbers = itertools.count()

        def step() -> None:
            peer.send_capsules(session, b"".join(make(next(numbers)) for _ in range(2000)))

        outcome = flood(shared, peer, step, steps=60)
    expect("RFC 9114 § 10.5", "capsules without end", http3_error("H3_EXCESSIVE_LOAD"), outcome.closed)
    assert outcome.growth < 4_000
    assert await_metric(shared, series, lambda count: count > before) == before + 1
