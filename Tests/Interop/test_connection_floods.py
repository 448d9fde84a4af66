"""Floods of connections, over UDP and TCP: what is half open is bounded and ends, and others still get in [38]."""

from __future__ import annotations

import http.client
import resource
import socket
import ssl
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection

from abuse import PATIENCE, Bystander, await_metric, metrics
from raw_http3 import HTTP3Peer
from rules import expect, http3_error
from server import Memory, Server, resident

CONNECTIONS = "apus_quic_connections"
HANDSHAKES = "apus_quic_handshakes"
RETRIES = "apus_quic_retries_total"
TIMED_OUT = 'apus_quic_connections_closed_total{reason="handshake_timeout"}'
TCP, TCP_REFUSED, TCP_TIMED_OUT = (
    "apus_tcp_connections", "apus_tcp_connections_refused_total", "apus_tcp_connections_timed_out_total",
)
# In kB: an unfinished handshake of either library, in a debug build, and what is left of the allocator's holes.
PER_HANDSHAKE = 250
# A TCP connection that has said nothing.
PER_CONNECTION = 40


def beginning() -> tuple[QuicConnection, bytes]:
    """A client and its first packet, with IDs of its own."""
    configuration = QuicConfiguration(alpn_protocols=["h3"], verify_mode=ssl.CERT_NONE, server_name="localhost")
    client = QuicConnection(configuration=configuration)
    client.connect(("127.0.0.1", 1), now=time.monotonic())
    return client, client.datagrams_to_send(now=time.monotonic())[0][0]


def flood_with_first_flights(server: Server, count: int) -> None:
    """Each from a port of its own, to which nobody listens any more."""
    for _ in range(count):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(beginning()[1], ("127.0.0.1", server.port))


def reply(sender: socket.socket, server: Server, client: QuicConnection, packet: bytes) -> bytes | None:
    """What comes first to a client that sends a packet, and then nothing more; None when nothing does in a second."""
    sender.settimeout(1)
    sender.sendto(packet, ("127.0.0.1", server.port))
    try:
        # Servers go on trying to reach the clients before it. RFC 9000 § 17.2: the ID stands behind five bytes.
        while not (came := sender.recv(65536))[6:].startswith(client.host_cid):
            pass
        return came
    except TimeoutError:
        return None


def check_others(server: Server) -> None:
    with HTTP3Peer(server) as peer:
        session = peer.session()
        assert peer.echo_of(peer.wt_stream(session, b"still served", end=True), session) == b"still served"


def test_first_flights_without_end(own_server: Server) -> None:
    """RFC 9000 § 8.1.2, § 21.3: Retry switches on by itself, so that what is half open stays bounded; the rest costs
    nothing. When the handshakes have timed out it switches off again."""
    check_others(own_server)
    memory = Memory(own_server)
    assert metrics(own_server)[RETRIES] == 0
    for _ in range(4):
        flood_with_first_flights(own_server, 150)
        check_others(own_server)
    growth = memory.growth
    # 128 on all loops together, at which Retry begins; whoever answers a Retry may begin beyond.
    half_open = await_metric(own_server, HANDSHAKES, bool)
    print(f"{half_open:.0f} handshakes half open, {growth} kB")
    assert half_open <= 140
    assert growth < 140 * PER_HANDSHAKE
    assert await_metric(own_server, RETRIES, lambda count: count > 200)
    # The handshake's time-out is ten seconds.
    await_metric(own_server, HANDSHAKES, lambda count: count == 0)
    assert await_metric(own_server, TIMED_OUT, lambda count: count >= half_open - 4)
    retries = metrics(own_server)[RETRIES]
    check_others(own_server)
    await_metric(own_server, "apus_webtransport_sessions_accepted_total", lambda count: count == 6)
    assert metrics(own_server)[RETRIES] == retries


def test_handshakes_that_are_never_finished_give_their_memory_back(own_server: Server) -> None:
    """The same again and again, each after the time-out of the last: no growth."""
    levels = []
    for _ in range(3):
        flood_with_first_flights(own_server, 150)
        await_metric(own_server, HANDSHAKES, bool)
        await_metric(own_server, HANDSHAKES, lambda count: count == 0)
        levels.append(resident(own_server))
    print(f"{levels} kB after each round")
    # The allocator's holes fill up by and by; a leak would be twice what 128 handshakes take.
    assert levels[2] - levels[0] < 64 * PER_HANDSHAKE


BEYOND = [
    # Those of sessions, and a thousand; of several loops each has a quarter and 128 above its share.
    pytest.param("max_connections", 1002, ["--max-sessions", "2", "--loops", "1"], id="connections, one loop"),
    pytest.param("max_connections", 1002 // 4 * 5 // 4 + 128, ["--max-sessions", "2", "--loops", "4"],
                 id="connections, four loops"),
    pytest.param("max_handshakes", 128, ["--loops", "16"], id="handshakes, sixteen loops"),
]


@pytest.mark.parametrize("reason, limit, arguments", BEYOND)
def test_connections_beyond_a_limit(
    apus: Path, tmp_path: Path, reason: str, limit: int, arguments: list[str]
) -> None:
    """RFC 9000 § 5.2.2, § 20.1: CONNECTION_REFUSED, at the cost of one packet. Who has a connection keeps it, and there
    is room again when the handshakes have timed out. All come from one port, and so to one loop."""
    refused = f'apus_quic_connections_refused_total{{reason="{reason}"}}'
    server = Server.start(tmp_path, "--retry", "never", *arguments)
    try:
        with Bystander(server) as bystander, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            bystander.check()
            memory = Memory(server)
            # Made before they are sent: the first must not time out before the last.
            clients = [beginning() for _ in range(limit + 100)]
            refusals = 0
            for number, (client, packet) in enumerate(clients):
                came = reply(sender, server, client, packet)
                # A refusal is one short packet; a handshake begins with full ones.
                if came is not None and len(came) < 1000:
                    refusals += 1
                    client.receive_datagram(came, ("127.0.0.1", server.port), now=time.monotonic())
                    expect("RFC 9000 § 20.1", "a first flight too many", 0x02, client._close_event.error_code)
                if number % 100 == 99:
                    bystander.check()
            print(f"{refusals} of {len(clients)} refused, {memory.growth} kB")
            # The bystander's may be on the same loop, and time has passed for the first.
            assert 50 <= refusals <= 101
            assert memory.growth < limit * PER_HANDSHAKE
            await_metric(server, refused, lambda count: count == refusals)
            await_metric(server, HANDSHAKES, lambda count: count == 0)
            check_others(server)
            bystander.check()
    finally:
        server.stop()


def test_connections_that_ask_for_nothing(own_server: Server) -> None:
    """RFC 9114 § 5.1 [35, 38]: who has finished the handshake has half a minute to ask for something, and is then closed
    without an error. Until then it costs what a connection costs, and a session beside them goes on."""
    count = 200
    with Bystander(own_server) as bystander, ExitStack() as stack:
        bystander.check()
        memory = Memory(own_server)
        idle = [stack.enter_context(HTTP3Peer(own_server)) for _ in range(count)]
        # The last packet, from which the idle timeout counts, comes after the end of the handshake.
        assert all(peer.settle() for peer in idle)
        await_metric(own_server, CONNECTIONS, lambda connections: connections >= count)
        growth = memory.growth
        print(f"{growth} kB for {count} connections")
        assert growth < count * PER_HANDSHAKE
        deadline = time.monotonic() + PATIENCE
        while metrics(own_server)[CONNECTIONS] > 1 and time.monotonic() < deadline:
            time.sleep(0.1)
            bystander.check()
        for peer in idle:
            peer.until(lambda: peer.closed is not None)
        ends = {str(peer.closed) for peer in idle}
        expect("RFC 9114 § 5.3", "nothing, for half a minute", {str(http3_error("H3_NO_ERROR"))}, ends)
        bystander.check()


@contextmanager
def many_files(count: int) -> Iterator[None]:
    """This process and the servers that it starts may open so many files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        pytest.skip(f"only {hard} files may be open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (count if soft == resource.RLIM_INFINITY else max(soft, count), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def healthz(server: Server) -> bytes:
    context = ssl._create_unverified_context()
    with urllib.request.urlopen(server.https("/healthz"), timeout=PATIENCE, context=context) as answer:
        return answer.read()


def client_hello() -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("said", [b"", client_hello()], ids=["nothing", "a ClientHello"])
def test_tls_handshakes_that_never_end(own_server: Server, said: bytes) -> None:
    """Each connection has ten seconds for its first request, TLS included; meanwhile others are served."""
    with Bystander(own_server) as bystander, ExitStack() as stack:
        bystander.check()
        memory = Memory(own_server)
        for _ in range(300):
            stack.enter_context(socket.create_connection(("127.0.0.1", own_server.port))).sendall(said)
        await_metric(own_server, TCP, lambda count: count >= 300)
        assert healthz(own_server) == b"ok"
        bystander.check()
        await_metric(own_server, TCP_TIMED_OUT, lambda count: count >= 300)
        # The one that asks for it.
        await_metric(own_server, TCP, lambda count: count <= 1)
        bystander.check()
        print(f"{memory.growth} kB for 300 connections")
        assert memory.growth < 300 * (PER_HANDSHAKE if said else PER_CONNECTION)


def test_a_hello_that_grows_without_end(own_server: Server) -> None:
    """RFC 8446 § 4: the length of a message says up to 16 MiB; 32 KiB are what a client may say before it is known."""
    hello = b"\x01\xff\xff\xff\x03\x03" + bytes(1 << 20)
    part = 16_000
    with Bystander(own_server) as bystander:
        memory = Memory(own_server)
        for _ in range(100):
            with socket.create_connection(("127.0.0.1", own_server.port), timeout=PATIENCE) as plain, \
                    suppress(ConnectionError):
                for start in range(0, len(hello), part):
                    data = hello[start:start + part]
                    plain.sendall(b"\x16\x03\x01" + len(data).to_bytes(2, "big") + data)
                while plain.recv(1 << 16):
                    pass
        bystander.check()
        print(f"{memory.growth} kB")
        assert memory.growth < 100 * PER_CONNECTION


def test_a_server_without_descriptors_says_so_and_waits_for_them(own_server: Server) -> None:
    """What it cannot accept it tries again after a second, not at once and for ever."""
    pid = own_server.process.pid
    log = own_server.directory / "server.log"
    warning = "a connection cannot be accepted"
    count = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    former = resource.prlimit(pid, resource.RLIMIT_NOFILE, (count + 20, count + 20))
    assert former[0] == former[1], "the server takes all that it may have"
    with ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(socket.create_connection(("127.0.0.1", own_server.http_port), timeout=PATIENCE))
        deadline = time.monotonic() + PATIENCE
        while log.read_text().count(warning) < 3:
            assert time.monotonic() < deadline, "it does not say that it accepts nothing"
            time.sleep(0.1)
        assert log.read_text().count(warning) < 10
    assert healthz(own_server) == b"ok"


def test_tcp_connections_beyond_the_limit(apus: Path, tmp_path: Path) -> None:
    """A thousand beside the sessions; further ones are closed at once, and counted. Those that end make room. Who has a
    connection keeps it, over TCP as over UDP."""
    with many_files(4096):
        server = Server.start(tmp_path, "--max-sessions", "1")
        try:
            with ExitStack() as stack:
                bystander = stack.enter_context(Bystander(server))
                kept = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=PATIENCE)
                stack.callback(kept.close)
                assert asked_again(kept) == b"ok"
                memory = Memory(server)
                for _ in range(1100):
                    stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
                # Metrics come over a connection, too, which then finds no place: they are read when the others have ended.
                await_refusal(server)
                assert asked_again(kept) == b"ok"
                bystander.check()
                growth = memory.growth
                print(f"{growth} kB for 1,000 connections")
                assert growth < 1000 * PER_CONNECTION
            await_places(server)
            await_metric(server, TCP_REFUSED, bool)
            assert healthz(server) == b"ok"
        finally:
            server.stop()


def asked_again(connection: http.client.HTTPConnection) -> bytes:
    connection.request("GET", "/healthz")
    return connection.getresponse().read()


def await_refusal(server: Server) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            metrics(server)
        except OSError:
            return
    pytest.fail("there is always a place")


def await_places(server: Server) -> None:
    """Until a connection for metrics finds a place, and no other is open."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            await_metric(server, TCP, lambda count: count <= 1)
            return
        except OSError:
            assert time.monotonic() < deadline, "connections that ended make no room"
            time.sleep(0.1)
