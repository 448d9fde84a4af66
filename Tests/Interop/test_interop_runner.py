"""`apus interop`: quic-interop-runner's contract for WebTransport, our server with our client, and devious baton."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aioquic.quic.connection import QuicConnection

from aioquic_server import Peer, listening
from connect_command import EX_UNAVAILABLE
from raw_quic import varint
from server import Server, first_line

UNSUPPORTED = 127
# Both addresses, a connection ID of eight bytes, and its token (RFC 9000 § 18.2).
PREFERRED_ADDRESS = bytes(6) + bytes(18) + b"\x08" + bytes(8) + bytes(16)
KIB, MIB = 1 << 10, 1 << 20


class Side:
    """The directories of one side, as the runner mounts them, and its process."""

    def __init__(self, apus: Path, root: Path, certs: Path, role: str) -> None:
        self.apus, self.root, self.certs, self.role = apus, root / role, certs, role
        self.www, self.downloads = self.root / "www", self.root / "downloads"
        self.www.mkdir(parents=True)

    def give(self, endpoint: str, sizes: list[int]) -> dict[str, bytes]:
        """Files of these sizes under this endpoint, with names that tell nothing."""
        chance = random.Random(f"{endpoint}{sizes}")
        files = {f"file{number}.bin": chance.randbytes(size) for number, size in enumerate(sizes)}
        (self.www / endpoint).mkdir()
        for name, content in files.items():
            (self.www / endpoint / name).write_bytes(content)
        return files

    def got(self, endpoint: str) -> dict[str, bytes]:
        directory = self.downloads / endpoint
        return {file.name: file.read_bytes() for file in directory.iterdir()} if directory.exists() else {}

    @property
    def protocol(self) -> str:
        return (self.downloads / "negotiated_protocol.txt").read_text()

    def start(self, case: str, requests: list[str] = (), protocols: str = "", **extra: str) -> subprocess.Popen:
        self.log = self.root / "log"
        with open(self.log, "wb") as log:
            return subprocess.Popen(
                [self.apus, "interop", "--www", self.www, "--downloads", self.downloads, "--certs", self.certs]
                + (["--port", "0", "--host", "127.0.0.1"] if self.role == "server" else []),
                env=os.environ | {
                    "ROLE": self.role, "TESTCASE": case, "REQUESTS": " ".join(requests), "PROTOCOLS": protocols,
                } | extra,
                stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL,
            )


@pytest.fixture
def certs(apus: Path, tmp_path: Path) -> Path:
    directory = tmp_path / "certs"
    subprocess.run([apus, "certificate", "--output", directory], check=True, stdout=subprocess.DEVNULL)
    (directory / "development.pem").rename(directory / "cert.pem")
    (directory / "development.key").rename(directory / "priv.key")
    return directory


Exchange = Callable[..., int]


@pytest.fixture
def sides(apus: Path, tmp_path: Path, certs: Path) -> tuple[Side, Side]:
    return Side(apus, tmp_path, certs, "server"), Side(apus, tmp_path, certs, "client")


@pytest.fixture
def exchange(sides: tuple[Side, Side]) -> Iterator[Exchange]:
    """Runs a server, and a client until it ends; gives the client's exit code."""
    server, client = sides
    processes: list[subprocess.Popen] = []

    def run(server_case: str, client_case: str, client_requests: list[str], server_requests: list[str] = (),
            server_protocols: str = "", client_protocols: str = "", **extra: str) -> int:
        serving = server.start(server_case, server_requests, server_protocols, **extra)
        processes.append(serving)
        ready = json.loads(first_line(serving, server.log))
        urls = [f"https://127.0.0.1:{ready['port']}/{request}" for request in client_requests]
        asking = client.start(client_case, urls, client_protocols)
        processes.append(asking)
        code = asking.wait(30)
        assert serving.poll() is None, "the server ended by itself"
        serving.terminate()
        assert serving.wait(15) == 0, server.log.read_text()
        return code

    yield run
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()


# The runner's: 100 K to 2 M on streams, and 200 files that fit a datagram.
SIZES = {
    "unidirectional": [100 * KIB, 250 * KIB, 500 * KIB, MIB, 2 * MIB, 0],
    "bidirectional": [100 * KIB, 250 * KIB, 500 * KIB, MIB, 2 * MIB, 0],
    "datagram": [600 + 2 * number for number in range(200)],
}


@pytest.mark.parametrize(("offer", "known", "agreed"), [
    ("b a", "a b", "b"), ("x a", "a b", "a"), ("x", "a", ""), ("", "a", ""), ("a", "", ""),
])
def test_handshake_agrees_on_the_clients_first_protocol_that_the_server_knows(sides, exchange, offer, known, agreed):
    code = exchange("handshake", "handshake", ["endpoint"], server_protocols=known, client_protocols=offer)
    assert code == 0, sides[1].log.read_text()
    assert [side.protocol for side in sides] == [agreed, agreed]


@pytest.mark.parametrize("way", SIZES)
def test_client_receives_every_file(sides, exchange, way):
    server, client = sides
    files = server.give("one", SIZES[way])
    code = exchange("transfer", f"transfer-{way}-receive", [f"one/{name}" for name in files])
    assert code == 0, client.log.read_text()
    assert client.got("one") == files
    assert server.got("one") == {}


@pytest.mark.parametrize("way", SIZES)
def test_server_receives_every_file_that_it_asks_the_client_for(sides, exchange, way):
    server, client = sides
    files = client.give("one", SIZES[way])
    code = exchange(f"transfer-{way}-send", "transfer", ["one"], [f"one/{name}" for name in files])
    assert code == 0, client.log.read_text()
    assert server.got("one") == files
    assert client.got("one") == {}


def test_endpoints_are_apart(sides, exchange):
    """The same name under two endpoints is two files."""
    server, client = sides
    files = {endpoint: server.give(endpoint, [size]) for endpoint, size in [("one", 1000), ("two", 2000)]}
    requests = [f"{endpoint}/{name}" for endpoint in files for name in files[endpoint]]
    assert exchange("transfer", "transfer-bidirectional-receive", requests) == 0
    assert {endpoint: client.got(endpoint) for endpoint in files} == files


@pytest.mark.parametrize("way", ["bidirectional", "unidirectional", "datagram"])
def test_missing_file_fails_the_client(sides, exchange, way):
    """The server has nothing of that name: the client says what is missing when the session has ended."""
    server, client = sides
    (server.www / "one").mkdir()
    serving = exchange
    code = serving("transfer", f"transfer-{way}-receive", ["one/nothing.bin"])
    assert code not in (0, UNSUPPORTED)
    assert "nothing.bin" in client.log.read_text()


@pytest.mark.parametrize("name", ["..", "../certs/priv.key", "a/b", "%2e%2e", ""])
def test_server_gives_only_what_is_below_its_endpoint(sides, exchange, name):
    """A name is one component: whatever else is asked for, nothing is given."""
    server, client = sides
    server.give("one", [10])
    (server.www / "secret").write_bytes(b"secret")
    exchange("transfer", "transfer-bidirectional-receive", ["one/file0.bin", f"one/{name}"])
    assert all(b"secret" not in content for content in client.got("one").values())


@pytest.mark.parametrize(("role", "case"), [
    ("server", "zerortt"), ("client", "transfer-carrier-pigeon-receive"), ("client", ""), ("proxy", "handshake"),
    ("server", "transfer-datagram"), ("", "handshake"),
])
def test_what_is_not_supported_ends_with_127(apus, tmp_path, role, case):
    result = subprocess.run(
        [apus, "interop", "--downloads", tmp_path / "downloads"], timeout=30, capture_output=True,
        env=os.environ | {"ROLE": role, "TESTCASE": case, "REQUESTS": "https://127.0.0.1:1/x"},
    )
    assert result.returncode == UNSUPPORTED
    assert not (tmp_path / "downloads").exists()


def test_logs_go_where_the_runner_wants_them(sides, exchange, tmp_path):
    code = exchange("handshake", "handshake", ["x"], SSLKEYLOGFILE=str(tmp_path / "keys"), QLOGDIR=str(tmp_path / "q"))
    assert code == 0
    assert "SERVER_TRAFFIC_SECRET_0" in (tmp_path / "keys").read_text()
    assert len(list((tmp_path / "q").iterdir())) == 1


@pytest.mark.parametrize("logs", [True, False], ids=["that logs", "that does not"])
def test_a_preferred_address_and_a_client(apus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logs: bool):
    """RFC 9000 § 9.6, § 18.2: ngtcp2 writes beyond a buffer when it logs all parameters that there are, so that a client
    that logs refuses such a server (0x08: TRANSPORT_PARAMETER_ERROR); any other only does not go there."""
    serialize = QuicConnection._serialize_transport_parameters
    preferred = varint(0x0D) + varint(len(PREFERRED_ADDRESS)) + PREFERRED_ADDRESS
    monkeypatch.setattr(QuicConnection, "_serialize_transport_parameters", lambda quic: serialize(quic) + preferred)

    class Part(Peer):
        pass

    async def main() -> None:
        async with listening(Part) as url:
            client = await asyncio.create_subprocess_exec(
                apus, "interop", "--insecure", "--downloads", tmp_path,
                env=os.environ | {"ROLE": "client", "TESTCASE": "handshake", "REQUESTS": url}
                | ({"QLOGDIR": str(tmp_path / "q")} if logs else {}),
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            )
            try:
                async with asyncio.timeout(30):
                    while not Part.current or not (Part.current.request or Part.current.close_code is not None):
                        await asyncio.sleep(0.01)
            finally:
                if client.returncode is None and not logs:
                    client.terminate()
                errors = (await asyncio.wait_for(client.communicate(), 30))[1].decode()
        if logs:
            assert Part.current.close_code == 0x08, errors
            assert client.returncode == EX_UNAVAILABLE, errors
        else:
            assert Part.current.request[b":protocol"] == b"webtransport"

    asyncio.run(main())


# MARK: Devious baton


@pytest.mark.parametrize("query", ["baton=250", "baton=1&count=3", "", "version=0&baton=255&count=20"])
def test_baton_comes_home(apus: Path, server: Server, query: str):
    result = subprocess.run(
        [apus, "interop", "baton", server.https(f"/webtransport/devious-baton?{query}"), "--hash", server.sha256],
        capture_output=True, text=True, timeout=30,
    )
    assert result.returncode == 0, result
    assert result.stdout.startswith("every baton is home")


@pytest.mark.parametrize(("path", "words"), [
    ("/webtransport/devious-baton?version=9", "400"), ("/nowhere", "404"), ("/test/drain", "before its time"),
])
def test_baton_without_a_player_says_why(apus: Path, server: Server, path: str, words: str):
    result = subprocess.run(
        [apus, "interop", "baton", server.https(path), "--hash", server.sha256],
        capture_output=True, text=True, timeout=30,
    )
    assert result.returncode not in (0, UNSUPPORTED)
    assert words in result.stderr and result.stderr.count("\n") == 1
