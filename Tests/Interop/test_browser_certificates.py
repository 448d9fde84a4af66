"""Which certificates a page may name by their hash (W3C WebTransport § 6.1), in every browser that is here [62]."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import certificates
from behaviours import Page
from server import Server

OPENS = """
    const session = connect("/echo", { serverCertificateHashes: args.hashes.map(({ algorithm, digits }) => ({
      algorithm, value: Uint8Array.from(digits.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16)),
    })) });
    session.closed.catch(() => {});
    const result = await outcome(session.ready);
    if ("rejected" in result) return result.rejected;
    const alive = await isAlive(session);
    session.close();
    return alive ? "alive" : "dead";
"""
WRONG = {"algorithm": "sha-256", "digits": "00" * 32}


def right(page: Page) -> dict[str, str]:
    return {"algorithm": "sha-256", "digits": page.server.sha256}


def test_certificate_is_trusted_by_its_hash_alone(page: Page) -> None:
    assert page.run(OPENS, hashes=[right(page)]) == "alive"


def test_wrong_hash_is_refused(page: Page) -> None:
    assert page.run(OPENS, hashes=[WRONG]) == "WebTransportError"


def test_no_hash_is_refused(page: Page) -> None:
    """Then the authorities decide, and none has signed this certificate."""
    assert page.run(OPENS, hashes=[]) == "WebTransportError"


@pytest.mark.parametrize("is_first", [True, False])
def test_one_of_two_hashes_is_enough(page: Page, is_first: bool) -> None:
    """As a page has them while a new certificate takes over."""
    hashes = [right(page), WRONG] if is_first else [WRONG, right(page)]
    assert page.run(OPENS, hashes=hashes) == "alive"


def test_hash_of_an_unknown_algorithm_is_passed_over(page: Page) -> None:
    unknown = {"algorithm": "swift-1", "digits": page.server.sha256}
    assert page.run(OPENS, hashes=[unknown, right(page)]) == "alive"


def test_hash_of_the_wrong_length_is_refused(page: Page) -> None:
    short = {"algorithm": "sha-256", "digits": page.server.sha256[:-2]}
    assert page.run(OPENS, hashes=[short]) != "alive"


KINDS = {
    "short-lived": ({"days": 14}, "alive"),
    "too-long-lived": ({"days": 15}, "WebTransportError"),
    "RSA": ({"is_rsa": True}, "WebTransportError"),
}


@pytest.fixture(params=KINDS)
def other(request: pytest.FixtureRequest, apus, tmp_path) -> Iterator[tuple[Server, str]]:
    """A server with a certificate of another kind, and what shall come of it."""
    options, expected = KINDS[request.param]
    directory = tmp_path / "certs"
    directory.mkdir()
    files = certificates.make(directory, "development", **options)
    running = Server.start(tmp_path)
    assert running.sha256 == files.sha256
    yield running, expected
    running.stop()


def test_only_short_lived_elliptic_certificates_are_trusted_by_hash(page: Page, other: tuple[Server, str]) -> None:
    server, expected = other
    page = page.of(server)
    assert page.run(OPENS, hashes=[right(page)]) == expected
