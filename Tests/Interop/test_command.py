"""The command as a shell sees it: the ready line, exit codes of sysexits, errors of one sentence."""

from __future__ import annotations

import base64
import json
import signal
import shutil
import socket
import stat
import subprocess
import urllib.request
from pathlib import Path

import pytest

import certificates
import qlog
from server import Server

EX_USAGE, EX_DATAERR, EX_NOINPUT, EX_NOHOST, EX_UNAVAILABLE, EX_CANTCREAT = 64, 65, 66, 68, 69, 73


def apus_command(
    apus: Path, *arguments: object, cwd: Path, timeout: float = 60, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess:
    """Runs a command that ends by itself."""
    return subprocess.run(
        [apus, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=timeout,
        stdin=subprocess.DEVNULL, env=env,
    )


def assert_fails(result: subprocess.CompletedProcess, code: int, *words: str) -> None:
    assert result.returncode == code, result
    assert result.stdout == "", "nothing is announced when nothing was started"
    for word in words:
        assert word in result.stderr, result.stderr


@pytest.mark.parametrize("command", [(), ("serve",), ("certificate",), ("bench",), ("connect",), ("interop",),
    ("interop", "run"), ("interop", "baton"), ("interop", "fetch"),
])
def test_help_teaches(apus, tmp_path, command):
    result = apus_command(apus, *command, "--help", cwd=tmp_path)
    assert result.returncode == 0
    assert "OVERVIEW" in result.stdout and "USAGE" in result.stdout


def test_certificate_writes_two_files_and_prints_the_hash(apus, tmp_path):
    result = apus_command(apus, "certificate", "--output", tmp_path / "new", cwd=tmp_path)
    assert result.returncode == 0, result
    assert stat.S_IMODE((tmp_path / "new/development.key").stat().st_mode) == 0o600
    assert (tmp_path / "new/development.pem").read_text().startswith("-----BEGIN CERTIFICATE-----")
    words = result.stdout.split()
    (hexadecimal,) = [word for word in words if len(word) == 64 and set(word) <= set("0123456789abcdef")]
    assert base64.b64encode(bytes.fromhex(hexadecimal)).decode() in words


@pytest.mark.parametrize("days", [0, 15, 365])
def test_certificate_refuses_lifetimes_that_browsers_refuse(apus, tmp_path, days):
    result = apus_command(apus, "certificate", "--days", days, cwd=tmp_path)
    assert result.returncode != 0
    assert "14" in result.stderr
    assert not (tmp_path / "certs").exists()


@pytest.mark.parametrize("arguments", [
    ("--nonsense",), ("--port", "70000"), ("--port", "x"), ("--retry", "perhaps"), ("--loops", "0"),
    ("--port", "4434", "--http-port", "4434"), ("--idle-timeout", "0s"), ("--idle-timeout", "25000m"),
    ("--max-message-size", "124"), ("--max-message-size", "1k"), ("--idle-timeout", "soon"),
    ("--congestion-control", "vegas"), ("--certificate", "only.pem"),
])
def test_serve_refuses_bad_arguments(apus, tmp_path, arguments):
    assert_fails(apus_command(apus, "serve", *arguments, cwd=tmp_path), EX_USAGE, "Error")


def test_certificate_needs_a_directory(apus, tmp_path):
    """An empty name is a variable of a script that was not set; the root of the file system is not meant."""
    result = apus_command(apus, "certificate", "--output", "", cwd=tmp_path)
    assert_fails(result, EX_USAGE, "the directory", "has no name")


def test_serve_names_an_unreadable_certificate(apus, tmp_path):
    result = apus_command(apus, "serve", "--certificate", "no.pem", "--key", "no.key", cwd=tmp_path)
    assert_fails(result, EX_NOINPUT, "no.pem")


def test_serve_names_an_expired_certificate(apus, tmp_path):
    old = certificates.make(tmp_path, "old", days=0)
    result = apus_command(apus, "serve", "--certificate", old.certificate, "--key", old.key, cwd=tmp_path)
    assert_fails(result, EX_DATAERR, "old", "expired at", "apus certificate")


def test_serve_refuses_a_key_of_another_certificate(apus, tmp_path):
    for name in ("a", "b"):
        apus_command(apus, "certificate", "--output", name, cwd=tmp_path)
    result = apus_command(
        apus, "serve", "--certificate", "a/development.pem", "--key", "b/development.key", cwd=tmp_path,
    )
    assert_fails(result, EX_DATAERR, "key")


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_serve_names_a_port_in_use(apus, tmp_path, kind):
    with socket.socket(socket.AF_INET6, kind) as holder:
        holder.bind(("::", 0))
        if kind == socket.SOCK_STREAM:
            holder.listen()
        port = holder.getsockname()[1]
        result = apus_command(apus, "serve", "--port", port, "--http-port", "0", cwd=tmp_path)
        assert_fails(result, EX_UNAVAILABLE, str(port), "choose another port")
        assert result.stderr.splitlines()[-1].startswith("apus: cannot listen on")


def test_serve_names_a_plain_port_in_use(apus, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        result = apus_command(apus, "serve", "--port", "0", "--http-port", port, cwd=tmp_path)
        assert_fails(result, EX_UNAVAILABLE, str(port), "choose another port")


def test_serve_refuses_a_qlog_directory_that_it_cannot_make(apus, tmp_path):
    (tmp_path / "file").write_text("")
    result = apus_command(apus, "serve", "--port", "0", "--http-port", "0", "--qlog", "file/qlog", cwd=tmp_path)
    assert_fails(result, EX_CANTCREAT, "file/qlog", "name one that may be written to")


def test_serve_names_a_host_that_does_not_exist(apus, tmp_path):
    """A name that no resolver may know (RFC 6761 § 6.4)."""
    result = apus_command(apus, "serve", "--host", "nowhere.invalid", "--http-port", "0", cwd=tmp_path)
    assert_fails(result, EX_NOHOST, "nowhere.invalid", "the name cannot be resolved")


@pytest.mark.parametrize(("arguments", "expected"), [
    ((), ["http://localhost:{httpPort}/", "https://localhost:{port}/"]),
    (("--host", "127.0.0.1"), ["http://127.0.0.1:{httpPort}/", "https://127.0.0.1:{port}/"]),
    (("--host", "[::1]"), ["http://[::1]:{httpPort}/", "https://[::1]:{port}/"]),
    (("--host", "127.0.0.2"), ["https://127.0.0.2:{port}/"]),
])
def test_the_ready_line_names_addresses_at_which_sessions_open(apus, tmp_path, arguments, expected):
    """A browser tries one address of localhost over QUIC, and the page opens sessions where it is itself."""
    server = Server.start(tmp_path, *arguments)
    try:
        ports = {"port": server.port, "httpPort": server.http_port}
        assert server.urls == [text.format_map(ports) for text in expected]
    finally:
        server.stop()


@pytest.mark.parametrize(("days", "is_rsa", "words"), [
    (2, False, ["expires in 1 days"]), (90, False, ["not by its hash"]), (10, True, ["not by its hash"]),
    (13, False, []),
])
def test_serve_warns_of_certificates_that_will_not_do(apus, tmp_path, days, is_rsa, words):
    (tmp_path / "certs").mkdir()
    certificates.make(tmp_path / "certs", "development", days=days, is_rsa=is_rsa)
    server = Server.start(tmp_path)
    with urllib.request.urlopen(server.page + "api/certificate", timeout=30) as response:
        (certificate,) = json.load(response)["certificates"]
    assert certificate["trustedByHash"] == ("not by its hash" not in words)
    server.stop()
    log = (tmp_path / "server.log").read_text()
    assert [word in log for word in words] == [True] * len(words), log
    assert bool(words) == ("The certificate" in log or "the certificate" in log), log


@pytest.mark.parametrize("origin", ["not an origin", "example.org", "https://example.org/path"])
def test_serve_refuses_origins_that_can_never_match(apus, tmp_path, origin):
    result = apus_command(apus, "serve", "--port", "0", "--http-port", "0", "--allow-origin", origin, cwd=tmp_path)
    assert_fails(result, EX_USAGE, origin, "https://host[:port]")


def test_a_program_without_its_resources_says_so(apus, tmp_path):
    alone = tmp_path / "apus"
    shutil.copy(apus, alone)
    result = apus_command(alone, "serve", "--port", "0", "--http-port", "0", cwd=tmp_path)
    assert result.returncode > 0, result
    assert "apus_ApusServer.resources" in result.stderr


def test_serve_refuses_a_key_log_that_it_cannot_write(apus, tmp_path):
    result = apus_command(apus, "serve", "--keylog", tmp_path / "no/where", cwd=tmp_path)
    assert_fails(result, EX_CANTCREAT, "no/where")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_ends_cleanly_on_a_signal(apus, tmp_path, number):
    server = Server.start(tmp_path)
    server.process.send_signal(number)
    assert server.process.wait(15) == 0
    server.stop()


def test_ready_line_is_one_line_in_the_documented_order(apus, tmp_path):
    process = subprocess.Popen(
        [apus, "serve", "--port", "0", "--http-port", "0"], cwd=tmp_path, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    )
    line = process.stdout.readline()
    process.terminate()
    assert process.stdout.read() == ""
    assert process.wait(15) == 0
    assert list(json.loads(line)) == ["ready", "port", "httpPort", "certificateSHA256", "urls"]
    # Without --certificate it made one.
    assert stat.S_IMODE((tmp_path / "certs/development.key").stat().st_mode) == 0o600


def test_key_log_and_qlog_are_written(chromium, apus, tmp_path):
    """SSLKEYLOGFILE's format for both directions, and one qlog file for the connection."""
    from conftest import run_script

    server = Server.start(tmp_path, "--keylog", str(tmp_path / "keys"), "--qlog", str(tmp_path / "qlog"))
    try:
        chromium.get(server.page + "healthz")
        run_script(chromium, server, 'const session = await open("/echo"); session.close(); return true;')
    finally:
        server.stop()
    keys = (tmp_path / "keys").read_text()
    assert "CLIENT_TRAFFIC_SECRET_0" in keys and "SERVER_TRAFFIC_SECRET_0" in keys
    (log,) = (tmp_path / "qlog").iterdir()
    first, *others = qlog.records(log)
    assert first["qlog_format"] == "JSON-SEQ"
    assert any("packet_received" in record["name"] for record in others)


def test_a_session_begins_through_retry(chromium, apus, tmp_path):
    from conftest import run_script

    server = Server.start(tmp_path, "--retry", "always")
    try:
        chromium.get(server.page + "healthz")
        assert run_script(chromium, server, 'const s = await open("/echo"); s.close(); return "open";') == "open"
    finally:
        server.stop()


def test_a_graceful_stop_closes_sessions_with_a_reason(chromium, apus, tmp_path):
    from conftest import run_script

    server = Server.start(tmp_path)
    try:
        chromium.get(server.page + "healthz")
        run_script(chromium, server, """
            const session = await open("/echo");
            const writer = session.datagrams.writable.getWriter();
            await writer.write(new Uint8Array([1]));
            await session.datagrams.readable.getReader().read();
            window.ending = session.closed.then(({ closeCode, reason }) => ({ closeCode, reason }));
            return true;
        """)
        server.stop()
        chromium.set_script_timeout(10)
        end = chromium.execute_async_script(
            "const done = arguments[0]; window.ending.then(done, (error) => done(String(error)));"
        )
        assert end == {"closeCode": 0, "reason": "server shutting down"}
    finally:
        server.stop()
