"""A client of `apus interop` that shares nothing with it: sessions, and the files that are asked for and given in them."""

from __future__ import annotations

from raw_http3 import HTTP3Peer, connect, headers, http_datagram, wt_header
from rules import expect
from test_interop_runner import Side

CONTRACT = "quic-interop-runner, webtransport.md"


def saved(side: Side, endpoint: str, names: object) -> dict[str, bytes]:
    """Those of the files that the server has: what it has yet to rename has another name."""
    paths = [(name, side.downloads / endpoint / name) for name in names]
    return {name: path.read_bytes() for name, path in paths if path.exists()}


def named(files: dict[str, bytes]) -> dict[str, str]:
    """What a failure is to say of files: their sizes and beginnings."""
    return {name: f"{len(content)} bytes, {content[:8].hex()}" for name, content in sorted(files.items())}


def expect_files(rule: str, sent: str, expected: dict[str, bytes], came: dict[str, bytes]) -> None:
    expect(rule, sent, named(expected), named(came))
    assert expected == came


class Session:
    """One session of the client's."""

    def __init__(self, peer: HTTP3Peer, path: str, *more: tuple[str, str], rule: str = CONTRACT) -> None:
        self.peer = peer
        self.number = peer.request(headers(connect(path, *more)), end=False)
        expect(rule, f"CONNECT for {path}", 200, peer.answer(self.number))
        # The streams on which files are to come, by name.
        self.asked: dict[str, int] = {}

    def ask(self, way: str, name: str) -> None:
        request = f"GET {name}".encode()
        if way == "datagram":
            self.peer.send_datagram(http_datagram(self.number, request))
        else:
            stream = self.peer.wt_stream(self.number, request, end=True, unidirectional=way == "unidirectional")
            self.asked[name] = stream

    def streams(self, unidirectional: bool) -> dict[int, bytes]:
        """The server's streams that have come whole, without their headers."""
        header = wt_header(self.number, unidirectional)
        kind = 3 if unidirectional else 1
        return {
            number: stream.data.removeprefix(header) for number, stream in sorted(self.peer.streams.items())
            if number % 4 == kind and stream.is_finished and stream.data.startswith(header)
        }

    def datagrams(self) -> list[bytes]:
        header = http_datagram(self.number)
        return [datagram.removeprefix(header) for datagram in self.peer.datagrams if datagram.startswith(header)]

    def came(self, way: str) -> dict[str, bytes]:
        """The files that have come whole."""
        if way == "bidirectional":
            states = {name: self.peer.streams[stream] for name, stream in self.asked.items()}
            return {name: state.data for name, state in states.items() if state.is_finished}
        messages = self.datagrams() if way == "datagram" else list(self.streams(unidirectional=True).values())
        files = {}
        for message in messages:
            line, _, content = message.partition(b"\n")
            word, _, name = line.decode(errors="replace").partition(" ")
            expect(CONTRACT, f"GET, {way}", "PUSH", word)
            assert name not in files, f"{name} has come twice"
            files[name] = content
        return files

    def await_files(self, way: str, count: int) -> dict[str, bytes]:
        self.peer.until(lambda: self.peer.closed or len(self.came(way)) >= count)
        return self.came(way)

    def give(self, way: str, name: str, content: bytes, stream: int = -1) -> None:
        """What the contract has the client answer."""
        push = f"PUSH {name}\n".encode() + content
        match way:
            case "bidirectional":
                self.peer.send(stream, content, end=True)
            case "unidirectional":
                self.peer.wt_stream(self.number, push, end=True, unidirectional=True)
            case "datagram":
                self.peer.send_datagram(http_datagram(self.number, push))

    def requests(self, way: str) -> dict[int, bytes]:
        """What the server has asked, by stream, and in datagrams by number."""
        if way == "datagram":
            return dict(enumerate(self.datagrams()))
        return self.streams(unidirectional=way == "unidirectional")
