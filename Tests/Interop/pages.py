"""Empty pages that are not the server's: of another host, under a policy, and with the script of a worker."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

WORKER = (Path(__file__).parent / "worker.js").read_bytes()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        address = urlsplit(self.path)
        is_script = address.path == "/worker.js"
        body = WORKER if is_script else b"<!doctype html><title>elsewhere</title>"
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript" if is_script else "text/html")
        self.send_header("Content-Length", str(len(body)))
        for policy in parse_qs(address.query).get("policy", []):
            self.send_header("Content-Security-Policy", policy)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@dataclass(frozen=True)
class Pages:
    port: int

    @property
    def local(self) -> str:
        """A page of the host that the server is asked as."""
        return f"http://localhost:{self.port}/"

    @property
    def foreign(self) -> str:
        """A page of another host name: 127.0.0.1, where the server is asked as localhost."""
        return f"http://127.0.0.1:{self.port}/"

    def under(self, policy: str) -> str:
        """A page with this Content-Security-Policy."""
        return f"{self.local}?{urlencode({'policy': policy})}"


@contextmanager
def served() -> Iterator[Pages]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield Pages(http.server_address[1])
        http.shutdown()
        thread.join()
