"""The benchmark's peers: each echoes what `apus bench` sends to a target that is not ours, and ends with its input."""

from __future__ import annotations

import ctypes.util
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import certificates
from http3_client import TIMEOUT
from peer_clients import NODE_WS
from peer_newer import PYTHON as NEWER_PYTHON
from peer_newer import installed_version as newer_pywebtransport
from peer_servers import running
from peers import debian_package, python_package
from server import REPOSITORY, first_line
from test_command import apus_command

FOLDER = REPOSITORY / "Benchmarks/peers"
WEBTRANSPORT = ("wt-datagram", "wt-stream", "wt-bidi-per-message")
WEBSOCKET = ("ws",)
# Enough of everything to be measured, and no more.
FEW = ("--handshakes", 2, "--messages", 20, "--rounds", 2, "--warm-up", 2)


@dataclass(frozen=True)
class EchoPeer:
    program: str
    package: str
    transports: tuple[str, ...]
    # Raises LookupError when the package is not installed.
    version: Callable[[], str]
    interpreter: Path | str = sys.executable


def socketify() -> str:
    version = python_package("socketify")
    if ctypes.util.find_library("uv") is None:
        raise LookupError("socketify needs libuv, and Debian's libuv1 is not installed")
    return version


PEERS = [
    EchoPeer("aioquic_echo.py", "aioquic", WEBTRANSPORT, lambda: python_package("aioquic")),
    EchoPeer("pywebtransport_echo.py", "pywebtransport", WEBTRANSPORT, newer_pywebtransport, NEWER_PYTHON),
    EchoPeer(
        "peregrine_echo.py", "peregrine-server", WEBTRANSPORT + WEBSOCKET, lambda: python_package("peregrine-server")),
    EchoPeer("websockets_echo.py", "websockets", WEBSOCKET, lambda: python_package("websockets")),
    EchoPeer("socketify_echo.py", "socketify", WEBSOCKET, socketify),
    EchoPeer("ws_echo.js", "ws", WEBSOCKET, lambda: debian_package("node-ws", NODE_WS), "node"),
]


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.package)
def test_a_peer_of_the_benchmark_echoes(apus: Path, tmp_path: Path, peer: EchoPeer) -> None:
    try:
        version = peer.version()
    except LookupError as error:
        pytest.skip(str(error))
    certificate, log = certificates.make(tmp_path), tmp_path / "peer.log"
    command = [
        peer.interpreter, FOLDER / peer.program,
        "--certificate", certificate.certificate, "--key", certificate.key, "--port", "0",
    ]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with log.open("wb") as errors, running(command, cwd=tmp_path, stderr=errors, **pipes) as process:
        ready = json.loads(first_line(process, log))
        port = ready["port"]
        assert ready == {
            "ready": True, "port": port, "package": peer.package, "version": version,
            "transports": list(dict.fromkeys(transport.partition("-")[0] for transport in peer.transports)),
        }
        result = apus_command(
            apus, "bench", "--target", f"https://127.0.0.1:{port}/echo", "--hash", certificate.sha256,
            "--scenarios", "handshake,round-trip", "--transports", ",".join(peer.transports), *FEW,
            "--json", tmp_path / "out.json", cwd=tmp_path)
        assert result.returncode == 0, (result, log.read_text())
        measured = json.loads((tmp_path / "out.json").read_text())["roundTrips"]
        assert [each["transport"] for each in measured] == list(peer.transports)
        process.stdin.close()
        assert process.wait(TIMEOUT) in (0, -signal.SIGTERM)
