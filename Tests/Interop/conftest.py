"""Fixtures: one server and one headless Chromium for the whole run, a fresh page for every test."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

import pages as page_server
from firefox import SCRIPT_TIMEOUT, Firefox
from pages import Pages
from server import Server, binary

pytest_plugins = ["behaviours", "browser_table"]


# Fixtures that begin a browser.
BROWSERS = {"browser", "chromium", "chromium_experimental", "firefox", "harness", "page"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if BROWSERS & set(item.fixturenames):
            item.add_marker("browser")


def missing(what: str, package: str | None = None) -> None:
    """A machine without a browser may skip; a CI run without one would prove nothing.

    When a package is named, a distribution that has no such package is excused.
    """
    is_obtainable = package is None or is_offered(package)
    if os.environ.get("CI", "").lower() in ("true", "1") and is_obtainable:
        pytest.fail(f"{what}; under CI the browser tests must run")
    pytest.skip(what)


def is_offered(package: str) -> bool:
    """Whether the distribution's lists have a package that can be installed."""
    if shutil.which("apt-cache") is None:
        return False
    policy = subprocess.run(["apt-cache", "policy", package], capture_output=True, text=True, check=True).stdout
    return "Candidate:" in policy and "Candidate: (none)" not in policy


@pytest.fixture(scope="session")
def apus() -> Path:
    path = binary()
    if not path.is_file():
        missing(f"no server at {path}: build it, or name it in APUS")
    return path


@pytest.fixture(scope="session")
def server(apus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server.start(tmp_path_factory.mktemp("server"))
    yield running
    assert running.is_running, "the server did not survive the tests"
    running.stop()


@pytest.fixture
def own_server(apus: Path, tmp_path: Path) -> Iterator[Server]:
    """A server that the test may stop."""
    running = Server.start(tmp_path)
    yield running
    running.stop()


def launch_chromium(profile: Path, *arguments: str) -> webdriver.Chrome:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        missing("chromium or chromedriver is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        f"--user-data-dir={profile}",
        *arguments,
    ):
        options.add_argument(argument)
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    chrome.set_script_timeout(SCRIPT_TIMEOUT)
    return chrome


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    chrome = launch_chromium(tmp_path_factory.mktemp("chromium"))
    yield chrome
    chrome.quit()


@pytest.fixture(scope="session")
def chromium_experimental(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    chrome = launch_chromium(
        tmp_path_factory.mktemp("experimental"), "--enable-experimental-web-platform-features")
    yield chrome
    chrome.quit()


@pytest.fixture(scope="session")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    program = Firefox.find()
    if program is None:
        missing("Firefox is not installed", package="firefox-esr")
    running = Firefox(program, tmp_path_factory.mktemp("firefox"))
    yield running
    running.quit()


@pytest.fixture
def browser(chromium: webdriver.Chrome) -> Iterator[webdriver.Chrome]:
    """The browser with a single, empty tab: what an earlier test opened is gone."""
    first, *others = chromium.window_handles
    for handle in others:
        chromium.switch_to.window(handle)
        chromium.close()
    chromium.switch_to.window(first)
    chromium.get("about:blank")
    yield chromium


Run = Callable[..., object]

# The body of a test's script is an async function of the page's own; what it returns or throws comes back here. Firefox
# runs scripts like this one in a sandbox before the page, with globals that are gone when it has ended.
_WRAPPER = """
const [body, args, done] = arguments;
const run = (window.wrappedJSObject ?? window).eval(`(async (body, args) => {
  const AsyncFunction = (async () => {}).constructor;
  try {
    const value = await new AsyncFunction("args", body)(JSON.parse(args));
    return JSON.stringify({ value: value ?? null });
  } catch ({ name, message, stack }) {
    return JSON.stringify({ error: name + ": " + message + "\\\\n" + stack });
  }
})`);
run(body, JSON.stringify(args)).then(done);
"""

PRELUDE = (Path(__file__).parent / "prelude.js").read_text()


@pytest.fixture
def run(browser: webdriver.Chrome, server: Server) -> Run:
    """Runs an async JavaScript body on an empty page of the server's, with the helpers of prelude.js."""
    browser.get(server.page + "healthz")
    return lambda body, **arguments: run_script(browser, server, body, **arguments)


def run_script(browser: webdriver.Chrome, server: Server, body: str, **arguments: object) -> object:
    arguments |= {"base": server.https(""), "ws": server.ws(""), "hash": arguments.get("hash", server.sha256)}
    outcome = json.loads(browser.execute_async_script(_WRAPPER, PRELUDE + body, arguments))
    assert "error" not in outcome, outcome["error"]
    return outcome["value"]


@pytest.fixture(scope="session")
def pages() -> Iterator[Pages]:
    with page_server.served() as served:
        yield served


@pytest.fixture
def foreign_page(pages: Pages) -> str:
    """A page on another host name than the server's: 127.0.0.1, where the server is asked as localhost."""
    return pages.foreign
