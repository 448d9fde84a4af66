"""HTTP/3 as an independent implementation (aioquic) sees it, beside HTTP/1.1."""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import socket
import ssl
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

import http2_client
import http3_client
from http3_client import TIMEOUT, Answer, client, echo
from server import Server


def http1(
    server: Server, method: str, path: str, tls: bool = True, request: dict[str, str] | None = None,
) -> Answer:
    if tls:
        context = ssl._create_unverified_context()  # noqa: S323: its hash is checked elsewhere
        connection = http.client.HTTPSConnection("localhost", server.port, timeout=TIMEOUT, context=context)
    else:
        connection = http.client.HTTPConnection("localhost", server.http_port, timeout=TIMEOUT)
    connection.request(method, path, headers=request or {})
    response = connection.getresponse()
    fields = {name.lower(): value for name, value in response.getheaders()}
    answer = Answer(fields | {":status": str(response.status)}, response.read())
    connection.close()
    return answer


# Of the connection, or of the moment.
TRANSPORT_FIELDS = {"date", "alt-svc", "connection", "keep-alive"}


def lab_files(server: Server) -> list[str]:
    page = http1(server, "GET", "/").body.decode()
    return sorted(set(re.findall(r'"(/lab/[\w.-]+)"', page)))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_resources_are_the_same_over_http3_and_http1(server: Server, method: str) -> None:
    """RFC 9114 § 4 [44]: status, fields and content are those of HTTP, whatever carries them."""
    paths = ["/", "/healthz", "/api/certificate", "/nothing", "/lab/", *lab_files(server)]
    assert len(paths) > 6

    async def main() -> None:
        async with client(server) as protocol:
            for path in paths:
                expected = http1(server, method, path)
                answer = await protocol.request(method, path)
                assert answer.body == expected.body, path
                # RFC 9110 § 6.6.1: a second may lie between them.
                assert abs(seconds(answer.fields["date"]) - seconds(expected.fields["date"])) < 60
                kept = {k: v for k, v in expected.fields.items() if k not in TRANSPORT_FIELDS}
                assert {k: v for k, v in answer.fields.items() if k not in TRANSPORT_FIELDS} == kept, path

    asyncio.run(main())


def seconds(date: str) -> float:
    return parsedate_to_datetime(date).timestamp()


def test_what_is_not_there_is_404_and_other_methods_are_405_with_allow(server: Server) -> None:
    """RFC 9110 § 15.5.5, § 15.5.6 [44]"""
    async def main() -> None:
        async with client(server) as protocol:
            assert (await protocol.request("GET", "/nothing")).status == 404
            for method in ("POST", "DELETE", "OPTIONS"):
                answer = await protocol.request(method, "/healthz")
                assert answer.status == 405
                assert answer.fields["allow"] == "GET, HEAD"
                expected = http1(server, method, "/healthz")
                assert (expected.status, expected.fields["allow"]) == (405, "GET, HEAD")

    asyncio.run(main())


TRAVERSALS = [
    "/lab/../index.html", "/lab/%2e%2e/Package.swift", "/lab/..%2f..%2fPackage.swift", "/lab/%2E%2E%5C..%5CPackage.swift",
    "/lab//etc/passwd", "/lab/../../../../../../../../etc/passwd", "/lab/%252e%252e/index.html", "/lab/index.html%00.js",
    "/../index.html", "//lab/index.html", "/lab/./index.html", "/lab/index.html/", "/.", "/..", "/lab/..",
]


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2", "HTTP/3"])
def test_no_path_leads_out_of_the_lab_s_folder(server: Server, version: str) -> None:
    """RFC 9110 § 17.3: what is served is a table, over every version."""
    async def statuses() -> list[int]:
        if version == "HTTP/1.1":
            return [http1(server, "GET", path).status for path in TRAVERSALS]
        module = http2_client if version == "HTTP/2" else http3_client
        async with module.client(server) as protocol:
            return [(await protocol.request("GET", path)).status for path in TRAVERSALS]

    assert asyncio.run(statuses()) == [404] * len(TRAVERSALS)


@pytest.mark.parametrize("tls", [True, False])
def test_alt_svc_names_the_port_of_http3(server: Server, tls: bool) -> None:
    """RFC 7838 § 3 [47]"""
    assert http1(server, "GET", "/healthz", tls).fields["alt-svc"].startswith(f'h3=":{server.port}"')


def test_a_hundred_requests_at_once_are_all_answered(server: Server) -> None:
    async def main() -> None:
        async with client(server) as protocol:
            answers = await asyncio.gather(*(protocol.request("GET", "/healthz") for _ in range(100)))
            assert [answer.body for answer in answers] == [b"ok"] * 100

    asyncio.run(main())


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_ipv4_and_ipv6_are_both_served(server: Server, host: str) -> None:
    if host == "::1" and not Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6")

    async def main() -> None:
        async with client(server, host) as protocol:
            assert (await protocol.request("GET", "/healthz")).body == b"ok"
            await echo(protocol)

    asyncio.run(main())


def test_an_unknown_version_is_answered_with_version_negotiation(server: Server) -> None:
    """RFC 9000 § 6 [49]: only a datagram as large as an Initial must be is answered, with the connection IDs exchanged."""
    destination, source = os.urandom(8), os.urandom(5)
    header = b"\xc0" + bytes.fromhex("1a2a3a4a") + b"\x08" + destination + b"\x05" + source
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(TIMEOUT)
        # The small one comes first, so that an answer to it would be seen.
        small = b"\xc0" + bytes.fromhex("1a2a3a4a") + b"\x01\x00\x01\x00"
        for datagram in (small.ljust(1199, b"\x00"), header.ljust(1200, b"\x00")):
            udp.sendto(datagram, ("127.0.0.1", server.port))
        answer, _ = udp.recvfrom(2048)
    assert answer[0] & 0x80
    assert answer[1:5] == bytes(4)
    assert answer[5:11] == b"\x05" + source
    assert answer[11:20] == b"\x08" + destination
    versions = [answer[i : i + 4] for i in range(20, len(answer), 4)]
    assert bytes.fromhex("00000001") in versions
    assert bytes.fromhex("1a2a3a4a") not in versions


def test_with_retry_demanded_sessions_begin_all_the_same(apus: Path, tmp_path: Path) -> None:
    """RFC 9000 § 8.1.2 [50]"""
    running = Server.start(tmp_path, "--retry", "always")

    async def main() -> None:
        async with client(running) as protocol:
            # The peer's own record of a Retry that it obeyed (RFC 9000 § 7.3).
            assert protocol._quic._retry_source_connection_id is not None
            await echo(protocol)

    try:
        asyncio.run(main())
    finally:
        running.stop()


def test_without_need_there_is_no_retry(server: Server) -> None:
    async def main() -> None:
        async with client(server) as protocol:
            assert protocol._quic._retry_source_connection_id is None

    asyncio.run(main())
