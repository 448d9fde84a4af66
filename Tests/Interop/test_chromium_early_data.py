"""Chromium fetches over HTTP/3 again after its connection has ended: it resumes, and its request travels in 0-RTT."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from conftest import SCRIPT_TIMEOUT, missing
from server import Server

FETCH = """
const [path, done] = arguments;
fetch(path, { cache: "no-store" }).then(
  async (response) => done([response.status, await response.text()]), (error) => done([0, String(error)]));
"""


@pytest.fixture
def impatient_server(apus: Path, tmp_path: Path) -> Iterator[Server]:
    """A server that ends connections soon, and leaves a qlog of each."""
    running = Server.start(tmp_path, "--idle-timeout", "1s", "--qlog", str(tmp_path / "qlog"))
    yield running
    running.stop()


@pytest.fixture
def trusting_browser(impatient_server: Server, tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """Hashes serve WebTransport only: for a page this browser has to be told which key, and that there is HTTP/3."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        missing("chromium or chromedriver is not installed")
    certificate = x509.load_pem_x509_certificate((tmp_path / "certs/development.pem").read_bytes())
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        f"--user-data-dir={tmp_path / 'profile'}",
        f"--origin-to-force-quic-on=localhost:{impatient_server.port}",
        f"--ignore-certificate-errors-spki-list={base64.b64encode(hashlib.sha256(key).digest()).decode()}",
    ):
        options.add_argument(argument)
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    chrome.set_script_timeout(SCRIPT_TIMEOUT)
    yield chrome
    chrome.quit()


def open_logs(server: Server) -> int:
    """The qlogs that the server is still writing, each of which is a connection."""
    descriptors = Path(f"/proc/{server.process.pid}/fd")
    return sum(os.readlink(entry).endswith(".sqlog") for entry in descriptors.iterdir() if entry.is_symlink())


def early_packets(server_log: Path) -> int:
    """The 0-RTT packets that the server has read on one connection."""
    return sum("packet_received" in event and '"0RTT"' in event for event in server_log.read_text().splitlines())


def test_another_fetch_travels_in_0rtt(
    impatient_server: Server, trusting_browser: webdriver.Chrome, tmp_path: Path
) -> None:
    """RFC 9001 § 4.6: Chromium resumes by itself; the server reads its 0-RTT packets, and answers.

    Chromium tells the age of a ticket in whole seconds. GnuTLS refuses early data when that is more than it knows of,
    hence every other time; twelve refusals in a row are none of chance.
    """
    trusting_browser.get(impatient_server.https("/healthz"))
    for attempt in range(12):
        answer = trusting_browser.execute_async_script(FETCH, f"/healthz?{attempt}")
        assert answer == [200, "ok"]
        deadline = time.monotonic() + 60
        while open_logs(impatient_server) > 0:
            assert time.monotonic() < deadline, "the idle connection does not end"
            time.sleep(0.1)
        counts = [early_packets(log) for log in (tmp_path / "qlog").iterdir()]
        if any(counts):
            break
    assert any(counts), f"no 0-RTT packet on any of {len(counts)} connections"
    assert 0 in counts, "the first connection has nothing to resume"
