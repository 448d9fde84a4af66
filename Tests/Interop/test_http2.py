"""HTTP/2 on the TLS port as an independent implementation (h2) sees it."""

from __future__ import annotations

import asyncio
import socket
import ssl

import pytest
from h2.errors import ErrorCodes

from abuse import metrics
from http2_client import TIMEOUT, Field, client, tls
from raw_http2 import CONTINUATION, GET, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame, literal
from server import Memory, Server
from test_http3 import TRANSPORT_FIELDS, http1, lab_files


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_resources_are_the_same_over_http2_and_http1(server: Server, method: str) -> None:
    paths = ["/", "/healthz", "/api/certificate", "/nothing", "/lab/", *lab_files(server)]

    async def main() -> None:
        async with client(server) as connection:
            for path in paths:
                expected = http1(server, method, path)
                answer = await connection.request(method, path)
                assert answer.reset is None and bytes(answer.body) == expected.body, path
                kept = {k: v for k, v in expected.fields.items() if k not in TRANSPORT_FIELDS}
                assert {k: v for k, v in answer.fields.items() if k not in TRANSPORT_FIELDS} == kept, path
                assert answer.fields["date"]

    asyncio.run(main())


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_other_methods_are_405_with_allow(server: Server, method: str) -> None:
    """RFC 9110 § 15.5.6."""
    async def main() -> None:
        async with client(server) as connection:
            answer = await connection.request(method, "/healthz")
            assert (answer.status, answer.fields["allow"]) == (405, "GET, HEAD")

    asyncio.run(main())


def test_alt_svc_names_the_port_of_http3(server: Server) -> None:
    """RFC 7838 § 3."""
    async def main() -> None:
        async with client(server) as connection:
            answer = await connection.request("GET", "/healthz")
            assert answer.fields["alt-svc"] == f'h3=":{server.port}"; ma=86400'

    asyncio.run(main())


@pytest.mark.parametrize(("offered", "chosen"), [
    (("h2", "http/1.1"), "h2"), (("http/1.1", "h2"), "h2"), (("http/1.1",), "http/1.1"), (("h2",), "h2"), ((), None),
])
def test_alpn_decides(server: Server, offered: tuple[str, ...], chosen: str | None) -> None:
    """RFC 7301 § 3.2: the server's best; RFC 9113 § 3.2: HTTP/2 only by ALPN, and HTTP/1.1 without."""
    async def main() -> None:
        context = tls(*offered) if offered else ssl._create_unverified_context()  # noqa: S323
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context)
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == chosen
        async with asyncio.timeout(TIMEOUT):
            if chosen == "h2":
                # SETTINGS come first, without waiting for the client (RFC 9113 § 3.4).
                assert (await reader.readexactly(9))[3] == 4
            else:
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        writer.transport.abort()

    asyncio.run(main())


def test_a_client_that_speaks_neither_is_refused(server: Server) -> None:
    """RFC 7301 § 3.2: no_application_protocol."""
    async def main() -> None:
        with pytest.raises(ssl.SSLError) as refusal:
            await asyncio.open_connection("127.0.0.1", server.port, ssl=tls("spdy/3"))
        assert "no application protocol" in str(refusal.value).lower()

    asyncio.run(main())


def test_a_hundred_requests_at_once_are_all_answered(server: Server) -> None:
    async def main() -> None:
        async with client(server) as connection:
            answers = await asyncio.gather(*(connection.request("GET", "/healthz") for _ in range(100)))
            assert [bytes(answer.body) for answer in answers] == [b"ok"] * 100

    asyncio.run(main())


# MARK: What is refused, and leaves the connection as it was

LONG = "x" * 9_000
REFUSED = [
    pytest.param([(":path", "/" + LONG)], 414, id="RFC 9110 15.5.15: a target that is too long"),
    pytest.param([(f"x-{n}", LONG[:4000]) for n in range(20)], 431, id="RFC 6585 5: a header section that is too large"),
    pytest.param([("content-length", "70000")], 413, id="RFC 9110 15.5.14: a body that is too large"),
    pytest.param([(":scheme", "http")], 421, id="RFC 9110 7.4: the other scheme"),
    pytest.param([(":path", "healthz")], 400, id="RFC 9113 8.3.1: a path without a slash"),
    pytest.param([(":path", "/a#b")], 400, id="RFC 9113 8.3.1: a fragment"),
    pytest.param([(":authority", "a@b")], 400, id="RFC 9113 8.3.1: user information"),
    pytest.param([(":authority", "")], 400, id="RFC 9113 8.3.1: no host"),
    pytest.param([("host", "elsewhere")], 400, id="RFC 9113 8.3.1: a Host that contradicts"),
]


@pytest.mark.parametrize(("fields", "status"), REFUSED)
def test_what_is_refused_leaves_the_connection_as_it_was(server: Server, fields: list[Field], status: int) -> None:
    async def main() -> None:
        async with client(server) as connection:
            stream = connection.streams[connection.ask("GET", "/healthz", *fields, end=status != 413)]
            await connection.until(lambda: stream.is_ended or stream.reset is not None or connection.is_closed)
            assert stream.status == status
            assert (await connection.request("GET", "/healthz")).body == b"ok"

    asyncio.run(main())


MALFORMED = [
    pytest.param([("connection", "close")], id="8.2.2: Connection"),
    pytest.param([("upgrade", "websocket")], id="8.2.2: Upgrade"),
    pytest.param([("te", "gzip")], id="8.2.2: TE"),
    pytest.param([("X-Upper", "1")], id="8.2.1: an upper-case name"),
    pytest.param([("x", "a\rb")], id="8.2.1: a carriage return"),
    pytest.param([(":path", "")], id="8.3.1: an empty path"),
    pytest.param([(":nonsense", "1")], id="8.3: an unknown pseudo-header field"),
    pytest.param([("content-length", "x")], id="8.1.1: a length that is no number"),
]


@pytest.mark.parametrize("fields", MALFORMED)
def test_malformed_requests_cost_their_stream_alone(server: Server, fields: list[Field]) -> None:
    """RFC 9113 § 8.1.1: a stream error of type PROTOCOL_ERROR."""
    async def main() -> None:
        async with client(server) as connection:
            stream = await connection.request("GET", "/healthz", *fields)
            assert stream.reset == ErrorCodes.PROTOCOL_ERROR
            assert (await connection.request("GET", "/healthz")).body == b"ok"

    asyncio.run(main())


@pytest.mark.parametrize("length", [4, 6])
def test_a_length_that_is_not_the_bodys_costs_its_stream_at_most(server: Server, length: int) -> None:
    """RFC 9113 § 8.1.1: malformed, which shows when the response may be out."""
    async def main() -> None:
        async with client(server) as connection:
            number = connection.ask("POST", "/healthz", ("content-length", "5"), end=False)
            stream = connection.streams[number]
            connection.http.send_data(number, b"x" * length, end_stream=True)
            connection.flush()
            await connection.until(lambda: stream.is_ended or stream.reset is not None)
            assert stream.reset in (None, ErrorCodes.PROTOCOL_ERROR)
            assert (await connection.request("GET", "/healthz")).body == b"ok"

    asyncio.run(main())


def test_a_body_that_nobody_wants_is_stopped(server: Server) -> None:
    """RFC 9113 § 8.1: the whole response, then RST_STREAM with NO_ERROR, once the stream's window is full."""
    async def main() -> None:
        async with client(server) as connection:
            number = connection.ask("POST", "/healthz", end=False)
            stream = connection.streams[number]
            await connection.until(lambda: stream.is_ended)
            await connection.send(number, b"x" * 65_535)
            await connection.until(lambda: stream.reset is not None)
            assert (stream.status, stream.reset) == (405, ErrorCodes.NO_ERROR)
            assert (await connection.request("GET", "/healthz")).body == b"ok"

    asyncio.run(main())


def test_trailers_behind_the_response_cost_nothing(server: Server) -> None:
    """RFC 9113 § 8.1: a request may end with trailers, also one that was answered before its end."""
    async def main() -> None:
        async with client(server) as connection:
            number = connection.ask("POST", "/healthz", end=False)
            stream = connection.streams[number]
            await connection.until(lambda: stream.is_ended)
            await connection.send(number, b"x" * 1000)
            connection.http.send_headers(number, [("checksum", "none")], end_stream=True)
            connection.flush()
            assert (await connection.request("GET", "/healthz")).body == b"ok"
            assert (stream.status, stream.reset) == (405, None)

    asyncio.run(main())


def test_a_websocket_may_have_empty_data_frames(server: Server) -> None:
    """RFC 9113 § 6.1 allows them, between frames of a message as well."""
    async def main() -> None:
        async with client(server) as connection:
            number = connection.ask_with([
                (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":authority", "localhost"),
                (":path", "/echo"), ("sec-websocket-version", "13"),
            ], end=False)
            stream = await connection.answered(number)
            assert stream.status == 200
            for _ in range(10):
                connection.http.send_data(number, b"")
                connection.flush()
                # A masked text of one letter, and its echo.
                count = len(stream.body)
                await connection.send(number, bytes([0x81, 0x81, 0, 0, 0, 0]) + b"a")
                await connection.until(lambda: len(stream.body) >= count + 3)
            assert bytes(stream.body) == (bytes([0x81, 1]) + b"a") * 10

    asyncio.run(main())


# MARK: What ends the connection

def rapid_reset(count: int) -> bytes:
    cancel = int(ErrorCodes.CANCEL).to_bytes(4, "big")
    return b"".join(
        frame(HEADERS, 5, 2 * n + 1, GET) + frame(RST_STREAM, 0, 2 * n + 1, cancel) for n in range(count))


CALM = ErrorCodes.ENHANCE_YOUR_CALM
# What is sent, the code of the GOAWAY, and the limit as it stands in metrics.
FLOODS = [
    pytest.param(rapid_reset(20_000), CALM, "resets", id="CVE-2023-44487: rapid reset"),
    pytest.param(frame(PING, 0, 0, bytes(8)) * 20_000, CALM, "control_frames", id="CVE-2019-9512: pings"),
    pytest.param(frame(SETTINGS, 0, 0) * 20_000, CALM, "control_frames", id="CVE-2019-9515: settings"),
    pytest.param(
        frame(HEADERS, 0, 1, GET) + frame(CONTINUATION, 0, 1) * 20_000, CALM, "continuations",
        id="CVE-2024-24549: continuations"),
    pytest.param(
        frame(HEADERS, 4, 1, b"\x83\x87\x84\x41\x09localhost") + frame(0, 0, 1) * 20_000, CALM, "empty_data",
        id="CVE-2019-9518: empty data"),
    pytest.param(
        b"".join(frame(HEADERS, 5, 2 * n + 1, b"\x82") for n in range(2_000)), CALM, "stream_errors",
        id="CVE-2025-8671: requests that must be reset"),
    pytest.param(
        frame(HEADERS, 0, 1, b"\x00\x01x\x7f\x81\xff\x0f" + b"y" * 16_000) + frame(CONTINUATION, 0, 1, b"y" * 16_000) * 100,
        ErrorCodes.PROTOCOL_ERROR, "header_sections", id="RFC 9113 10.5.1: a header section without end"),
]

VIOLATIONS = [
    pytest.param(
        frame(HEADERS, 5, 1, GET + b"\x00\x01x\x7f\x81\xff\x07" + b"y" * 16_000), ErrorCodes.COMPRESSION_ERROR,
        id="RFC 7541 5.2: a field cut short"),
    pytest.param(frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff") * 2, ErrorCodes.FLOW_CONTROL_ERROR,
        id="RFC 9113 6.9.1: a window that is too large"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", ErrorCodes.PROTOCOL_ERROR, id="RFC 9113 3.4: no preface"),
    pytest.param(bytes(range(256)) * 400, ErrorCodes.PROTOCOL_ERROR, id="garbage"),
    pytest.param(frame(0, 0, 0, b"x"), ErrorCodes.PROTOCOL_ERROR, id="RFC 9113 6.1: data of no stream"),
    pytest.param(frame(HEADERS, 5, 2, GET), ErrorCodes.PROTOCOL_ERROR, id="RFC 9113 5.1.1: a server's stream"),
    pytest.param(frame(SETTINGS, 0, 0, b"x" * 5), ErrorCodes.FRAME_SIZE_ERROR, id="RFC 9113 6.5: settings cut short"),
    pytest.param(frame(PING, 0, 0, bytes(17_000)), ErrorCodes.FRAME_SIZE_ERROR, id="RFC 9113 4.2: a frame that is too large"),
]


async def goaway(server: Server, sent: bytes) -> int | None:
    """Sends bytes on a connection of their own, and answers the code of the GOAWAY in front of its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=tls("h2"))
    received = b""
    try:
        is_http2 = not sent.startswith((b"GET", bytes(range(8))))
        writer.write((PREFACE if is_http2 else b"") + sent)
        async with asyncio.timeout(TIMEOUT):
            while data := await reader.read(1 << 16):
                received += data
    except (ConnectionError, ssl.SSLError):
        # What it has not read makes the kernel reset the connection.
        pass
    finally:
        writer.transport.abort()
    code = None
    while len(received) >= 9:
        length, kind = int.from_bytes(received[:3], "big"), received[3]
        if kind == 7:
            code = int.from_bytes(received[13:17], "big")
        received = received[9 + length :]
    return code


def check_end(own_server: Server, sent: bytes, code: int) -> None:
    """The connection ends with that code. A second client is served all the while, and the memory is returned."""
    async def main() -> None:
        async with client(own_server) as other:
            await other.request("GET", "/healthz")
            memory = Memory(own_server)
            codes = set()
            for _ in range(3):
                codes.add(await goaway(own_server, sent))
                assert (await other.request("GET", "/healthz")).body == b"ok"
            # A reset of the kernel's may overtake one of them.
            assert codes - {None} == {code}
            assert memory.growth < 16 << 10

    asyncio.run(main())


@pytest.mark.parametrize(("sent", "code", "limit"), FLOODS)
def test_what_is_too_much_ends_its_connection_and_no_other(own_server: Server, sent: bytes, code: int, limit: str) -> None:
    series = f'apus_http2_limits_exceeded_total{{limit="{limit}"}}'
    assert metrics(own_server)[series] == 0
    check_end(own_server, sent, code)
    assert metrics(own_server)[series] == 3


@pytest.mark.parametrize(("sent", "code"), VIOLATIONS)
def test_what_breaks_a_rule_ends_its_connection_and_no_other(own_server: Server, sent: bytes, code: int) -> None:
    check_end(own_server, sent, code)
    exceeded = {name: value for name, value in metrics(own_server).items() if name.startswith("apus_http2_limits")}
    assert exceeded and not any(exceeded.values())


def test_a_client_that_asks_and_does_not_read_is_not_read_either(own_server: Server) -> None:
    """Header sections are under no flow control (RFC 9113 § 5.2.1), so that TCP's must hold."""
    count, size = 10_000, 4000
    with socket.socket() as plain:
        # Before the connection, which decides on the window.
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 10)
        plain.settimeout(TIMEOUT)
        plain.connect(("127.0.0.1", own_server.port))
        with tls("h2").wrap_socket(plain) as connection:
            memory = Memory(own_server)
            connection.sendall(PREFACE)
            connection.settimeout(3)
            sent = 0
            try:
                for number in range(count):
                    # A page's question comes back in the answer.
                    fields = [("origin", "https://localhost"), ("access-control-request-method", "GET"),
                        ("access-control-request-headers", f"{number:08}" + "x" * size)]
                    head = b"\x02\x07OPTIONS\x87\x84\x41\x09localhost" + b"".join(literal(*item) for item in fields)
                    connection.sendall(frame(HEADERS, 5, 2 * number + 1, head))
                    sent = number
            except TimeoutError:
                pass
            assert 0 < sent < count // 2, sent
            assert memory.growth < 24 << 10

    async def main() -> None:
        async with client(own_server) as other:
            assert (await other.request("GET", "/healthz")).body == b"ok"

    asyncio.run(main())


def test_more_streams_than_allowed_end_the_connection(server: Server) -> None:
    """RFC 9113 § 5.1.2: the limit is in SETTINGS, and whoever breaks it was told."""
    async def main() -> None:
        async with client(server) as connection:
            limit = connection.settings[3]
            assert limit == 100
            fields = [(":protocol", "websocket"), ("sec-websocket-version", "13")]
            for _ in range(limit):
                assert (await connection.answered(connection.ask("CONNECT", "/echo", *fields, end=False))).status == 200
            connection.http.remote_settings.max_concurrent_streams = 1000
            connection.http.remote_settings.acknowledge()
            extra = connection.ask("CONNECT", "/echo", *fields, end=False)
            await connection.until(lambda: connection.is_closed or connection.streams[extra].reset is not None)
            assert ":status" not in connection.streams[extra].fields
        async with client(server) as other:
            assert (await other.request("GET", "/healthz")).body == b"ok"

    asyncio.run(main())
