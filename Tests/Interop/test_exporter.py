"""Keying material that both ends of a session know and nobody else, by an independent computation (RFC 8446 § 7.5;
draft-ietf-webtrans-http3 § 4.8) [65]."""

from __future__ import annotations

import struct

import pytest
from aioquic.tls import KeySchedule, hkdf_expand_label
from cryptography.hazmat.primitives import hashes

from raw_http3 import HTTP3Peer
from rules import expect
from server import Server


def digest(algorithm: hashes.HashAlgorithm, data: bytes) -> bytes:
    hasher = hashes.Hash(algorithm)
    hasher.update(data)
    return hasher.finalize()


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> list[tuple[hashes.HashAlgorithm, bytes]]:
    """The exporter secret of each connection that the raw client makes, which aioquic does not derive for itself."""
    secrets = []
    derive = KeySchedule.derive_secret

    def derive_and_note(schedule: KeySchedule, label: bytes) -> bytes:
        # From the same transcript as the server's application traffic secret (RFC 8446 § 7.1).
        if label == b"s ap traffic":
            secrets.append((schedule.algorithm, derive(schedule, b"exp master")))
        return derive(schedule, label)

    monkeypatch.setattr(KeySchedule, "derive_secret", derive_and_note)
    return secrets


def expected(secret: tuple[hashes.HashAlgorithm, bytes], session: int, label: bytes, context: bytes, count: int) -> bytes:
    algorithm, master = secret
    full = struct.pack(">Q", session) + bytes([len(label)]) + label + bytes([len(context)]) + context
    derived = hkdf_expand_label(algorithm, master, b"EXPORTER-WebTransport", digest(algorithm, b""), algorithm.digest_size)
    return hkdf_expand_label(algorithm, derived, b"exporter", digest(algorithm, full), count)


@pytest.mark.parametrize("label, context, count", [
    (b"", b"", 32), (b"a label", bytes(range(255)), 64), (b"x" * 255, b"", 1), (b"long", b"\xff", 8160),
], ids=["nothing", "the longest context", "the longest label", "the longest output"])
def test_the_exporter_is_that_of_the_draft(
    server: Server, exporter: list, label: bytes, context: bytes, count: int,
) -> None:
    with HTTP3Peer(server) as peer:
        # Not stream 0, whose ID is no different from no ID.
        peer.http_outcome()
        session = peer.session(f"/test/export?label={label.decode().replace(' ', '%20')}&context={context.hex()}&length={count}")
        assert session > 0
        came = bytes.fromhex(peer.said(session).decode())
        (secret,) = exporter
        expect("draft-ietf-webtrans-http3 § 4.8", f"{count} bytes", expected(secret, session, label, context, count), came)
