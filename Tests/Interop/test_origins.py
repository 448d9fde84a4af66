"""One origin policy for WebTransport, every mapping of WebSocket, and what a page may fetch."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

import http2_client
import http3_client
from server import Server
from test_http3 import http1
from websocket_peer import websocket

LISTED = "https://friend.example"


@pytest.fixture(scope="module")
def choosy_server(apus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server.start(tmp_path_factory.mktemp("origins"), "--allow-origin", LISTED)
    yield running
    running.stop()


ORIGINS = [
    pytest.param(None, True, id="no page"),
    pytest.param("https://localhost:4433", True, id="the host itself"),
    pytest.param("http://localhost:8080", True, id="the host, another port and scheme"),
    pytest.param(LISTED, True, id="listed"),
    pytest.param("HTTPS://FRIEND.EXAMPLE", True, id="listed, in capitals"),
    pytest.param("https://evil.example", False, id="foreign"),
    pytest.param("http://friend.example", False, id="listed with another scheme"),
    pytest.param("https://friend.example:8443", False, id="listed with another port"),
    pytest.param("https://localhost.evil.example", False, id="the host as a prefix"),
    pytest.param("https://evil-localhost", False, id="the host as a suffix"),
    pytest.param("https://evil.example/localhost", False, id="the host in a path"),
    pytest.param("https://localhost@evil.example", False, id="the host as a user"),
    pytest.param("null", False, id="opaque"),
    pytest.param("", False, id="empty"),
]


async def session(server: Server, origin: str | None) -> bool:
    """WebTransport."""
    fields = [] if origin is None else [(b"origin", origin.encode())]
    async with http3_client.client(server) as client:
        answer = client.answers[await client.session("/echo", "webtransport", *fields)]
        assert answer.status in (200, 403)
        return answer.status == 200


def websocket_over(mapping: str, plain: bool = False) -> Callable[[Server, str | None], Awaitable[bool]]:
    async def ask(server: Server, origin: str | None) -> bool:
        fields = {} if origin is None else {"Origin": origin}
        async with websocket(server, mapping, fields=fields, plain=plain) as tunnel:
            assert tunnel.status in (101, 200, 403)
            return tunnel.status != 403

    return ask


Fetch = Callable[[Server, str, list[tuple[str, str]]], Awaitable[tuple[int, dict[str, str]]]]


async def fetch1(server: Server, method: str, fields: list[tuple[str, str]]) -> tuple[int, dict[str, str]]:
    answer = await asyncio.to_thread(http1, server, method, "/healthz", True, dict(fields))
    return answer.status, answer.fields


async def fetch2(server: Server, method: str, fields: list[tuple[str, str]]) -> tuple[int, dict[str, str]]:
    async with http2_client.client(server) as client:
        answer = await client.request(method, "/healthz", *fields)
        return answer.status, answer.fields


async def fetch3(server: Server, method: str, fields: list[tuple[str, str]]) -> tuple[int, dict[str, str]]:
    async with http3_client.client(server) as client:
        more = [(name.encode(), value.encode()) for name, value in fields]
        answer = await client.request(method, "/healthz", *more)
        return answer.status, answer.fields


def cors(fetch: Fetch) -> Callable[[Server, str | None], Awaitable[bool]]:
    """Whether a page may read a response; a preflight must say the same (Fetch § 3.3)."""
    async def ask(server: Server, origin: str | None) -> bool:
        own = [] if origin is None else [("origin", origin)]
        status, fields = await fetch(server, "GET", own)
        assert status == 200
        shared = fields.get("access-control-allow-origin")
        assert fields["vary"].lower() == "origin"
        if origin is None:
            # Not a page: there is nobody to share with.
            assert shared is None
            return True
        preflight = own + [("access-control-request-method", "GET"), ("access-control-request-headers", "x-own")]
        status, fields = await fetch(server, "OPTIONS", preflight)
        assert fields.get("access-control-allow-origin") == shared
        assert shared in (None, origin)
        if shared is None:
            assert status == 403
            assert not [name for name in fields if name.startswith("access-control-")]
        else:
            assert status == 204
            assert fields["access-control-allow-methods"] == "GET, HEAD"
            assert fields["access-control-allow-headers"] == "x-own"
        return shared is not None

    return ask


WAYS = [
    pytest.param(session, id="WebTransport"),
    pytest.param(websocket_over("HTTP/1.1", plain=True), id="WebSocket, plain"),
    pytest.param(websocket_over("HTTP/1.1"), id="WebSocket over HTTP/1.1"),
    pytest.param(websocket_over("HTTP/2"), id="WebSocket over HTTP/2"),
    pytest.param(websocket_over("HTTP/3"), id="WebSocket over HTTP/3"),
    pytest.param(cors(fetch1), id="fetch over HTTP/1.1"),
    pytest.param(cors(fetch2), id="fetch over HTTP/2"),
    pytest.param(cors(fetch3), id="fetch over HTTP/3"),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("origin", "is_allowed"), ORIGINS)
def test_an_origin_is_allowed_over_every_way_or_over_none(
    choosy_server: Server, way: Callable[[Server, str | None], Awaitable[bool]], origin: str | None, is_allowed: bool,
) -> None:
    """RFC 6454; RFC 6455 § 10.2; draft-ietf-webtrans-http3 § 3.3; Fetch § 3.3."""
    assert asyncio.run(way(choosy_server, origin)) == is_allowed
