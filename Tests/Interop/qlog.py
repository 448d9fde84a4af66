"""Reads what the server wrote with --qlog: the frames that it really sent and received."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path


def frames(directory: Path, event: str, kind: str) -> Iterator[dict]:
    """The frames of one kind in every connection's log; `event` is packet_sent or packet_received."""
    for file in sorted(directory.iterdir()):
        # The last record of a connection that is still open may be cut short.
        for record in file.read_text(errors="replace").split("\x1e")[2:]:
            if f'"{kind}"' not in record or event not in record or not record.endswith("\n"):
                continue
            for frame in json.loads(record)["data"].get("frames", []):
                if frame["frame_type"] == kind:
                    yield frame
