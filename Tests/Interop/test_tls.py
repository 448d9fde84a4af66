"""TLS on the TCP port, as another stack (OpenSSL) sees it."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess

import pytest

from conftest import missing

TIMEOUT = 20
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def context(version: ssl.TLSVersion | None = None, ciphers: str | None = None) -> ssl.SSLContext:
    """A client that accepts the development certificate, and speaks one version only when it is named."""
    result = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    result.check_hostname = False
    result.verify_mode = ssl.CERT_NONE
    if version is not None:
        if version < ssl.TLSVersion.TLSv1_2:
            # Otherwise OpenSSL itself refuses, before it sends anything.
            ciphers = "ALL:@SECLEVEL=0"
        with pytest.warns(DeprecationWarning) if version < ssl.TLSVersion.TLSv1_2 else contextlib.nullcontext():
            result.minimum_version = version
            result.maximum_version = version
    if ciphers is not None:
        result.set_ciphers(ciphers)
    return result


def connect(server, client: ssl.SSLContext, session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
    plain = socket.create_connection(("localhost", server.port), timeout=TIMEOUT)
    try:
        return client.wrap_socket(plain, session=session)
    except BaseException:
        plain.close()
        raise


def exchange(connection: ssl.SSLSocket) -> bytes:
    """One request; its response ends with the body `ok`."""
    connection.sendall(REQUEST)
    answer = b""
    while not answer.endswith(b"\r\n\r\nok"):
        part = connection.recv(65536)
        assert part, f"the connection ended after {answer!r}"
        answer += part
    return answer


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_current_versions_are_spoken(server, version):
    with connect(server, context(version)) as connection:
        assert connection.version() == version.name.replace("_", ".")
        assert exchange(connection).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_deprecated_versions_are_refused_with_an_alert(server, version):
    """RFC 8996 § 4, § 5: TLS 1.0 and 1.1 must not be used; RFC 8446 § 6.2: protocol_version."""
    with pytest.raises(ssl.SSLError) as refusal:
        connect(server, context(version))
    assert refusal.value.reason == "TLSV1_ALERT_PROTOCOL_VERSION"


@pytest.mark.parametrize("ciphers", ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "AES128-SHA"])
def test_ciphers_without_forward_secrecy_or_authentication_are_refused(server, ciphers):
    """RFC 9325 § 4.1, § 4.2: ephemeral keys and AEAD only."""
    with pytest.raises(ssl.SSLError) as refusal:
        connect(server, context(ssl.TLSVersion.TLSv1_2, ciphers + ":@SECLEVEL=0"))
    assert "ALERT_HANDSHAKE_FAILURE" in refusal.value.reason


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_resumed(server, version):
    """RFC 5077 § 3.1 and RFC 8446 § 2.2: the second handshake uses the first one's ticket [63]."""
    client = context(version)
    with connect(server, client) as first:
        assert not first.session_reused
        # In TLS 1.3 the ticket comes with or before the response.
        exchange(first)
        session = first.session
    with connect(server, client, session) as second:
        assert second.session_reused
        exchange(second)


def test_renegotiation_is_refused(server):
    """RFC 9325 § 3.5: off in TLS 1.2, and gone in 1.3. The connection ends; the server does not."""
    openssl = shutil.which("openssl")
    if openssl is None:
        missing("openssl is not installed")
    # A line with an R makes it renegotiate.
    client = subprocess.Popen(
        [openssl, "s_client", "-connect", f"localhost:{server.port}", "-tls1_2"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0,
    )
    try:
        client.stdin.write(b"R\n")
        # Its input stays open: only the server can end it.
        output = client.stdout.read()
        client.wait(TIMEOUT)
    finally:
        client.kill()
        client.wait()
        client.stdin.close()
        client.stdout.close()
    assert b"RENEGOTIATING" in output
    assert b"no renegotiation" in output.lower(), output
    with connect(server, context()) as other:
        exchange(other)


HELLO_OF_ONE_BYTE = bytes([22, 3, 1, 0, 5, 1, 0, 0, 1, 0])


@pytest.mark.parametrize("garbage", [
    pytest.param(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", id="plain HTTP"),
    pytest.param(bytes(1000), id="zeros"),
    pytest.param(b"\xff" * 1000, id="ones"),
    pytest.param(bytes(range(256)) * 300, id="more than a record"),
    pytest.param(HELLO_OF_ONE_BYTE, id="a hello that is too short"),
    pytest.param(bytes([22, 3, 3, 0xff, 0xff]) + bytes(0xffff), id="a record that is too long"),
    pytest.param(bytes([23, 3, 3, 0, 5]) + b"hello", id="data before the handshake"),
    pytest.param(bytes([21, 3, 3, 0, 2, 2, 40]), id="an alert"),
    pytest.param(bytes([128, 46, 1, 0, 2, 0, 21, 0, 0, 0, 16]) + bytes(37), id="a hello of SSL 2"),
    pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="HTTP/2"),
])
def test_what_is_no_tls_ends_its_connection_and_no_other(server, garbage):
    """RFC 8446 § 6.2: at most one alert, then the end; a connection beside it does not notice."""
    with connect(server, context()) as other:
        exchange(other)
        with socket.create_connection(("localhost", server.port), timeout=TIMEOUT) as peer:
            answer = b""
            try:
                peer.sendall(garbage)
                while part := peer.recv(65536):
                    answer += part
            except ConnectionError:
                # What it has not read makes the kernel reset the connection.
                pass
            assert len(answer) <= 7 and answer[:1] in (b"", b"\x15"), answer
        exchange(other)


def test_a_handshake_that_breaks_off_harms_no_other(server):
    """Half a ClientHello, and a whole one without the rest."""
    client = context()
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    half = client.wrap_bio(into, out)
    with pytest.raises(ssl.SSLWantReadError):
        half.do_handshake()
    hello = out.read()
    with connect(server, client) as other:
        for part in (hello[: len(hello) // 2], hello):
            with socket.create_connection(("localhost", server.port), timeout=TIMEOUT) as peer:
                peer.sendall(part)
        exchange(other)
