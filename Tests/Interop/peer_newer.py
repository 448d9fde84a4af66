"""pywebtransport of draft-15 and draft-16, for which the tests' own Python may be too old: it runs in another one."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

from http3_client import TIMEOUT
from peer_clients import CODE, DATA, REASON, expect_close
from peer_servers import FOLDER, WebTransportServerPeer, free_port, running
from peers import Peer
from server import REPOSITORY, Server

# Made by scripts/lib.sh where there is such a Python.
PYTHON = REPOSITORY / ".build/venv-newer/bin/python"
PROGRAM = FOLDER / "newer_pywebtransport.py"
H3_REQUEST_REJECTED = 0x10B


@cache
def installed_version() -> str:
    if not PYTHON.exists():
        raise LookupError("there is no Python 3.12 or later in .build/venv-newer: scripts/test found none to put there")
    script = "import importlib.metadata as metadata; print(metadata.version('pywebtransport'))"
    asked = subprocess.run([PYTHON, "-c", script], capture_output=True, text=True, check=False)
    if asked.returncode != 0:
        raise LookupError("pywebtransport is not installed in .build/venv-newer: see requirements-newer.txt")
    return asked.stdout.strip()


class NewerPyWebTransport(Peer):
    """It connects only where it finds WT_ENABLED, and offers limits of sessions. QUIC is quinn's."""

    # Debian 12 has no such Python, and is excused.
    name, role, package = "pywebtransport (draft-16)", "client", "python3.12"
    version = staticmethod(installed_version)

    def session(self, server: Server) -> None:
        assert play("open_session", server, "/echo") == {"state": "connected", "flowControl": False}

    def bidirectional(self, server: Server) -> None:
        assert play("echo_stream", server, "/echo", data=DATA.decode()) == {"came": DATA.decode()}

    def unidirectional(self, server: Server) -> None:
        assert play("echo_on_another_stream", server, "/echo", data=DATA.decode()) == {"came": DATA.decode()}

    def datagram(self, server: Server) -> None:
        assert play("echo_datagram", server, "/echo", data="datagram") == {"came": "datagram"}

    def close(self, server: Server) -> None:
        closed = play("be_closed", server, f"/close?code={CODE}&reason={REASON}")
        assert closed == {"code": CODE, "reason": REASON}
        assert play("close", server, "/test/record?token=draft-16", code=CODE, reason=REASON) == {"closed": True}
        asyncio.run(expect_close(server, "draft-16"))

    def refusal(self, server: Server) -> None:
        # It does not tell the status.
        assert f"error_code={H3_REQUEST_REJECTED:#x}" in play("open_session", server, "/nothing")["error"]


def play(part: str, server: Server, path: str, **details: object) -> dict:
    order = {"part": part, "url": f"https://127.0.0.1:{server.port}{path}", **details}
    played = subprocess.run(
        [PYTHON, PROGRAM], input=json.dumps(order) + "\n", capture_output=True, text=True, timeout=6 * TIMEOUT,
        check=False,
    )
    assert played.returncode == 0, played.stderr
    return json.loads(played.stdout)


class NewerPyWebTransportServer(WebTransportServerPeer):
    """It takes sessions of `webtransport-h3` only."""

    name, package = NewerPyWebTransport.name, NewerPyWebTransport.package
    version = staticmethod(installed_version)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        order = {
            "part": "serve", "certificate": str(self.certificates / "development.pem"),
            "key": str(self.certificates / "development.key"), "port": free_port(),
        }
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with running([PYTHON, PROGRAM], cwd=self.certificates, **pipes) as process:
            print(json.dumps(order), file=process.stdin, flush=True)
            assert json.loads(process.stdout.readline()) == {"listening": order["port"]}
            yield f"https://127.0.0.1:{order['port']}"
