"""What carries a page's WebSocket in Chromium: HTTP/2 by itself (RFC 8441), HTTP/3 behind a switch (RFC 9220) [69, 70].

Both need a connection of that version to be there already, which the page that opens the WebSocket has come over.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from selenium import webdriver

from conftest import launch_chromium, run_script
from server import Server
from test_websocket_browser import OPEN

MAPPINGS = {"HTTP/1.1": "http/1.1", "HTTP/2": "h2", "HTTP/3": "h3"}


@pytest.fixture(scope="module")
def trusted_server(apus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """With the hash of its key, by which Chromium can be told to trust it."""
    directory = tmp_path_factory.mktemp("trusted")
    running = Server.start(directory)
    certificate = x509.load_pem_x509_certificate((directory / "certs/development.pem").read_bytes())
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    yield running, base64.b64encode(hashlib.sha256(key).digest()).decode()
    running.stop()


@pytest.fixture(scope="module", params=MAPPINGS)
def page(
    request: pytest.FixtureRequest, trusted_server: tuple[Server, str], tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[webdriver.Chrome, Server, str]]:
    """A page that has come over the version of HTTP that the WebSocket is to use."""
    server, key = trusted_server
    switches = {
        "HTTP/1.1": ["--disable-quic", "--disable-http2"],
        "HTTP/2": ["--disable-quic"],
        "HTTP/3": [
            f"--origin-to-force-quic-on=localhost:{server.port}", "--enable-features=EnableWebsocketsOverHttp3",
        ],
    }[request.param]
    profile = tmp_path_factory.mktemp("chromium")
    chrome = launch_chromium(profile, f"--ignore-certificate-errors-spki-list={key}", *switches)
    chrome.get(server.https("/healthz"))
    came_over = chrome.execute_script("return performance.getEntriesByType('navigation')[0].nextHopProtocol")
    assert came_over == MAPPINGS[request.param]
    yield chrome, server, request.param
    chrome.quit()


def run(page: tuple[webdriver.Chrome, Server, str], body: str, path: str) -> object:
    chrome, server, _ = page
    return run_script(chrome, server, "args.ws = `wss://${location.host}`;" + body, path=path)


def test_the_page_s_connection_carries_its_websocket(page: tuple[webdriver.Chrome, Server, str]) -> None:
    """The server says what the request came over."""
    seen = json.loads(run(page, OPEN + "return message();", "/test/request"))
    assert seen["version"] == page[2]
    assert seen.get("protocol") == (None if page[2] == "HTTP/1.1" else "websocket")


def test_messages_come_back_with_their_kind(page: tuple[webdriver.Chrome, Server, str]) -> None:
    assert run(page, OPEN + """
        socket.send("größe");
        const first = await message();
        const data = pattern(700000);
        socket.send(data);
        const second = new Uint8Array(await message());
        socket.close();
        return [first, equal(second, data), (await closed).wasClean];
    """, "/echo") == ["größe", True, True]


def test_close_by_the_server_carries_code_and_reason(page: tuple[webdriver.Chrome, Server, str]) -> None:
    assert run(page, OPEN + "return closed;", "/close?code=4242&reason=bye") == {
        "code": 4242, "reason": "bye", "wasClean": True,
    }


def test_close_by_the_page_completes_the_handshake(page: tuple[webdriver.Chrome, Server, str]) -> None:
    assert run(page, OPEN + "socket.close(3001, 'done'); return closed;", "/echo") == {
        "code": 3001, "reason": "done", "wasClean": True,
    }


def test_many_sockets_at_once(page: tuple[webdriver.Chrome, Server, str]) -> None:
    assert run(page, """
        const echo = (number) => new Promise((resolve, reject) => {
          const socket = new WebSocket(args.ws + args.path);
          socket.onopen = () => socket.send(`${number}`);
          socket.onmessage = ({ data }) => { resolve(data === `${number}`); socket.close(); };
          socket.onclose = ({ code }) => reject(new Error(`closed with ${code}`));
        });
        const answers = await Promise.all(Array.from({ length: 30 }, (_, number) => echo(number)));
        return answers.every((isRight) => isRight);
    """, "/echo") is True


def test_a_refusal_reaches_the_page(page: tuple[webdriver.Chrome, Server, str]) -> None:
    assert run(page, """
        const socket = new WebSocket(args.ws + args.path);
        return new Promise((resolve) => {
          socket.onopen = () => resolve("open");
          socket.onclose = ({ code }) => resolve(code);
        });
    """, "/nowhere") == 1006
