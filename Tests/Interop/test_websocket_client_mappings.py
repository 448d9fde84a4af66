"""Our client's WebSocket over HTTP/2 (RFC 8441) and HTTP/3 (RFC 9220), against independent servers (h2, aioquic)."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import certificates
from certificates import Certificate
from rules import librarys
from test_command import EX_UNAVAILABLE
from websocket_servers import Part, Request, listening

EX_SOFTWARE = 70
TRANSPORTS = {"HTTP/2": "ws-h2", "HTTP/3": "ws-h3"}
RULES = {"HTTP/2": "RFC 8441", "HTTP/3": "RFC 9220"}
PATH = "/echo?of=it"
# Enough of everything to be measured, and no more.
MESSAGES, WARM_UP = 20, 2
FEW = ("--handshakes", 2, "--messages", MESSAGES, "--rounds", 2, "--warm-up", WARM_UP)
# In seconds, of which it takes less than one on a machine that does nothing else.
PATIENCE = 60
# What is for who wrote the client, not for who uses it.
INTERNALS = re.compile(r"NIO|\.swift|StreamID|Fatal error")

every_mapping = pytest.mark.parametrize("mapping", list(TRANSPORTS))
Act = Callable[[Request], None]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificates.make(tmp_path_factory.mktemp("certificate"))


Measure = Callable[..., subprocess.CompletedProcess]


@pytest.fixture
def measure(apus: Path, certificate: Certificate, tmp_path: Path) -> Measure:
    """Runs `apus bench`, which checks every echo, against a server that plays a part. It must end by itself."""
    def measure(mapping: str, part: Part, size: int = 64) -> subprocess.CompletedProcess:
        async def main() -> subprocess.CompletedProcess:
            async with listening(mapping, part, certificate) as port:
                command = [
                    apus, "bench", "--target", f"https://127.0.0.1:{port}{PATH}", "--hash", certificate.sha256,
                    "--transports", TRANSPORTS[mapping], "--scenarios", "handshake,round-trip", "--size", size, *FEW,
                    "--json", tmp_path / "out.json",
                ]
                return await asyncio.to_thread(
                    subprocess.run, list(map(str, command)), cwd=tmp_path, capture_output=True, text=True,
                    timeout=PATIENCE, stdin=subprocess.DEVNULL)

        return asyncio.run(main())

    return measure


class Unclear(pytest.fail.Exception):
    """Our client does not end as it should; any other failure is one of the test."""


def assert_measured(result: subprocess.CompletedProcess) -> None:
    if result.returncode != 0:
        raise Unclear(str(result))


def assert_ended(result: subprocess.CompletedProcess, *words: str) -> None:
    """There is no measurement, and one sentence says why."""
    sentence = result.stderr.splitlines()[-1]
    is_clear = sentence.startswith("apus: ") and not INTERNALS.search(result.stderr)
    if result.returncode != EX_UNAVAILABLE or not is_clear or not all(word in sentence for word in words):
        raise Unclear(f"{words} {result}")


# MARK: Sessions


@every_mapping
@pytest.mark.parametrize("size", [8, 64, 100_000])
def test_messages_come_back(measure: Measure, tmp_path: Path, mapping: str, size: int) -> None:
    """RFC 8441 § 5, RFC 9220 § 3: frames travel in DATA. 100,000 bytes exceed what RFC 9113 § 6.9.2 begins with."""
    part = Part()
    result = measure(mapping, part, size)
    assert_measured(result)
    (measured,) = json.loads((tmp_path / "out.json").read_text())["roundTrips"]
    assert (measured["transport"], measured["summary"]["count"]) == (TRANSPORTS[mapping], MESSAGES)
    assert part.requests[-1].messages == WARM_UP + MESSAGES


@every_mapping
def test_a_changed_message_is_noticed(measure: Measure, mapping: str) -> None:
    """Else the others would prove nothing."""
    part = Part(told=lambda request, message: request.frames.send_binary(message[:-1] + b"!"))
    result = measure(mapping, part)
    assert result.returncode == EX_SOFTWARE and "came back changed" in result.stderr, result


@every_mapping
def test_the_request_is_an_extended_connect(measure: Measure, mapping: str) -> None:
    """RFC 8441 § 5, RFC 9220 § 3: pseudo-header fields instead of those of an upgrade, which needs a key and hops."""
    part = Part()
    assert_measured(measure(mapping, part))
    for request in part.requests:
        fields = dict(request.fields)
        assert len(fields) == len(request.fields), "no field comes twice"
        port = fields.pop(":authority").removeprefix("127.0.0.1:")
        assert port.isdecimal()
        assert fields.items() >= {
            ":method": "CONNECT", ":protocol": "websocket", ":scheme": "https", ":path": PATH,
            "sec-websocket-version": "13",
        }.items()
        assert not fields.keys() & {"connection", "upgrade", "host", "sec-websocket-key", "transfer-encoding"}
        names = [name for name, _ in request.fields]
        assert names == sorted(names, key=lambda name: not name.startswith(":")), "RFC 9113 § 8.3, RFC 9114 § 4.3"


@every_mapping
def test_frames_are_masked_each_with_a_key_of_its_own(measure: Measure, mapping: str) -> None:
    """RFC 6455 § 5.3, which RFC 8441 and RFC 9220 leave as it is."""
    part = Part()
    assert_measured(measure(mapping, part))
    keys = []
    for request in part.requests:
        rest = bytes(request.received)
        while rest:
            assert rest[1] & 0x80, "masked"
            keys.append(rest[2:6])
            rest = rest[6 + (rest[1] & 0x7F):]
    assert len(keys) == sum(request.messages + 1 for request in part.requests), "messages, and a close of each session"
    # That two of a hundred agree by chance is one case in a million.
    assert len(keys) - len(set(keys)) <= 1


@every_mapping
def test_the_client_closes_with_1000_and_sees_the_close_answered(measure: Measure, mapping: str) -> None:
    """RFC 6455 § 7.1.2: the closing handshake is the same over a stream."""
    part = Part()
    assert_measured(measure(mapping, part))
    assert [request.frames.close_rcvd.code for request in part.requests] == [1000] * len(part.requests)


# MARK: Answers


@every_mapping
@pytest.mark.parametrize("value", [None, 0])
def test_without_the_setting_nothing_is_asked(measure: Measure, mapping: str, value: int | None) -> None:
    """RFC 8441 § 3, RFC 9220 § 3: extended CONNECT waits for SETTINGS_ENABLE_CONNECT_PROTOCOL with 1."""
    part = Part(enable_connect_protocol=value)
    assert_ended(measure(mapping, part), "gives no session", RULES[mapping])
    assert part.requests == []


@every_mapping
@pytest.mark.parametrize("status", [403, 302, 501])
def test_a_refusal_is_told_with_its_status(measure: Measure, mapping: str, status: int) -> None:
    """RFC 8441 § 5: what is not 2xx begins no session."""
    part = Part(asked=lambda request: request.respond(status, body=b"not for you\nat all", ends=True))
    assert_ended(measure(mapping, part), "refused", str(status), *(["not for you"] if mapping == "HTTP/2" else []))


@every_mapping
def test_a_refusal_whose_body_does_not_end_is_told(measure: Measure, mapping: str) -> None:
    """RFC 9113 § 8.1: the status is there with the fields, whatever comes of the body."""
    part = Part(asked=lambda request: request.respond(403, body=b"not for you"))
    assert_ended(measure(mapping, part), "refused", "403")


@pytest.mark.parametrize(("mapping", "status"), [
    ("HTTP/2", 201), ("HTTP/3", 201), ("HTTP/2", 299), ("HTTP/3", 299), ("HTTP/2", 204),
    pytest.param("HTTP/3", 204, marks=librarys("nghttp3 takes DATA behind a 204 for malformed, also in answer to CONNECT")),
])
def test_any_2xx_begins_a_session(measure: Measure, mapping: str, status: int) -> None:
    """RFC 8441 § 5, RFC 9220 § 3: a 2xx; RFC 9110 § 9.3.6: what follows its fields is the tunnel's."""
    part = Part(asked=lambda request: request.respond(status))
    result = measure(mapping, part)
    assert_measured(result)


@every_mapping
def test_an_informational_answer_comes_before_the_answer(measure: Measure, mapping: str) -> None:
    """RFC 9113 § 8.1, RFC 9114 § 4.1: any number of 1xx before the final one."""
    def asked(request: Request) -> None:
        request.send_head(103)
        request.send_head(103)
        request.respond(200)

    result = measure(mapping, Part(asked=asked))
    assert_measured(result)


@every_mapping
def test_101_is_no_answer(measure: Measure, mapping: str) -> None:
    """RFC 9113 § 8.6, RFC 9114 § 4.5: there is no switching of protocols."""
    result = measure(mapping, Part(asked=lambda request: request.respond(101)))
    assert_ended(result, "gives no session")
    if "0x0" in result.stderr:
        raise Unclear(str(result))


# MARK: Ends before the session


def reset(request: Request) -> None:
    request.reset()


def goaway(request: Request) -> None:
    request.reject_with_goaway()


def close(request: Request) -> None:
    request.close_connection()


def drop(request: Request) -> None:
    request.drop_connection()


def end(request: Request) -> None:
    request.send_head(103)
    request.end()


@pytest.mark.parametrize(("mapping", "act"), [
    ("HTTP/2", reset), ("HTTP/3", reset),
    ("HTTP/2", goaway), ("HTTP/3", goaway),
    ("HTTP/2", close), ("HTTP/3", close),
    ("HTTP/2", drop), ("HTTP/3", drop),
    ("HTTP/2", end), ("HTTP/3", end),
])
def test_an_end_instead_of_the_answer_is_told(measure: Measure, mapping: str, act: Act) -> None:
    """RFC 9113 § 5.4.2, § 6.8, § 8.1.1; RFC 9114 § 4.1, § 5.2, § 8: no answer will come, so none is waited for."""
    part = Part(asked=act)
    assert_ended(measure(mapping, part), "gives no session")
    assert len(part.requests) == 1


@every_mapping
@pytest.mark.parametrize("is_early", [True, False])
def test_a_goaway_spares_the_requests_before_it(measure: Measure, mapping: str, is_early: bool) -> None:
    """RFC 9113 § 6.8, RFC 9114 § 5.2: they go on, answered or not."""
    def asked(request: Request) -> None:
        if is_early:
            request.accept_with_goaway()
        request.respond(200)
        if not is_early:
            request.accept_with_goaway()

    result = measure(mapping, Part(asked=asked))
    assert_measured(result)


# MARK: Ends of the session


def end_with_the_fields(request: Request) -> None:
    request.respond(200, ends=True)


def end_after_the_fields(request: Request) -> None:
    request.respond(200)
    request.end()


@pytest.mark.parametrize(("mapping", "act"), [
    ("HTTP/2", end_with_the_fields), ("HTTP/3", end_with_the_fields),
    ("HTTP/2", end_after_the_fields), ("HTTP/3", end_after_the_fields),
])
def test_an_end_at_once_is_the_sessions(measure: Measure, mapping: str, act: Act) -> None:
    """RFC 8441 § 5, RFC 9220 § 3: it is TCP's FIN, and so RFC 6455 § 7.1.5: code 1006."""
    assert_ended(measure(mapping, Part(asked=act)), "session ended", "1006")


@every_mapping
def test_a_close_in_the_packet_of_the_answer_is_told_with_its_code(measure: Measure, mapping: str) -> None:
    """RFC 6455 § 7.4.1: a server may close as soon as it has accepted, and end its stream."""
    def asked(request: Request) -> None:
        request.respond(200)
        request.frames.send_close(1001, "shutting down")
        request.send_frames()
        request.end()

    assert_ended(measure(mapping, Part(asked=asked)), "session ended", "1001", "shutting down")


@every_mapping
def test_a_close_is_told_with_its_code_and_reason(measure: Measure, mapping: str) -> None:
    """RFC 6455 § 7.4.1: 1001, in the midst of the measurement."""
    def told(request: Request, message: bytes) -> None:
        if request.messages < WARM_UP + 5:
            return request.frames.send_binary(message)
        request.frames.send_close(1001, "shutting down")

    part = Part(told=told)
    assert_ended(measure(mapping, part), "session ended", "1001", "shutting down")
    assert part.requests[-1].messages == WARM_UP + 5
    assert part.requests[-1].frames.close_rcvd.code == 1001, "the client has answered the close (RFC 6455 § 5.5.1)"


@every_mapping
@pytest.mark.parametrize("act", [reset, close, drop, Request.end])
@pytest.mark.parametrize("after", [1, WARM_UP + 5])
def test_an_end_of_the_stream_is_told_as_1006(measure: Measure, mapping: str, act: Act, after: int) -> None:
    """RFC 8441 § 5, RFC 9220 § 3: TCP's FIN or its reset; RFC 6455 § 7.1.5: without a close the code is 1006."""
    def told(request: Request, message: bytes) -> None:
        if request.messages < after:
            return request.frames.send_binary(message)
        act(request)

    assert_ended(measure(mapping, Part(told=told)), "session ended", "1006")
