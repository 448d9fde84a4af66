"""Which peers were tried with which features, and what came of it: the table in README.md is written by the test run.

APUS_WRITE_PEERS=1 writes it, when every peer was there. Any other run checks that the table says of each peer that was
there what the run has seen, versions aside.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import missing
from server import binary

FEATURES = {
    "get": "GET",
    "session": "Session",
    "bidirectional": "Bidirectional stream",
    "unidirectional": "Unidirectional stream",
    "datagram": "Datagram",
    "close": "Close code and reason",
    "refusal": "Refusal",
    "websocket": "WebSocket",
}
README = Path(__file__).parent / "README.md"
HEADER = ("Peer", "is")
BEGIN, END = "<!-- Written by the test run: begin -->\n", "<!-- end -->\n"


class Peer:
    """A row: another implementation in one role. Each feature that it has is a method of that name (see FEATURES).

    `fails` has the features that are known to fail, and for whose reason; `serve_options` what our server is to run with,
    beside the usual.
    """

    name: str
    role: str
    fails: dict[str, str] = {}
    serve_options: tuple[str, ...] = ()

    @classmethod
    def features(cls) -> list[str]:
        return [feature for feature in FEATURES if hasattr(cls, feature)]

    @staticmethod
    def version() -> str:
        """Raises LookupError when the peer is not installed."""
        raise NotImplementedError


def python_package(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError as error:
        raise LookupError(f"{name} is not installed: see requirements.txt") from error


def debian_package(name: str, program: str) -> str:
    """The version of the package that a program, or a folder of modules, is from."""
    if shutil.which(program) is None and not Path(program).exists():
        raise LookupError(f"{program} of Debian's {name} is not installed")
    shown = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], capture_output=True, text=True, check=False)
    return re.sub(r"^\d+:|[+~-].*", "", shown.stdout) or "?"


@dataclass
class Table:
    """What has been seen: by peer and feature, whether it worked."""

    peers: list[type[Peer]]
    outcomes: dict[tuple[type[Peer], str], bool]

    @property
    def left_out(self) -> list[type[Peer]]:
        """Peers that were not tried with all that they have: they are not installed, or not all tests ran."""
        return [
            peer for peer in self.peers if any((peer, feature) not in self.outcomes for feature in peer.features())
        ]

    def lines(self, peers: list[type[Peer]]) -> list[str]:
        version = subprocess.run([binary(), "--version"], capture_output=True, text=True, check=True).stdout.strip()
        notes: list[str] = []
        rows = []
        for peer in peers:
            cells = [self._cell(peer, feature, notes) for feature in FEATURES]
            rows.append(f"| {peer.name} | {peer.role} | {peer.version()} | {' | '.join(cells)} |")
        return [
            f"Apus {version} and others:",
            "",
            f"| {' | '.join(HEADER)} | Version | {' | '.join(FEATURES.values())} |",
            f"|---|---|---|{'---|' * len(FEATURES)}",
            *rows,
            *([""] if notes else []),
            *(f"{number}. {note}" for number, note in enumerate(notes, 1)),
        ]

    def _cell(self, peer: type[Peer], feature: str, notes: list[str]) -> str:
        if feature not in peer.features():
            return ""
        if self.outcomes[peer, feature]:
            return "yes"
        note = f"{peer.name} {peer.fails.get(feature, 'fails unexpectedly')}."
        if note not in notes:
            notes.append(note)
        return f"no ({notes.index(note) + 1})"

    def write(self) -> None:
        if self.left_out:
            names = ", ".join(f"{peer.name} as {peer.role}" for peer in self.left_out)
            pytest.fail(f"README.md stays as it is, for lack of {names}", pytrace=False)
        before, _, rest = README.read_text().partition(BEGIN)
        README.write_text(before + BEGIN + "\n".join(self.lines(self.peers)) + "\n" + END + rest.partition(END)[2])

    def check(self) -> None:
        """Fails when the table in the repository says something else of a peer that was tried, or has other peers."""
        lines = self.lines([peer for peer in self.peers if peer not in self.left_out])
        seen, said = facts(lines), facts(README.read_text().partition(BEGIN)[2].partition(END)[0].splitlines())
        expected = {HEADER, *((peer.name, peer.role) for peer in self.peers)}
        if said.keys() != expected or any(said[row] != seen[row] for row in seen):
            seen = "\n".join(lines)
            pytest.fail(f"README.md says something else; APUS_WRITE_PEERS=1 writes what is so:\n{seen}", pytrace=False)


def facts(lines: list[str]) -> dict[tuple[str, str], list[str]]:
    """By the first two columns of a table, the cells after the third, with their notes."""
    notes = dict(line.split(". ", 1) for line in lines if line[:1].isdigit())
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return {
        (name, role): [re.sub(r"\((\d+)\)", lambda number: notes[number[1]], cell) for cell in cells]
        for name, role, _version, *cells in rows
    }


def require(peer: type[Peer]) -> None:
    """Skips when a peer is not installed; fails under CI, where scripts/test has installed it if it could be had."""
    try:
        peer.version()
    except LookupError as error:
        missing(str(error), package=peer.package if hasattr(peer, "package") else None)


def is_to_be_written() -> bool:
    return os.environ.get("APUS_WRITE_PEERS") == "1"
