"""How rules are judged: outcomes with names, one `expect` for all, tables of rules, and marks for those that fail."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

TRANSPORT_ERRORS = {
    0x00: "NO_ERROR", 0x01: "INTERNAL_ERROR", 0x02: "CONNECTION_REFUSED", 0x03: "FLOW_CONTROL_ERROR",
    0x04: "STREAM_LIMIT_ERROR", 0x05: "STREAM_STATE_ERROR", 0x06: "FINAL_SIZE_ERROR", 0x07: "FRAME_ENCODING_ERROR",
    0x08: "TRANSPORT_PARAMETER_ERROR", 0x09: "CONNECTION_ID_LIMIT_ERROR", 0x0A: "PROTOCOL_VIOLATION",
    0x0B: "INVALID_TOKEN", 0x0C: "APPLICATION_ERROR", 0x0D: "CRYPTO_BUFFER_EXCEEDED", 0x0E: "KEY_UPDATE_ERROR",
    0x0F: "AEAD_LIMIT_REACHED", 0x10: "NO_VIABLE_PATH", 0x100 + 10: "TLS alert unexpected_message",
    0x100 + 109: "TLS alert missing_extension", 0x100 + 120: "TLS alert no_application_protocol",
}
HTTP3_ERRORS = {
    0x33: "H3_DATAGRAM_ERROR", 0x100: "H3_NO_ERROR", 0x101: "H3_GENERAL_PROTOCOL_ERROR", 0x102: "H3_INTERNAL_ERROR",
    0x103: "H3_STREAM_CREATION_ERROR", 0x104: "H3_CLOSED_CRITICAL_STREAM", 0x105: "H3_FRAME_UNEXPECTED",
    0x106: "H3_FRAME_ERROR", 0x107: "H3_EXCESSIVE_LOAD", 0x108: "H3_ID_ERROR", 0x109: "H3_SETTINGS_ERROR",
    0x10A: "H3_MISSING_SETTINGS", 0x10B: "H3_REQUEST_REJECTED", 0x10C: "H3_REQUEST_CANCELLED",
    0x10D: "H3_REQUEST_INCOMPLETE", 0x10E: "H3_MESSAGE_ERROR", 0x10F: "H3_CONNECT_ERROR",
    0x110: "H3_VERSION_FALLBACK", 0x200: "QPACK_DECOMPRESSION_FAILED", 0x201: "QPACK_ENCODER_STREAM_ERROR",
    0x202: "QPACK_DECODER_STREAM_ERROR", 0x170D7B68: "WT_SESSION_GONE", 0x3994BD84: "WT_BUFFERED_STREAM_REJECTED",
    0x045D4487: "WT_FLOW_CONTROL_ERROR", 0x0817B3DD: "WT_ALPN_ERROR",
}


@dataclass(frozen=True)
class Close:
    """A CONNECTION_CLOSE frame: of QUIC itself (0x1c), or of HTTP/3 (0x1d)."""

    code: int
    is_application: bool
    reason: str = field(default="", compare=False)

    def __str__(self) -> str:
        names = HTTP3_ERRORS if self.is_application else TRANSPORT_ERRORS
        layer = "HTTP/3" if self.is_application else "QUIC"
        reason = f", saying {self.reason!r}" if self.reason else ""
        return f"CONNECTION_CLOSE of {layer} with {names.get(self.code, 'an unknown code')} ({self.code:#x}){reason}"


@dataclass(frozen=True)
class Abort:
    """RESET_STREAM or STOP_SENDING. A stream error may come as either (RFC 9114 § 8)."""

    code: int

    def __str__(self) -> str:
        return f"the stream aborted with {HTTP3_ERRORS.get(self.code, 'an unknown code')} ({self.code:#x})"


class OneOf:
    """Several outcomes that a rule leaves to the receiver."""

    def __init__(self, *outcomes: object) -> None:
        self._outcomes = outcomes

    def __eq__(self, other: object) -> bool:
        return other in self._outcomes

    def __str__(self) -> str:
        return ", or ".join(map(str, self._outcomes))


def quic_error(name: str) -> Close:
    return Close(_code(TRANSPORT_ERRORS, name), is_application=False)


def http3_error(name: str) -> Close:
    return Close(_code(HTTP3_ERRORS, name), is_application=True)


def stream_error(name: str) -> Abort:
    return Abort(_code(HTTP3_ERRORS, name))


def _code(names: dict[int, str], name: str) -> int:
    return next(code for code, candidate in names.items() if candidate == name)


# What comes when a connection survives: an answer to something that was sent afterwards.
GOES_ON = "the connection goes on"


def expect(rule: str, sent: str, expected: object, came: object) -> None:
    """Fails with the rule, what was sent, what was expected and what came."""
    if came != expected:
        pytest.fail(f"\nrule:     {rule}\nsent:     {sent}\nexpected: {expected}\ncame:     {came}", pytrace=False)


def librarys(reason: str) -> pytest.MarkDecorator:
    """Marks a rule that ngtcp2 or nghttp3 breaks. NOT-APPLICABLE.md says since when, why, and who would need it."""
    return _broken(f"the library's: {reason}; see NOT-APPLICABLE.md")


def _broken(reason: str) -> pytest.MarkDecorator:
    # Only what `expect` says: any other failure is a failure of the test.
    return pytest.mark.xfail(raises=pytest.fail.Exception, strict=True, reason=reason)


def rules(table: list[tuple], marks: dict[str, pytest.MarkDecorator] | None = None) -> list[object]:
    """A table as parameters, each row under the rule's name, which is its first column."""
    marks = marks or {}
    assert marks.keys() <= {row[0] for row in table}
    return [pytest.param(*row, id=row[0].replace("§ ", ""), marks=marks.get(row[0], ())) for row in table]
