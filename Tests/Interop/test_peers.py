"""Other implementations as clients and as servers, feature by feature. The table of what works is in README.md."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from peer_clients import CLIENTS
from peer_servers import SERVERS, ServerPeer
from peers import FEATURES, Peer, Table, is_to_be_written, require
from server import Server


def trials(peers: list[type[Peer]]) -> list[object]:
    return [
        pytest.param(peer, feature, id=f"{peer.name}, {FEATURES[feature]}")
        for peer in peers for feature in peer.features()
    ]


@pytest.fixture(scope="module")
def table() -> Iterator[Table]:
    """Collects the outcomes; when nothing was left out, they are compared with what the repository says."""
    table = Table([*CLIENTS, *SERVERS], {})
    yield table
    if table.is_complete:
        table.write() if is_to_be_written() else table.check()


@pytest.fixture(scope="module")
def certificates(apus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    subprocess.run([apus, "certificate", "--output", folder], check=True, stdout=subprocess.DEVNULL)
    return folder


@pytest.mark.parametrize(("peer", "feature"), trials(CLIENTS))
def test_client(server: Server, table: Table, peer: type[Peer], feature: str) -> None:
    require(peer)
    attempt(table, peer, feature, lambda: getattr(peer(), feature)(server))


@pytest.mark.parametrize(("peer", "feature"), trials(SERVERS))
def test_server(apus: Path, certificates: Path, table: Table, peer: type[ServerPeer], feature: str) -> None:
    require(peer)
    attempt(table, peer, feature, getattr(peer(apus, certificates), feature))


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
