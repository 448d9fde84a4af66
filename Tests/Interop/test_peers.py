"""Other implementations as clients and as servers, feature by feature. The table of what works is in README.md."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from peer_clients import CLIENTS, SESSION_FLOW_CONTROL
from peer_newer import NewerPyWebTransport, NewerPyWebTransportServer, play
from peer_servers import SERVERS, ServerPeer
from peers import FEATURES, Peer, Table, is_to_be_written, require
from server import Server

ALL_CLIENTS: list[type[Peer]] = [*CLIENTS, NewerPyWebTransport]
ALL_SERVERS: list[type[ServerPeer]] = [*SERVERS, NewerPyWebTransportServer]


def trials(peers: list[type[Peer]]) -> list[object]:
    return [
        pytest.param(peer, feature, id=f"{peer.name}, {FEATURES[feature]}")
        for peer in peers for feature in peer.features()
    ]


@pytest.fixture(scope="module")
def table() -> Iterator[Table]:
    """Collects the outcomes, which are compared with what the repository says."""
    table = Table([*ALL_CLIENTS, *ALL_SERVERS], {})
    yield table
    table.write() if is_to_be_written() else table.check()


@pytest.fixture(scope="module")
def certificates(apus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    subprocess.run([apus, "certificate", "--output", folder], check=True, stdout=subprocess.DEVNULL)
    return folder


@pytest.fixture(scope="module")
def serving(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """The server with these options, started once."""
    servers = {(): server}

    def start(*options: str) -> Server:
        if options not in servers:
            servers[options] = Server.start(tmp_path_factory.mktemp("server"), *options)
        return servers[options]

    yield start
    for options, started in servers.items():
        if options:
            assert started.is_running, f"the server with {options} did not survive the tests"
            started.stop()


@pytest.mark.parametrize(("peer", "feature"), trials(ALL_CLIENTS))
def test_client(serving: Callable[..., Server], table: Table, peer: type[Peer], feature: str) -> None:
    require(peer)
    attempt(table, peer, feature, lambda: getattr(peer(), feature)(serving(*peer.serve_options)))


@pytest.mark.parametrize(("peer", "feature"), trials(ALL_SERVERS))
def test_server(apus: Path, certificates: Path, table: Table, peer: type[ServerPeer], feature: str) -> None:
    require(peer)
    attempt(table, peer, feature, getattr(peer(apus, certificates), feature))


def test_limits_of_a_session_are_renewed_with_an_independent_stack(serving: Callable[..., Server]) -> None:
    """draft-16 § 5.3 to § 5.6: both ends state limits, and a session goes on far beyond the first ones, both ways"""
    require(NewerPyWebTransport)
    # The server grants 256 streams of each kind and 2 MiB, the client 10 and 4 MiB.
    streams, size = 300, 20_000
    came = play("echo_many", serving(*SESSION_FLOW_CONTROL), "/echo", streams=streams, size=size)
    assert came == {"flowControl": True, "sent": 2 * streams * size}


def attempt(table: Table, peer: type[Peer], feature: str, trial: object) -> None:
    """Notes whether it worked. A failure that is known is noted, too, and none of ours."""
    try:
        trial()
    except Exception:
        table.outcomes[peer, feature] = False
        if feature not in peer.fails:
            raise
        pytest.xfail(peer.fails[feature])
    table.outcomes[peer, feature] = True
