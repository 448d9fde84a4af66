"""The qlogs that a server writes, one for each connection: what of a peer's has arrived, whatever was made of it."""

from __future__ import annotations

import json
from pathlib import Path


class NewLogs:
    """Those of connections that begin from now on."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._others = set(directory.iterdir())

    def received_frames(self) -> list[list[dict]]:
        """The frames of each connection, as far as they have been written, in order of arrival."""
        return [_received_frames(log) for log in set(self._directory.iterdir()) - self._others]


def records(log: Path) -> list[dict]:
    """RFC 7464: each begins with a record separator, and ends with a line feed unless it is still being written."""
    return [json.loads(text) for text in log.read_text().split("\x1e") if text.endswith("\n")]


def _received_frames(log: Path) -> list[dict]:
    received = (record["data"] for record in records(log) if record.get("name") == "transport:packet_received")
    return [frame for data in received for frame in data.get("frames", [])]
