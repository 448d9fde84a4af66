"""What every peer in Python has in common: its options, the line that says it listens, and its end."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import signal
import socket
import sys
import threading


def options() -> argparse.Namespace:
    """The command line. Port 0 stays 0: see `free_port` for packages that cannot pick one."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--certificate", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--port", type=int, default=0)
    return parser.parse_args()


def free_port(port: int) -> int:
    """This port, or for 0 one that is free for UDP and for TCP."""
    while port == 0:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
        ):
            udp.bind(("127.0.0.1", 0))
            try:
                tcp.bind(udp.getsockname())
            except OSError:
                continue
            port = udp.getsockname()[1]
    return port


def ready(package: str, port: int, *transports: str) -> None:
    """Says that the peer listens. From now on it ends with SIGTERM, and with its input, in which case it sends that."""
    version = importlib.metadata.version(package)
    line = {"ready": True, "port": port, "package": package, "version": version, "transports": transports}
    print(json.dumps(line), flush=True)
    threading.Thread(target=_end_with_input, daemon=True).start()


def _end_with_input() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
