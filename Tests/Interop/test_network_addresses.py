"""What a server believes of a client's address, and what it says to those whom it does not know. The client is aioquic.
"""

from __future__ import annotations

import asyncio
import datetime
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aioquic.h3.connection import H3_ALPN
from aioquic.quic.configuration import QuicConfiguration
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from abuse import await_metric, metrics
from http3_client import TIMEOUT, Client, client, echo, exchange
from raw_quic import RawConnection
from rules import Close, expect, quic_error
from server import Server
from udp_proxy import Conditions, Network

UNKNOWN_VERSION = 0x1A2A3A4A
# RFC 9000 § 14.1: the least that a client's first datagram has.
INITIAL = 1200


@pytest.fixture(scope="module")
def retrying(apus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that makes every client prove its address."""
    running = Server.start(tmp_path_factory.mktemp("retrying"), "--retry", "always")
    yield running
    running.stop()


INVALID_TOKENS = 'apus_quic_connections_refused_total{reason="invalid_token"}'


def was_retried(protocol: Client) -> bool:
    # The peer's own record of a Retry that it obeyed (RFC 9000 § 7.3).
    return protocol._quic._retry_source_connection_id is not None


# MARK: Version negotiation


def test_a_client_of_another_version_is_led_to_version_1(server: Server) -> None:
    """RFC 9000 § 6 [49]: it learns of version 1 from the server, and begins anew."""

    async def main() -> None:
        versions = [UNKNOWN_VERSION, 1]
        async with client(server, original_version=UNKNOWN_VERSION, supported_versions=versions) as protocol:
            assert protocol._quic._version_negotiated_incompatible
            assert protocol._quic._version == 1
            await echo(protocol)

    asyncio.run(main())


# MARK: Tokens


def after_retry(server: Server, change: Callable[[bytes], bytes], source: str = "127.0.0.1") -> Close | str:
    """Obeys a Retry with a token changed, or from another address; returns how the server takes it."""
    configuration = QuicConfiguration(alpn_protocols=H3_ALPN, verify_mode=ssl.CERT_NONE, server_name="localhost")
    quic = RawConnection(configuration, {}, None, [], [])
    address = ("127.0.0.1", server.port)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as first,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as second,
    ):
        first.bind(("127.0.0.1", 0))
        second.bind((source, 0))
        for each in (first, second):
            each.settimeout(TIMEOUT)
        quic.connect(address, now=time.monotonic())
        first.sendto(quic.datagrams_to_send(now=time.monotonic())[0][0], address)
        quic.receive_datagram(first.recv(2048), address, now=time.monotonic())
        assert quic._retry_source_connection_id is not None
        quic._peer_token = change(quic._peer_token)
        # From the address that the token was given to, it is the same socket, as the port is part of the address.
        sender = first if source == "127.0.0.1" else second
        sender.sendto(quic.datagrams_to_send(now=time.monotonic())[0][0], address)
        quic.receive_datagram(sender.recv(2048), address, now=time.monotonic())
    return quic.peer_close or "the server goes on with the handshake"


def altered(token: bytes) -> bytes:
    """One bit turned over in the midst; the first byte says whether it is of a Retry."""
    return token[:20] + bytes([token[20] ^ 1]) + token[21:]


@pytest.mark.parametrize(("sent", "change", "source", "expected"), [
    ("the token as it came", lambda token: token, "127.0.0.1", "the server goes on with the handshake"),
    ("the token with one bit turned over", altered, "127.0.0.1", quic_error("INVALID_TOKEN")),
    ("the token with its end cut off", lambda token: token[:-1], "127.0.0.1", quic_error("INVALID_TOKEN")),
    ("the token from another address", lambda token: token, "127.0.0.2", quic_error("INVALID_TOKEN")),
], ids=["as it is", "altered", "cut off", "from elsewhere"])
def test_a_retry_token_is_good_for_whom_it_was_given_to(
    retrying: Server, sent: str, change: Callable, source: str, expected: Close | str
) -> None:
    """RFC 9000 § 8.1.2, § 8.1.3 [50]"""
    before = metrics(retrying)[INVALID_TOKENS]
    expect("RFC 9000 § 8.1.3", sent, expected, after_retry(retrying, change, source))
    if expected == quic_error("INVALID_TOKEN"):
        await_metric(retrying, INVALID_TOKENS, lambda count: count > before)


def test_a_hello_whose_end_comes_first_is_served_after_a_retry(server: Server) -> None:
    """RFC 9001 § 4.3: a ClientHello may take several packets; the library keeps nothing of it before its beginning [50]."""

    async def main(network: Network) -> None:
        names = [*H3_ALPN, *(f"{number:0200}" for number in range(6))]
        async with client(network.server, alpn_protocols=names) as protocol:
            await exchange(protocol, 1000)
            assert was_retried(protocol)

    with Network(server, up=Conditions(loses=lambda number: number == 0)) as network:
        asyncio.run(main(network))


def test_a_token_for_later_spares_the_retry_and_only_at_the_same_address(retrying: Server) -> None:
    """RFC 9000 § 8.1.3: NEW_TOKEN is taken once more. One that is no good is as if there were none, not an error [51]."""
    tokens: list[bytes] = []

    async def main(network: Network) -> None:
        async with client(network.server, on_token=tokens.append) as protocol:
            assert was_retried(protocol)
            await exchange(protocol, 1000)
        assert len(tokens) == 1
        async with client(network.server, token=tokens[0]) as protocol:
            assert not was_retried(protocol), "with the token"
            await exchange(protocol, 1000)
        useless = {"altered": altered(tokens[0]), "cut off": tokens[0][:-1], "foreign": os.urandom(40)}
        for what, token in useless.items():
            # Never by chance that of a Retry, which is an error when it is no good.
            async with client(network.server, token=tokens[0][:1] + token[1:]) as protocol:
                assert was_retried(protocol), what
                await exchange(protocol, 1000)
        network.rebind("127.0.0.2")
        async with client(network.server, token=tokens[0]) as protocol:
            assert was_retried(protocol), "from another address"
            await exchange(protocol, 1000)

    with Network(retrying) as network:
        asyncio.run(main(network))


def test_a_token_of_another_process_is_worth_nothing(retrying: Server, own_server: Server) -> None:
    """Whoever restarts a server need not keep its secrets: the client is asked once more [51]."""
    tokens: list[bytes] = []

    async def main() -> None:
        async with client(own_server, on_token=tokens.append) as protocol:
            await exchange(protocol, 1000)
        async with client(retrying, token=tokens[0]) as protocol:
            assert was_retried(protocol)
            await exchange(protocol, 1000)

    asyncio.run(main())


# MARK: Amplification


@pytest.fixture(scope="module")
def long_winded(apus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose certificate is larger than what it may answer to one datagram."""
    directory = tmp_path_factory.mktemp("long_winded")
    (directory / "certs").mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = ["localhost", *(f"host-{number}.with-a-long-name.example" for number in range(300))]
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(map(x509.DNSName, names)), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    assert len(certificate.public_bytes(serialization.Encoding.DER)) > 2 * 3 * INITIAL
    (directory / "certs/development.pem").write_bytes(certificate.public_bytes(pem))
    (directory / "certs/development.key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    running = Server.start(directory)
    yield running
    running.stop()


def test_a_server_says_three_times_as_much_as_it_was_told(long_winded: Server) -> None:
    """RFC 9000 § 8.1: until the client has proved its address, whatever the server's timers say [52]."""

    async def main(network: Network) -> None:
        attempt = asyncio.ensure_future(ask(network))
        async with asyncio.timeout(TIMEOUT):
            while network.down.packets == 0:
                await asyncio.sleep(0.01)
        # Timers of the server go off in this time.
        await asyncio.sleep(2)
        assert INITIAL < network.down.bytes <= 3 * network.up.delivered_bytes == 3 * INITIAL
        assert network.up.hits["loses"] > 0, "the client has asked again"
        assert network.down.hits["loss"] > 0 and network.down.delivered_packets == 0
        network.up.conditions = network.down.conditions = Conditions()
        await attempt

    async def ask(network: Network) -> None:
        async with client(network.server) as protocol:
            await exchange(protocol, 10_000)

    # The first packet arrives; then none in either direction, so that the client proves nothing.
    silent = Conditions(loses=lambda number: number > 0)
    with Network(long_winded, up=silent, down=Conditions(loss=1)) as network:
        asyncio.run(main(network))


def test_a_handshake_completes_although_the_server_had_to_stop(long_winded: Server) -> None:
    """RFC 9002 § 6.2.2.1: the client's second to seventh packets are lost, and it is on it to unblock the server [52]."""

    async def main(network: Network) -> None:
        async with client(network.server, patience=60) as protocol:
            await exchange(protocol, 10_000)

    with Network(long_winded, up=Conditions(loses=lambda number: 1 <= number <= 6)) as network:
        asyncio.run(main(network))
        assert network.down.bytes > 9000, "the certificate has arrived"
        assert network.up.hits["loses"] == 6


# MARK: Stateless reset


@pytest.mark.parametrize("size", [22, 30, 43, 44, 100, 1200])
def test_a_stateless_reset_is_smaller_than_what_it_answers(server: Server, size: int) -> None:
    """RFC 9000 § 10.3: so that two ends without state cannot go on for ever; and it looks like a packet [53]."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(TIMEOUT)
        # Too small to be answered: had it been, that would be what comes first.
        for length in (21, size):
            udp.sendto(b"\x40" + os.urandom(length - 1), ("127.0.0.1", server.port))
        answer = udp.recv(2048)
        assert 21 <= len(answer) < size
        assert answer[0] & 0xC0 == 0x40
        udp.setblocking(False)
        with pytest.raises(BlockingIOError):
            udp.recv(2048)


def reset_of(server: Server, connection_id: bytes, host: str) -> bytes:
    """The token with which a server ends a connection that it does not know."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(TIMEOUT)
        udp.sendto(b"\x40" + connection_id + bytes(60), (host, server.port))
        return udp.recv(2048)[-16:]


def test_a_server_does_not_give_away_the_resets_of_another(apus: Path, tmp_path: Path) -> None:
    """RFC 9000 § 10.3.2: whoever sees the IDs of a connection could ask a server with the same certificate [53]."""
    # Of the first of each server's loops.
    connection_id = bytes(8)

    def token(host: str, port: int) -> tuple[bytes, int]:
        server = Server.start(tmp_path, "--host", host, "--port", str(port))
        try:
            return reset_of(server, connection_id, host), server.port
        finally:
            server.stop()

    first, port = token("127.0.0.2", 0)
    assert token("127.0.0.2", port)[0] == first, "a restart changes nothing"
    assert token("127.0.0.1", port)[0] != first
    assert token("127.0.0.2", 0)[0] != first
