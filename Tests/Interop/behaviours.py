"""Runs the behaviours of WebTransport's API against our server, each in every browser that is here.

A behaviour that a browser has not got yet is skipped under its name. One that a browser itself gets wrong must fail
there as its mark says, against our server and against a control server that shares nothing with ours: were it right
against the control, the fault would be ours. Where chance decides, one of several tries must be right against ours,
unless none is against the control. The other browsers must do it right against both.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import PRELUDE, run_script
from control_server import ControlServer
from pages import Pages
from server import Server

HELPERS = (Path(__file__).parent / "behaviours.js").read_text()
BROWSERS = ("chromium", "firefox")
# Chromium with what it has, but does not show to pages yet.
EXPERIMENTAL = "chromium-experimental"
OURS, CONTROL = "ours", "control"

# In milliseconds, what waits for that which a browser never does. The first only tells late from never.
PATIENCE = 60_000
PATIENCE_WITH_A_FAULT = 3_000

# Gives a worker's code, in the page that has it, to a worker of the kind that is asked for.
IN_A_WORKER = """
    const start = {
      dedicated: async () => new Worker("/worker.js"),
      shared: async () => {
        need("SharedWorker", "SharedWorker" in globalThis);
        const { port } = new SharedWorker("/worker.js");
        port.start();
        return port;
      },
      service: async () => {
        const registration = await navigator.serviceWorker.register("/worker.js");
        return registration.installing ?? registration.waiting ?? registration.active;
      },
    };
    const worker = await start[args.kind]();
    const { port1, port2 } = new MessageChannel();
    const answered = new Promise((resolve) => { port1.onmessage = ({ data }) => resolve(data); });
    worker.postMessage({ body: args.code, args: { base: args.base, hash: args.hash, token: args.token } }, [port2]);
    const { value, error } = await answered;
    if (error !== undefined) throw new DOMException(error.message, error.name);
    return value;
"""


@dataclass(frozen=True)
class Fault:
    reason: str
    is_chance: bool


@dataclass(frozen=True)
class Page:
    """An empty page of the server's in one browser, and a token of this test's own."""

    browser: str
    driver: object
    server: Server | ControlServer
    pages: Pages
    token: str
    patience: int
    control: Callable[[], ControlServer]

    @property
    def family(self) -> str:
        return self.browser.removesuffix("-experimental")

    def run(self, body: str, **arguments: object) -> object:
        """Runs the body of an async function, with the helpers of prelude.js and behaviours.js."""
        return self._run(HELPERS + body, **arguments)

    def run_in(self, worker: str, body: str, **arguments: object) -> object:
        """Runs the body in a dedicated, shared or service worker of a page that is not the server's."""
        self.driver.get(self.pages.local)
        return self._run(HELPERS + IN_A_WORKER, kind=worker, code=PRELUDE + HELPERS + body, **arguments)

    def of(self, server: Server | ControlServer) -> Page:
        """The same browser on a page of another server."""
        self.driver.get(server.page + "healthz")
        return dataclasses.replace(self, server=server)

    def go(self, address: str) -> None:
        self.driver.get(address)

    def leave(self) -> None:
        """Goes to an empty page, which ends every session of this one, and back to another of the server's."""
        self.driver.get("about:blank")
        self.driver.get(self.server.page + "healthz")

    def back(self) -> None:
        """To the page before this one, which the browser may have kept."""
        self.driver.back()

    def _run(self, body: str, **arguments: object) -> object:
        arguments |= {"token": self.token, "patience": self.patience}
        try:
            return run_script(self.driver, self.server, body, **arguments)
        except AssertionError as error:
            if "MissingFeature" in str(error):
                pytest.skip(f"{self.browser} has no {str(error).split('MissingFeature: ')[1].splitlines()[0]}")
            raise


def experimental(function: Callable) -> Callable:
    """Marks a behaviour that Chromium shows only to pages that may experiment."""
    function.is_experimental = True
    return function


def browsers_fault(
    browser: str, reason: str, *, shows: str, is_ours: str | None = None, is_chance: bool = False, tries: int = 1,
) -> Callable:
    """Marks a behaviour that this browser gets wrong whatever the server does; `shows` is found in how it fails, and
    `is_ours` where the fault would be our server's all the same.

    Where it is a matter of chance, the browser may also get it right. Of several tries with ours one must be right,
    unless none is with the control.
    """

    def mark(function: Callable) -> Callable:
        @functools.wraps(function)
        def judged(page: Page, **arguments: object) -> None:
            if page.family != browser:
                function(page=page, **arguments)
                return

            def is_ever_right(page: Page) -> bool:
                return any(is_right(page) for _ in range(tries))

            def is_right(page: Page) -> bool:
                try:
                    # What the servers note of one try is not for the next.
                    function(page=dataclasses.replace(page, token=uuid.uuid4().hex), **arguments)
                except AssertionError as error:
                    if re.search(shows, str(error)) is None:
                        raise
                    if isinstance(page.server, Server) and is_ours and re.search(is_ours, str(error)):
                        raise
                    return False
                return True

            if is_ever_right(page):
                if not is_chance:
                    pytest.fail(f"{browser} is right, against its mark: {reason}")
                return
            if tries > 1 and isinstance(page.server, Server) and is_ever_right(page.of(page.control())):
                pytest.fail(f"{browser} is right with the control, and in none of {tries} tries with ours: {reason}")
            pytest.xfail(f"the browser's: {reason}")

        judged.faults = getattr(function, "faults", {}) | {browser: Fault(reason, is_chance)}
        return judged

    return mark


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    # Other files have a page of their own.
    if "page" not in metafunc.fixturenames or not metafunc.module.__name__.startswith("test_browser_"):
        return
    is_experimental = getattr(metafunc.function, "is_experimental", False)
    has_faults = hasattr(metafunc.function, "faults")
    browsers = (*BROWSERS, EXPERIMENTAL) if is_experimental else BROWSERS
    settings = [(browser, peer) for peer in ((OURS, CONTROL) if has_faults else (OURS,)) for browser in browsers]
    names = [browser if peer == OURS else f"{browser}-{peer}" for browser, peer in settings]
    metafunc.parametrize("page", settings, indirect=True, ids=names)


@pytest.fixture(scope="session")
def recording_server(apus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that writes down what it sends: the evidence, when a behaviour fails, is in its qlog."""
    directory = tmp_path_factory.mktemp("behaviours")
    running = Server.start(directory, "--qlog", str(directory / "qlog"))
    yield running
    assert running.is_running, "the server did not survive the behaviours"
    running.stop()


@pytest.fixture(scope="session")
def control_server(recording_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlServer]:
    running = ControlServer.start(tmp_path_factory.mktemp("control"), recording_server.page)
    yield running
    assert running.is_running, "the control server did not survive the behaviours"
    running.stop()


# What a function's name cannot say.
_SPELLINGS = {
    "pages origin": "page's origin", "pages own": "page's own", "pages to": "page's to", "the browsers are": "the browser's are",
    "http3s": "HTTP/3's", "a servers": "a server's", "the servers": "the server's", "utf 8": "UTF-8", "ascii": "ASCII",
}


def in_english(name: str) -> str:
    text = name.replace("_", " ")
    for written, meant in _SPELLINGS.items():
        text = text.replace(written, meant)
    return text


@pytest.fixture
def page(request: pytest.FixtureRequest, pages: Pages) -> Page:
    browser, peer = request.param
    fault = getattr(request.function, "faults", {}).get(browser.removesuffix("-experimental"))
    server = request.getfixturevalue("recording_server" if peer == OURS else "control_server")
    driver = request.getfixturevalue(browser.replace("-", "_"))
    driver.get(server.page + "healthz")
    # For the table of browser_table.py.
    request.node.user_properties += {
        "browser": browser, "version": driver.capabilities["browserVersion"], "peer": peer,
        "behaviour": in_english(request.function.__name__.removeprefix("test_")),
        "chance": fault.reason if fault is not None and fault.is_chance else None,
    }.items()
    patience = PATIENCE if fault is None else PATIENCE_WITH_A_FAULT
    control = functools.partial(request.getfixturevalue, "control_server")
    return Page(browser, driver, server, pages, uuid.uuid4().hex, patience, control)
