"""`apus interop` as server, as quic-interop-runner's contract for WebTransport has it (its webtransport.md).

Whoever asks for a file sends `GET name` on a stream that it then closes, or in a datagram. On a bidirectional stream
the file comes back on the same one; else it comes behind `PUSH name` and a line feed, on a new unidirectional stream or
in a datagram.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from interop_session import CONTRACT, Session, expect_files, saved
from raw_http3 import CLIENT_SETTINGS, HTTP3Peer
from raw_quic import TIMEOUT
from rules import GOES_ON, Abort, expect
from server import Server, first_line
from test_interop_runner import SIZES, Side, certs  # noqa: F401: pytest looks for fixtures by their names

GETTING, PUSHING = f"{CONTRACT} (client asks)", f"{CONTRACT} (server asks)"
WAYS = ["bidirectional", "unidirectional", "datagram"]
# Limits of a session's own, without which a client may have but one on a connection.
SESSION_LIMITS = CLIENT_SETTINGS | {0x2B61: 1 << 30, 0x2B64: 1000, 0x2B65: 1000}


@pytest.fixture
def side(apus: Path, tmp_path: Path, certs: Path) -> Side:  # noqa: F811
    return Side(apus, tmp_path, certs, "server")


Start = Callable[..., Server]


@pytest.fixture
def start(side: Side) -> Iterator[Start]:
    """Starts the server for a test case."""
    running: list[Server] = []

    def run(case: str, requests: list[str] = (), protocols: str = "") -> Server:
        process = side.start(case, requests, protocols)
        try:
            ready = json.loads(first_line(process, side.log))
        except BaseException:
            process.kill()
            process.wait()
            raise
        running.append(Server(process, ready["port"], http_port=0, sha256=""))
        return running[-1]

    yield run
    survivors = [server.is_running for server in running]
    for server in running:
        server.stop()
    assert all(survivors), "the server did not survive the test"
    assert [server.process.returncode for server in running] == [0] * len(running)


# The handshake


PROTOCOLS = [
    ('"b", "a"', "a b", "b"), ('"x", "a", "b"', "b a", "a"), ('"x"', "a b", None), ('"a"', "", None), (None, "a", None),
]


@pytest.mark.parametrize("offer, known, agreed", PROTOCOLS)
def test_the_clients_first_protocol_that_the_server_knows_is_agreed_on(
    side: Side, start: Start, offer: str | None, known: str, agreed: str | None
) -> None:
    """quic-interop-runner, webtransport.md (handshake) [10]: told to the client, and in negotiated_protocol.txt"""
    (side.www / "endpoint").mkdir()
    with HTTP3Peer(start("handshake", protocols=known)) as peer:
        more = [] if offer is None else [("wt-available-protocols", offer)]
        session = Session(peer, "/endpoint", *more)
        sent = f"WT-Available-Protocols: {offer} to a server of {known!r}"
        told = peer.message(session.number).fields.get("wt-protocol")
        expect(f"{CONTRACT} (handshake)", sent, None if agreed is None else f'"{agreed}"', told)
        if agreed is not None:
            written = side.downloads / "negotiated_protocol.txt"
            peer.until(lambda: peer.closed or written.exists() and written.read_text())
            came = written.read_text().strip() if written.exists() else "no file"
            expect(f"{CONTRACT} (handshake)", sent, agreed, came)


@pytest.mark.parametrize("path", ["/endpoint", "/endpoint/"])
def test_an_endpoint_without_files_takes_a_session(side: Side, start: Start, path: str) -> None:
    """quic-interop-runner, webtransport.md (running a server): the server itself asks for nothing"""
    (side.www / "endpoint").mkdir()
    with HTTP3Peer(start("transfer")) as peer:
        session = Session(peer, path)
        expect(CONTRACT, f"CONNECT for {path}", GOES_ON, peer.connection_outcome())
        came = {**session.streams(True), **session.streams(False)}
        expect(CONTRACT, f"CONNECT for {path}", ({}, []), (came, session.datagrams()))
        assert not peer.streams[session.number].is_finished


# The client asks


@pytest.mark.parametrize("way", WAYS)
def test_files_that_the_client_asks_for_come_whole(side: Side, start: Start, way: str) -> None:
    """quic-interop-runner, webtransport.md (using streams, using datagrams) [27]: all are asked for at once"""
    files = side.give("one", SIZES[way])
    with HTTP3Peer(start("transfer")) as peer:
        session = Session(peer, "/one")
        for name in files:
            session.ask(way, name)
        expect_files(GETTING, f"GET for {len(files)} files, {way}", files, session.await_files(way, len(files)))
        if way == "bidirectional":
            expect(GETTING, "GET on bidirectional streams alone", {}, session.streams(unidirectional=True))
        expect(GETTING, f"GET, {way}", {}, session.streams(unidirectional=False))
        expect(GETTING, f"GET, {way}", 0 if way != "datagram" else len(files), len(session.datagrams()))


def test_every_way_serves_one_session(side: Side, start: Start) -> None:
    """quic-interop-runner, webtransport.md (transfer): to each request the answer that its way has"""
    files = side.give("one", [900])
    ((name, content),) = files.items()
    with HTTP3Peer(start("transfer")) as peer:
        session = Session(peer, "/one")
        for way in WAYS:
            session.asked.clear()
            session.ask(way, name)
            expect_files(GETTING, f"GET, {way}, after other ways", files, session.await_files(way, 1))
        expect(GETTING, "GET in every way", [f"PUSH {name}\n".encode() + content] * 2,
               [*session.streams(unidirectional=True).values(), *session.datagrams()])


@pytest.mark.parametrize("way", ["bidirectional", "unidirectional"])
def test_a_request_may_come_byte_by_byte(side: Side, start: Start, way: str) -> None:
    """quic-interop-runner, webtransport.md (using streams): it ends where its stream does, and no name before that"""
    files = side.give("one", [100, 200])
    (side.www / "one" / "file").write_bytes(b"another's")
    with HTTP3Peer(start("transfer")) as peer:
        session = Session(peer, "/one")
        stream = session.asked["file0.bin"] = peer.wt_stream(session.number, unidirectional=way == "unidirectional")
        for byte in b"GET file0.bin":
            peer.send(stream, bytes([byte]))
            # Else the server might read several at once.
            peer.settle()
        expect(GETTING, f"GET without its end, {way}", {}, session.came(way))
        peer.send(stream, end=True)
        del files["file1.bin"]
        expect_files(GETTING, f"GET byte by byte, {way}", files, session.await_files(way, 1))


@pytest.mark.parametrize("way", WAYS)
def test_a_missing_file_is_not_given_and_harms_no_other(side: Side, start: Start, way: str) -> None:
    """quic-interop-runner, webtransport.md: it has no word for that. An empty file is another thing than none, and so
    a bidirectional stream does not end in order; in the other ways nothing comes."""
    files = side.give("one", [500, 0])
    with HTTP3Peer(start("transfer")) as peer:
        session = Session(peer, "/one")
        for name in ("nothing.bin", *files):
            session.ask(way, name)
        expect_files(GETTING, f"GET nothing.bin and others, {way}", files, session.await_files(way, len(files)))
        peer.settle()
        if way == "bidirectional":
            outcome = peer.stream_outcome(session.asked["nothing.bin"])
            came = "an abort" if isinstance(outcome, Abort) else outcome
            expect(GETTING, "GET nothing.bin, bidirectional", "an abort", came)
        expect_files(GETTING, f"GET nothing.bin and others, {way}", files, session.came(way))
        session.ask(way, "nothing.bin")
        expect(GETTING, f"GET nothing.bin, {way}, then a request", GOES_ON, peer.connection_outcome())
        assert not peer.streams[session.number].is_finished


ELSEWHERE = [
    "../two/secret", "../../certs/priv.key", "..", ".", "", "/etc/hostname", "%2e%2e/two/secret", "..\\two\\secret",
    "link/../../two/secret", "../one/../two/secret", "\0", "two/secret",
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ELSEWHERE, ids=ascii)
def test_only_files_of_the_sessions_endpoint_are_given(side: Side, start: Start, way: str, name: str) -> None:
    """quic-interop-runner, webtransport.md (requesting files): those in /www/endpoint/"""
    files = side.give("one", [300])
    side.give("two", [10])
    (side.www / "two" / "secret").write_bytes(b"secret")
    with HTTP3Peer(start("transfer")) as peer:
        session = Session(peer, "/one")
        session.ask(way, name)
        peer.settle()
        session.ask(way, "file0.bin")
        peer.until(lambda: peer.closed or "file0.bin" in session.came(way))
        peer.settle()
        expect_files(GETTING, f"GET {name!r} and another, {way}", files, session.came(way))


def test_the_same_name_under_two_endpoints_is_two_files(side: Side, start: Start) -> None:
    """quic-interop-runner, webtransport.md (requesting files): on connections of their own"""
    files = {endpoint: side.give(endpoint, [size]) for endpoint, size in [("one", 1000), ("two", 2000)]}
    running = start("transfer")
    for endpoint, expected in files.items():
        with HTTP3Peer(running) as peer:
            session = Session(peer, f"/{endpoint}")
            session.ask("bidirectional", "file0.bin")
            expect_files(GETTING, f"GET file0.bin of {endpoint}", expected, session.await_files("bidirectional", 1))


def test_sessions_share_one_connection(side: Side, start: Start) -> None:
    """quic-interop-runner, webtransport.md (running a server, requesting files): in parallel, none has another one"""
    files = {endpoint: side.give(endpoint, [size]) for endpoint, size in [("one", 1000), ("two", 2000)]}
    with HTTP3Peer(start("transfer"), settings=SESSION_LIMITS) as peer:
        first = Session(peer, "/one")
        second = Session(peer, "/two", rule=f"{CONTRACT} (requesting files)")
        for session, expected in ((first, files["one"]), (second, files["two"])):
            session.ask("bidirectional", "file0.bin")
            expect_files(GETTING, "GET in two sessions", expected, session.await_files("bidirectional", 1))


# The server asks


def requests_of(endpoint: str, names: object) -> list[str]:
    return [f"{endpoint}/{name}" for name in names]


@pytest.mark.parametrize("way", ["bidirectional", "unidirectional"])
def test_the_server_asks_for_all_at_once_and_saves_what_comes(
    side: Side, start: Start, tmp_path: Path, certs: Path, way: str  # noqa: F811
) -> None:
    """quic-interop-runner, webtransport.md (using streams) [14]: a stream each, which it closes"""
    files = Side(side.apus, tmp_path, certs, "client").give("one", SIZES[way])
    with HTTP3Peer(start(f"transfer-{way}-send", requests_of("one", files))) as peer:
        session = Session(peer, "/one")
        peer.until(lambda: peer.closed or len(session.requests(way)) >= len(files))
        asked = session.requests(way)
        sent = f"CONNECT, REQUESTS of {len(files)} files, {way}"
        expect(PUSHING, sent, sorted(f"GET {name}".encode() for name in files), sorted(asked.values()))
        other = session.requests("unidirectional" if way == "bidirectional" else "bidirectional")
        expect(PUSHING, sent, ({}, []), (other, session.datagrams()))
        # The last that was asked for is the first to come.
        for stream, request in sorted(asked.items(), reverse=True):
            name = request.decode().removeprefix("GET ")
            session.give(way, name, files[name], stream)
        peer.until(lambda: peer.closed or saved(side, "one", files) == files, timeout=2 * TIMEOUT)
        expect_files(PUSHING, f"{len(files)} files, {way}", files, side.got("one"))


def test_the_server_asks_in_datagrams_and_saves_what_comes(
    side: Side, start: Start, tmp_path: Path, certs: Path  # noqa: F811
) -> None:
    """quic-interop-runner, webtransport.md (using datagrams) [27]: it may ask again, as datagrams may be lost"""
    files = Side(side.apus, tmp_path, certs, "client").give("one", SIZES["datagram"])
    with HTTP3Peer(start("transfer-datagram-send", requests_of("one", files))) as peer:
        session = Session(peer, "/one")
        given: set[str] = set()

        def is_done() -> bool:
            for request in session.requests("datagram").values():
                word, _, name = request.decode().partition(" ")
                expect(PUSHING, "CONNECT, REQUESTS, datagram", ("GET", True), (word, name in files))
                if name not in given:
                    given.add(name)
                    session.give("datagram", name, files[name])
            return peer.closed is not None or len(given) == len(files) and saved(side, "one", files) == files

        peer.until(is_done, timeout=2 * TIMEOUT)
        expect(PUSHING, "CONNECT, REQUESTS, datagram", set(files), given)
        expect(PUSHING, "no stream", ({}, {}), (session.streams(True), session.streams(False)))
        expect_files(PUSHING, "200 files in datagrams", files, side.got("one"))


def test_the_server_asks_each_session_for_its_endpoints_files(side: Side, start: Start) -> None:
    """quic-interop-runner, webtransport.md (requesting files): and waits for a session on it"""
    running = start("transfer-bidirectional-send", ["one/a.bin", "two/b.bin", "two/c.bin"])
    for endpoint, names in (("two", ["b.bin", "c.bin"]), ("one", ["a.bin"])):
        with HTTP3Peer(running) as peer:
            session = Session(peer, f"/{endpoint}")
            peer.until(lambda: peer.closed or len(session.requests("bidirectional")) >= len(names))  # noqa: B023
            peer.settle()
            asked = session.requests("bidirectional")
            expected = [f"GET {name}".encode() for name in names]
            expect(PUSHING, f"CONNECT for {endpoint}", expected, sorted(asked.values()))
            files = {name: f"{name} of {endpoint}".encode() for name in names}
            for stream, request in asked.items():
                session.give("bidirectional", "", files[request.decode().removeprefix("GET ")], stream)
            peer.until(lambda: peer.closed or saved(side, endpoint, files) == files)  # noqa: B023
            expect_files(PUSHING, f"files of {endpoint}", files, side.got(endpoint))


def test_a_push_may_come_byte_by_byte(side: Side, start: Start) -> None:
    """quic-interop-runner, webtransport.md (using unidirectional streams): its line ends at the first line feed"""
    files = {"a.bin": b"\nPUSH b.bin\n\n"}
    with HTTP3Peer(start("transfer-unidirectional-send", ["one/a.bin"])) as peer:
        session = Session(peer, "/one")
        peer.until(lambda: peer.closed or session.requests("unidirectional"))
        stream = peer.wt_stream(session.number, unidirectional=True)
        for byte in b"PUSH a.bin\n" + files["a.bin"]:
            peer.send(stream, bytes([byte]))
            # Else the server might read several at once.
            peer.settle()
        expect_files(PUSHING, "PUSH without its end", {}, side.got("one"))
        peer.send(stream, end=True)
        peer.until(lambda: peer.closed or saved(side, "one", files) == files)
        expect_files(PUSHING, "PUSH byte by byte", files, side.got("one"))


UNASKED = ["../evil.bin", "../one/../evil.bin", "../../evil.bin", "evil.bin", "..", "", "%2e%2e"]


@pytest.mark.parametrize("way", ["unidirectional", "datagram"])
@pytest.mark.parametrize("name", UNASKED)
def test_what_was_not_asked_for_is_not_saved(
    side: Side, start: Start, tmp_path: Path, way: str, name: str
) -> None:
    """quic-interop-runner, webtransport.md (requesting files): files go to /downloads/endpoint/ under their names"""
    good = {"a.bin": b"good"}
    # The other one never comes, so that the session lasts.
    with HTTP3Peer(start(f"transfer-{way}-send", ["one/a.bin", "one/b.bin"])) as peer:
        session = Session(peer, "/one")
        peer.until(lambda: peer.closed or len(session.requests(way)) >= 2)
        session.give(way, name, b"evil")
        peer.settle()
        session.give(way, "a.bin", b"good")
        peer.until(lambda: peer.closed or saved(side, "one", good) == good)
        peer.settle()
        expect_files(PUSHING, f"PUSH {name!r} and another, {way}", good, side.got("one"))
        evil = [str(file) for file in tmp_path.rglob("*") if file.is_file() and file.read_bytes() == b"evil"]
        expect(PUSHING, f"PUSH {name!r}, {way}", [], evil)
