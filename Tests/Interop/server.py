"""Starts `apus serve` for a test run and reads the one line that says it is ready."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
# Nets: what is waited for comes within a second, on a loaded machine later.
READY_TIMEOUT = 60.0
STOP_TIMEOUT = 60.0
# `scripts/sanitize` names it when it has built the server with one.
IS_SANITIZED = "APUS_SANITIZER" in os.environ


def binary() -> Path:
    """The server under test: $APUS, else the debug build."""
    return Path(os.environ.get("APUS", REPOSITORY / ".build/debug/apus"))


@dataclass
class Server:
    """One running server. `stop` and `kill` end this process only, by its own id."""

    process: subprocess.Popen
    port: int
    http_port: int
    sha256: str
    host: str = "localhost"
    # Where it says that its lab page is.
    urls: list[str] = field(default_factory=list)
    # Where it runs, with its log.
    directory: Path | None = None
    _is_killed: bool = False

    @classmethod
    def start(cls, directory: Path, *arguments: str, has_test_endpoints: bool = True) -> Server:
        certificates = directory / "certs"
        if not (certificates / "development.pem").exists():
            subprocess.run([binary(), "certificate", "--output", certificates], check=True, stdout=subprocess.DEVNULL)
        log = open(directory / "server.log", "ab")
        process = subprocess.Popen(
            [
                binary(), "serve", "--port", "0", "--http-port", "0",
                "--certificate", certificates / "development.pem", "--key", certificates / "development.key",
                *(["--test-endpoints"] if has_test_endpoints else []), *arguments,
            ],
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=directory,
        )
        log.close()
        try:
            ready = json.loads(first_line(process, directory / "server.log"))
        except BaseException:
            process.kill()
            process.wait()
            raise
        assert ready["ready"] is True
        return cls(process, ready["port"], ready["httpPort"], ready["certificateSHA256"], urls=ready["urls"], directory=directory)

    @property
    def page(self) -> str:
        return f"http://{self.host}:{self.http_port}/"

    def https(self, path: str) -> str:
        return f"https://{self.host}:{self.port}{path}"

    def ws(self, path: str) -> str:
        return f"ws://{self.host}:{self.http_port}{path}"

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        self._is_killed = True
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Ends it in order. Unless it was killed, one that has ended in another way has failed the test."""
        if self.is_running:
            self.process.terminate()
            try:
                self.process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        self.process.stdout.close()
        if self.process.returncode != 0 and not self._is_killed:
            log = "" if self.directory is None else f"; its log:\n{_tail(self.directory / 'server.log')}"
            raise AssertionError(f"the server has ended with {self.process.returncode}{log}")


def resident(server: Server) -> int:
    """The server's memory in kB. Under a sanitizer, which keeps what is freed, 0 and so within every bound."""
    if IS_SANITIZED:
        return 0
    return kilobytes(Path(f"/proc/{server.process.pid}"), "VmRSS:")


def kilobytes(process: Path, field: str) -> int:
    lines = (process / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


class Memory:
    """How much the server's memory has grown by at most since this was made, in kB: the kernel notes the peak."""

    def __init__(self, server: Server) -> None:
        self._process = Path(f"/proc/{server.process.pid}")
        # Sets the peak back to what is (proc(5)).
        (self._process / "clear_refs").write_text("5")
        self._before = kilobytes(self._process, "VmRSS:")

    @property
    def growth(self) -> int:
        """Under a sanitizer 0, as for `resident`."""
        return 0 if IS_SANITIZED else kilobytes(self._process, "VmHWM:") - self._before


def first_line(process: subprocess.Popen, log: Path) -> bytes:
    deadline = time.monotonic() + READY_TIMEOUT
    line = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not line.endswith(b"\n"):
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not selector.select(remaining):
                raise TimeoutError(f"no ready line within {READY_TIMEOUT} s; its log:\n{_tail(log)}")
            chunk = os.read(process.stdout.fileno(), 4096)
            if not chunk:
                raise RuntimeError(f"exited with {process.wait()} before it was ready; its log:\n{_tail(log)}")
            line += chunk
    return line


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-4000:]
