"""A headless Firefox, driven through Marionette, the protocol that it speaks itself.

Selenium needs geckodriver for it, which Debian does not have, and the Python client of Firefox needs modules that
Python 3.13 has removed. What the tests need of the protocol is little: JSON after its length.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

START_TIMEOUT = 120.0
STOP_TIMEOUT = 15.0
# A net: what a page waits for comes at once, on a loaded machine later.
SCRIPT_TIMEOUT = 90.0

# Nothing but the tests' own traffic, and a port that the system picks; Firefox writes it into its profile.
PREFERENCES = """
user_pref("marionette.port", 0);
user_pref("remote.prefs.recommended", true);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
"""


class Marionette:
    """One connection: a command is `[0, id, name, parameters]`, its answer `[1, id, error, result]`."""

    def __init__(self, port: int) -> None:
        # A command is answered within its own time limit, or Firefox hangs.
        self._socket = socket.create_connection(("127.0.0.1", port), SCRIPT_TIMEOUT + START_TIMEOUT)
        self._file = self._socket.makefile("rb")
        self._last = 0
        greeting = self._receive()
        assert greeting["marionetteProtocol"] == 3, greeting

    def command(self, name: str, **parameters: object) -> dict:
        self._last += 1
        text = json.dumps([0, self._last, name, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(text), text))
        kind, number, error, result = self._receive()
        assert (kind, number) == (1, self._last)
        if error is not None:
            raise RuntimeError(f"{name}: {error['error']}: {error['message']}")
        return result

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def _receive(self):
        length = b""
        while not length.endswith(b":"):
            byte = self._file.read(1)
            if not byte:
                raise ConnectionError("Firefox has closed the connection")
            length += byte
        return json.loads(self._file.read(int(length[:-1])))


class Firefox:
    """One running Firefox, with the few of Selenium's verbs that the tests use."""

    @staticmethod
    def find() -> str | None:
        return shutil.which("firefox-esr") or shutil.which("firefox")

    def __init__(self, program: str, profile: Path) -> None:
        (profile / "user.js").write_text(PREFERENCES)
        with open(profile / "firefox.log", "wb") as log:
            self._process = subprocess.Popen(
                [program, "--headless", "--marionette", "--no-remote", "--profile", profile],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env=os.environ | {"HOME": str(profile)},
            )
        try:
            self._marionette = Marionette(self._port(profile))
            self.capabilities = self._marionette.command("WebDriver:NewSession")["capabilities"]
            self._marionette.command("WebDriver:SetTimeouts", script=int(SCRIPT_TIMEOUT * 1000))
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise

    def _port(self, profile: Path) -> int:
        """The port, once Firefox listens: then there is a file with it."""
        file, deadline = profile / "MarionetteActivePort", time.monotonic() + START_TIMEOUT
        while self._process.poll() is None and time.monotonic() < deadline:
            if text := file.read_text() if file.exists() else "":
                return int(text)
            time.sleep(0.05)
        raise RuntimeError(f"Firefox is not ready; it said:\n{(profile / 'firefox.log').read_text()[-4000:]}")

    def get(self, address: str) -> None:
        self._marionette.command("WebDriver:Navigate", url=address)

    def back(self) -> None:
        self._marionette.command("WebDriver:Back")

    def execute_async_script(self, script: str, *arguments: object) -> object:
        # Without a sandbox: as a script of the page's own.
        return self._marionette.command(
            "WebDriver:ExecuteAsyncScript", script=script, args=arguments, sandbox=None)["value"]

    def quit(self) -> None:
        """Ends this Firefox only, by its own process."""
        self._marionette.close()
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
