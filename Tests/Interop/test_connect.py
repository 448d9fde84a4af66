"""`apus connect` as a shell sees it: what it prints where, and how it ends.

On standard output stands what arrived, on standard error what happened; the exit code is one of sysexits(3).
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from server import Server, binary

EX_USAGE, EX_NOHOST, EX_UNAVAILABLE = 64, 68, 69
TIMEOUT = 30.0

WEBTRANSPORT, SECURE_WEBSOCKET, WEBSOCKET = "https", "wss", "ws"
schemes = pytest.mark.parametrize("scheme", [WEBTRANSPORT, SECURE_WEBSOCKET, WEBSOCKET])


def url(server: Server, scheme: str, path: str) -> str:
    return server.ws(path) if scheme == WEBSOCKET else server.https(path).replace("https", scheme)


def trust(server: Server, scheme: str) -> tuple[str, ...]:
    """What makes the development certificate acceptable."""
    return () if scheme == WEBSOCKET else ("--hash", server.sha256)


def connect(*arguments: str, lines: bytes = b"") -> subprocess.CompletedProcess:
    """Runs the command on an input that ends."""
    result = subprocess.run(
        [binary(), "connect", *arguments], input=lines, capture_output=True, timeout=TIMEOUT,
        # A crash is shown by the exit code; Swift's report of it takes seconds.
        env=os.environ | {"SWIFT_BACKTRACE": "enable=no"},
    )
    result.stdout, result.stderr = result.stdout.decode(), result.stderr.decode()
    return result


def connect_to(
    server: Server, scheme: str, path: str, *arguments: str, lines: bytes = b"",
) -> subprocess.CompletedProcess:
    return connect(url(server, scheme, path), *trust(server, scheme), *arguments, lines=lines)


@contextmanager
def connected(server: Server, scheme: str, path: str = "/echo") -> Iterator[subprocess.Popen]:
    """The command with its session open, and an input that does not end."""
    command = [binary(), "connect", url(server, scheme, path), *trust(server, scheme)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        first = process.stderr.readline().decode()
        assert first.startswith("apus: connected over Web"), first
        yield process
    finally:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen) -> tuple[int, str]:
    """Its exit code and the rest of standard error, without an end of its input."""
    code = process.wait(TIMEOUT)
    return code, process.stderr.read().decode()


pytestmark = pytest.mark.usefixtures("apus")


# MARK: Lines out, lines in


@pytest.mark.parametrize(("scheme", "way", "shown"), [
    (WEBTRANSPORT, (), ["[stream] one", "[stream] two"]),
    (WEBTRANSPORT, ("--datagram",), ["[datagram] one", "[datagram] two"]),
    (WEBTRANSPORT, ("--unidirectional",), ["[unidirectional 1] ", "[unidirectional 2] "]),
    (SECURE_WEBSOCKET, (), ["[text] one", "[text] two"]),
    (WEBSOCKET, (), ["[text] one", "[text] two"]),
])
def test_lines_go_out_and_come_back_and_the_end_of_input_ends_it(server, scheme, way, shown):
    result = connect_to(server, scheme, "/echo", *way, lines=b"one\ntwo\n")
    assert result.returncode == 0, result
    received = result.stdout.splitlines()
    if way == ("--unidirectional",):
        # Streams and datagrams may overtake each other.
        assert sorted(line.split("] ")[1] for line in received) == ["one", "two"]
        assert [line[:line.index("]") + 2] for line in received] == shown
    else:
        assert (sorted(received) if way else received) == shown
    first, *_, last = result.stderr.splitlines()
    assert first.startswith("apus: connected over " + ("WebTransport" if scheme == WEBTRANSPORT else "WebSocket"))
    assert last.startswith("apus: closed")


@schemes
def test_an_empty_input_ends_it(server, scheme):
    result = connect_to(server, scheme, "/echo")
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr.splitlines()[-1].startswith("apus: closed")


@schemes
def test_a_last_line_needs_no_end(server, scheme):
    result = connect_to(server, scheme, "/echo", lines=b"first\nlast")
    assert [line.split("] ")[1] for line in result.stdout.splitlines()] == ["first", "last"]
    assert result.returncode == 0


def test_streams_that_the_server_opens_are_shown_with_what_they_are(server):
    result = connect_to(server, WEBTRANSPORT, "/test/streams?count=2")
    # Each says its number; which arrives first is open.
    ways = sorted(line.split("] ")[0] for line in result.stdout.splitlines())
    assert ways == ["[bidirectional 1", "[bidirectional 2", "[unidirectional 1", "[unidirectional 2"]
    texts = sorted(line.split("] ")[1] for line in result.stdout.splitlines())
    assert texts == ["stream 0", "stream 0", "stream 1", "stream 1"]


def test_a_line_that_is_no_datagram_is_named_and_the_others_go(server):
    result = connect_to(server, WEBTRANSPORT, "/echo", "--datagram", lines=b"x" * 3000 + b"\nshort\n")
    assert (result.returncode, result.stdout) == (0, "[datagram] short\n")
    assert "a line of 3000 bytes was not sent" in result.stderr


# MARK: What is shown of what arrives


CONTROLS = b"\x00\x07\x1b[31m\x7f\ttab\r" + "\x85\x9b größer 🐦".encode()
SHOWN = "\\u{0}\\u{7}\\u{1b}[31m\\u{7f}\ttab\\u{d}\\u{85}\\u{9b} größer 🐦"


@pytest.mark.parametrize(("scheme", "way"), [
    (WEBTRANSPORT, ()), (WEBTRANSPORT, ("--datagram",)), (WEBTRANSPORT, ("--unidirectional",)), (WEBSOCKET, ()),
])
def test_control_characters_are_made_printable(server, scheme, way):
    """Both blocks of control characters, as a peer could drive the terminal with them; tabs do no harm."""
    result = connect_to(server, scheme, "/echo", *way, lines=CONTROLS + b"\n")
    assert result.stdout.split("] ", 1)[1] == SHOWN + "\n"


@pytest.mark.parametrize(("scheme", "way"), [(WEBTRANSPORT, "stream"), (WEBSOCKET, "binary")])
def test_bytes_that_are_no_text_are_shown_in_hexadecimal(server, scheme, way):
    """At most 64 of them."""
    result = connect_to(server, scheme, "/echo", lines=b"\xff\x00\n" + b"\xfe" * 65 + b"\n")
    assert result.stdout == f"[{way}] 2 bytes: ff00\n[{way}] 65 bytes: {'fe' * 64}…\n"


def test_control_characters_of_a_close_are_made_printable(server):
    for scheme, code in ((WEBTRANSPORT, 7), (WEBSOCKET, 4007)):
        result = connect_to(server, scheme, f"/close?code={code}&reason=%1b%5b2Jbye")
        assert result.returncode == 0
        last = result.stderr.splitlines()[-1]
        assert last.startswith("apus: closed") and last.endswith(f"with code {code}, \\u{{1b}}[2Jbye"), last


def test_lines_that_packets_have_split_are_put_together(server):
    """The source sends bytes that count to 255 and begin again, so a line of 256 ends after each 10, the newline.

    Packets and writes end anywhere in these lines; that none of them shows proves that all were put together.
    """
    rounds = 1000
    result = connect_to(server, WEBTRANSPORT, f"/source?bytes={rounds * 256}")
    first, *lines = [line.removeprefix("[unidirectional 1] ") for line in result.stdout.splitlines()]
    assert first == "".join(f"\\u{{{byte:x}}}" for byte in range(9)) + "\t"
    # After the newline: 11 to 255, then 0 to 9. Less those 10 in the last line, which has no end.
    shown = bytes(range(11, 75)).hex() + "…"
    assert lines == [f"255 bytes: {shown}"] * (rounds - 1) + [f"245 bytes: {shown}"]


def test_a_line_that_does_not_end_is_shown_in_parts(server):
    result = connect_to(server, WEBTRANSPORT, "/echo", lines=b"x" * 10_000)
    assert [len(line) - len("[stream] ") for line in result.stdout.splitlines()] == [4096, 4096, 10_000 - 2 * 4096]


# MARK: Trust


@pytest.mark.parametrize("scheme", [WEBTRANSPORT, SECURE_WEBSOCKET])
@pytest.mark.parametrize("arguments", [("--hash", "00" * 32), ()])
def test_a_certificate_that_is_not_trusted_ends_it_before_anything_is_sent(server, scheme, arguments):
    """The sentence says what to pass when the server is the one that is meant."""
    result = connect(url(server, scheme, "/echo"), *arguments, lines=b"secret\n")
    assert (result.returncode, result.stdout) == (EX_UNAVAILABLE, "")
    (sentence,) = result.stderr.splitlines()
    assert "certificate of localhost" in sentence
    assert f"--hash {server.sha256}" in sentence


@pytest.mark.parametrize("scheme", [WEBTRANSPORT, SECURE_WEBSOCKET])
@pytest.mark.parametrize("arguments", [("--insecure",), ("--hash", "00" * 32, "--hash", "RIGHT")])
def test_a_certificate_is_trusted_by_one_of_several_hashes_or_not_looked_at(server, scheme, arguments):
    arguments = [server.sha256.upper() if text == "RIGHT" else text for text in arguments]
    result = connect(url(server, scheme, "/echo"), *arguments, lines=b"hello\n")
    assert result.returncode == 0, result
    assert result.stdout.endswith("] hello\n")


# MARK: How it fails


@schemes
def test_a_refusal_is_told_with_its_status(server, scheme):
    result = connect_to(server, scheme, "/nothing", lines=b"unheard\n")
    assert (result.returncode, result.stdout) == (EX_UNAVAILABLE, "")
    (sentence,) = result.stderr.splitlines()
    assert "refused" in sentence and "404" in sentence


@schemes
def test_a_foreign_origin_is_refused(server, scheme):
    result = connect_to(server, scheme, "/echo", "--origin", "https://elsewhere.example")
    assert (result.returncode, result.stdout) == (EX_UNAVAILABLE, "")
    assert "403" in result.stderr


def test_a_stream_reset_by_the_server_is_told_with_its_code(server):
    """The session goes on, and ends with the input."""
    result = connect_to(server, WEBTRANSPORT, "/test/reset?code=30", lines=b"one\n")
    assert result.returncode == 0, result
    assert "apus: [stream] the peer reset the stream with code 30" in result.stderr.splitlines()


def test_a_close_by_the_server_while_lines_wait_is_no_crash(server):
    """Lines that nobody can send any more are dropped. Ten times, as how many wait is a race."""
    results = [connect_to(server, WEBTRANSPORT, "/close?code=7", lines=b"line\n" * 20) for _ in range(10)]
    assert [result.returncode for result in results] == [0] * 10
    assert {result.stderr.splitlines()[-1] for result in results} == {
        "apus: closed by the server with code 7, no reason",
    }


@schemes
def test_a_lost_server_is_told(apus: Path, tmp_path: Path, scheme: str) -> None:
    """No close, no packet: over QUIC only silence tells (RFC 9000 § 10.1), for as long as the server has announced."""
    server = Server.start(tmp_path, "--idle-timeout", "2s")
    try:
        with connected(server, scheme) as process:
            server.kill()
            code, sentence = ended(process)
        assert code == EX_UNAVAILABLE
        assert "the connection was lost" in sentence
    finally:
        server.stop()


def test_nothing_listening_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
    result = connect(f"ws://127.0.0.1:{port}/echo")
    assert (result.returncode, result.stdout) == (EX_UNAVAILABLE, "")
    assert str(port) in result.stderr


@pytest.mark.parametrize(("scheme", "right"), [("ws", "wss://"), ("wss", "ws://")])
def test_the_port_of_the_other_scheme_is_told(server: Server, scheme: str, right: str) -> None:
    """A server has a port for TLS and one without; what comes from the wrong one says nothing to a person."""
    port = server.port if scheme == "ws" else server.http_port
    arguments = () if scheme == "ws" else ("--insecure",)
    result = connect(f"{scheme}://localhost:{port}/echo", *arguments)
    assert (result.returncode, result.stdout) == (EX_UNAVAILABLE, "")
    (sentence,) = result.stderr.splitlines()
    assert sentence.startswith(f"apus: cannot connect to localhost:{port}: ") and f"write {right}" in sentence


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"\0" * 100, b"HTTP/1.1 200 OK\r\n\r\n"])
@pytest.mark.parametrize("is_reset", [False, True])
def test_a_server_of_something_else_is_told(answer: bytes, is_reset: bool) -> None:
    """It says something, or nothing, and ends the connection; one that the kernel resets has not read the request."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        process = subprocess.Popen(
            [binary(), "connect", f"ws://127.0.0.1:{port}/"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        listener.settimeout(TIMEOUT)
        peer, _ = listener.accept()
        with peer:
            if not is_reset:
                peer.settimeout(TIMEOUT)
                peer.recv(4096)
            else:
                peer.recv(1)
            peer.sendall(answer)
        _, sentences = process.communicate(timeout=TIMEOUT)
    assert process.returncode == EX_UNAVAILABLE
    (sentence,) = sentences.decode().splitlines()
    assert sentence.startswith("apus: ") and (f"127.0.0.1:{port}" in sentence or "200" in sentence), sentence


@schemes
def test_a_name_that_does_not_exist_is_told(scheme: str) -> None:
    """A name that no resolver may know (RFC 6761 § 6.4)."""
    result = connect(f"{scheme}://nowhere.invalid/echo")
    assert (result.returncode, result.stdout) == (EX_NOHOST, "")
    assert "the name nowhere.invalid cannot be resolved" in result.stderr


@pytest.mark.parametrize("arguments", [
    ("localhost:4433/echo",), ("http://localhost/echo",), ("ftp://localhost/echo",), ("https://",),
    ("https://localhost:65536/echo",), ("https://user@localhost/echo",), ("",), (),
    ("https://localhost/echo", "--datagram", "--unidirectional"), ("ws://localhost/echo", "--datagram"),
    ("wss://localhost/echo", "--unidirectional"), ("ws://localhost/echo", "--insecure"),
    ("https://localhost/echo", "--hash", "00" * 31), ("https://localhost/echo", "--insecure", "--hash", "00" * 32),
    ("https://localhost/echo", "--header", "no colon"), ("https://localhost/echo", "--header", "a:b\nc: d"),
])
def test_bad_arguments_are_told_with_the_usage(arguments: tuple[str, ...]) -> None:
    result = connect(*arguments)
    assert (result.returncode, result.stdout) == (EX_USAGE, "")
    assert result.stderr.startswith("Error: ") and "Usage: apus connect" in result.stderr


# MARK: Signals


@schemes
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_closes_the_session(server, scheme, number):
    """Ctrl-C and its like are a way to end it, not a failure."""
    with connected(server, scheme) as process:
        process.stdin.write(b"hello\n")
        process.stdin.flush()
        assert process.stdout.readline().endswith(b"] hello\n")
        process.send_signal(number)
        code, sentence = ended(process)
    assert code == 0
    assert sentence.startswith("apus: closed")


def test_a_signal_ends_an_attempt_to_connect() -> None:
    """With the code that a shell gives for the signal."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.settimeout(TIMEOUT)
        process = subprocess.Popen(
            [binary(), "connect", f"https://127.0.0.1:{silent.getsockname()[1]}/echo", "--insecure"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        try:
            silent.recv(2048)
            process.send_signal(signal.SIGINT)
            assert process.wait(TIMEOUT) == 128 + signal.SIGINT
        finally:
            process.kill()
            process.communicate()
