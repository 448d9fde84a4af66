"""Runs the behaviours of WebTransport's API against our server, each in every browser that is here.

A behaviour that a browser has not got yet is skipped under its name. One that a browser itself gets wrong must fail
there, strictly, and says what the server's qlog shows.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import run_script
from server import Server

HELPERS = (Path(__file__).parent / "behaviours.js").read_text()
BROWSERS = ("chromium", "firefox")


@dataclass(frozen=True)
class Page:
    """An empty page of the server's in one browser, and a token of this test's own."""

    browser: str
    driver: object
    server: Server
    token: str

    def run(self, body: str, **arguments: object) -> object:
        """Runs the body of an async function, with the helpers of prelude.js and behaviours.js."""
        try:
            return run_script(self.driver, self.server, HELPERS + body, token=self.token, **arguments)
        except AssertionError as error:
            if "MissingFeature" in str(error):
                pytest.skip(f"{self.browser} has no {str(error).split('MissingFeature: ')[1].splitlines()[0]}")
            raise

    def leave(self) -> None:
        """Goes to an empty page, which ends every session of this one, and back to another of the server's."""
        self.driver.get("about:blank")
        self.driver.get(self.server.page + "healthz")


def browsers_fault(browser: str, reason: str) -> Callable:
    """Marks a behaviour that this browser gets wrong whatever the server does."""

    def mark(function: Callable) -> Callable:
        function.faults = getattr(function, "faults", {}) | {browser: reason}
        return function

    return mark


@pytest.fixture(scope="module")
def server(apus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that writes down what it sends: the evidence, when a behaviour fails, is in its qlog."""
    directory = tmp_path_factory.mktemp("behaviours")
    running = Server.start(directory, "--qlog", str(directory / "qlog"))
    yield running
    assert running.is_running, "the server did not survive the behaviours"
    running.stop()


@pytest.fixture(params=BROWSERS)
def page(request: pytest.FixtureRequest, server: Server) -> Page:
    reason = getattr(request.function, "faults", {}).get(request.param)
    if reason is not None:
        request.applymarker(pytest.mark.xfail(strict=True, reason=f"the browser's: {reason}"))
    driver = request.getfixturevalue(request.param)
    driver.get(server.page + "healthz")
    return Page(request.param, driver, server, uuid.uuid4().hex)
