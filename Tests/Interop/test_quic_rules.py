"""What a QUIC server must not put up with: the 34 rules that h3spec checks, and a few of their neighbours [48].

Most of these errors are ngtcp2's and GnuTLS's to find. They are run against our server all the same, as its setting of
the libraries decides whether they are found, and its code decides what becomes of them.
"""

from __future__ import annotations

import pytest
from aioquic.tls import Epoch

from raw_quic import QUIC_TRANSPORT_PARAMETERS, Peer, random_id, varint
from rules import GOES_ON, OneOf, expect, librarys, quic_error, rules
from server import Server

BEYOND_STREAMS = varint((1 << 60) + 1)
# Streams by who may open and use them (RFC 9000 § 2.1); the server has opened 3, 7 and 11 for HTTP/3.
CLIENT_BIDIRECTIONAL, SERVER_BIDIRECTIONAL, CLIENT_UNIDIRECTIONAL, SERVER_UNIDIRECTIONAL = range(4)
MAX_STREAMS = 1024


def new_connection_id(sequence: int, retire_prior_to: int, identifier: bytes) -> bytes:
    return b"\x18" + varint(sequence) + varint(retire_prior_to) + bytes([len(identifier)]) + identifier + bytes(16)


def crypto(message: bytes) -> bytes:
    return b"\x06" + varint(0) + varint(len(message)) + message


KEY_UPDATE = bytes.fromhex("1800000100")
END_OF_EARLY_DATA = bytes.fromhex("05000000")

IN_1RTT = [
    ("RFC 9000 § 4.1", "a STREAM frame at offset 2^40", b"\x0e\x00" + varint(1 << 40) + b"\x01x", "FLOW_CONTROL_ERROR"),
    ("RFC 9000 § 4.6", f"a STREAM frame on the {MAX_STREAMS + 1}th bidirectional stream",
     b"\x0a" + varint(4 * MAX_STREAMS) + b"\x01x", "STREAM_LIMIT_ERROR"),
    ("RFC 9000 § 4.6 (unidirectional)", f"a STREAM frame on the {MAX_STREAMS + 1}th unidirectional stream",
     b"\x0a" + varint(4 * MAX_STREAMS + 2) + b"\x01x", "STREAM_LIMIT_ERROR"),
    ("RFC 9000 § 12.4 (unknown frame)", "a frame of type 0x1f3f", varint(0x1F3F), "FRAME_ENCODING_ERROR"),
    ("RFC 9000 § 12.4 (no frames)", "a 1-RTT packet without a frame", b"", "PROTOCOL_VIOLATION"),
    ("RFC 9000 § 19.4", "RESET_STREAM for a send-only stream",
     bytes([0x04, SERVER_UNIDIRECTIONAL, 0, 0]), "STREAM_STATE_ERROR"),
    ("RFC 9000 § 19.5 (not created)", "STOP_SENDING for a stream that the server has not created",
     bytes([0x05, SERVER_BIDIRECTIONAL, 0]), "STREAM_STATE_ERROR"),
    ("RFC 9000 § 19.5 (receive-only)", "STOP_SENDING for a receive-only stream",
     bytes([0x05, CLIENT_UNIDIRECTIONAL, 0]), "STREAM_STATE_ERROR"),
    ("RFC 9000 § 19.7", "NEW_TOKEN", b"\x07\x04abcd", "PROTOCOL_VIOLATION"),
    ("RFC 9000 § 19.8 (not created)", "STREAM for a stream that the server has not created",
     bytes([0x0A, SERVER_BIDIRECTIONAL, 1, 0]), "STREAM_STATE_ERROR"),
    ("RFC 9000 § 19.8 (send-only)", "STREAM for a send-only stream",
     bytes([0x0A, SERVER_UNIDIRECTIONAL, 1, 0]), "STREAM_STATE_ERROR"),
    ("RFC 9000 § 19.10 (not created)", "MAX_STREAM_DATA for a stream that the server has not created",
     bytes([0x11, SERVER_BIDIRECTIONAL, 1]), "STREAM_STATE_ERROR"),
    ("RFC 9000 § 19.10 (receive-only)", "MAX_STREAM_DATA for a receive-only stream",
     bytes([0x11, CLIENT_UNIDIRECTIONAL, 1]), "STREAM_STATE_ERROR"),
    ("RFC 9000 § 19.11 (bidirectional)", "MAX_STREAMS of 2^60 + 1", b"\x12" + BEYOND_STREAMS, "FRAME_ENCODING_ERROR"),
    ("RFC 9000 § 19.11 (unidirectional)", "MAX_STREAMS of 2^60 + 1", b"\x13" + BEYOND_STREAMS, "FRAME_ENCODING_ERROR"),
    ("RFC 9000 § 19.14 (bidirectional)", "STREAMS_BLOCKED of 2^60 + 1", b"\x16" + BEYOND_STREAMS,
     ("FRAME_ENCODING_ERROR", "STREAM_LIMIT_ERROR")),
    ("RFC 9000 § 19.14 (unidirectional)", "STREAMS_BLOCKED of 2^60 + 1", b"\x17" + BEYOND_STREAMS,
     ("FRAME_ENCODING_ERROR", "STREAM_LIMIT_ERROR")),
    ("RFC 9000 § 19.15 (Retire Prior To)", "NEW_CONNECTION_ID 8 that retires those before 9",
     new_connection_id(8, 9, random_id()), "FRAME_ENCODING_ERROR"),
    ("RFC 9000 § 19.15 (no ID)", "NEW_CONNECTION_ID with an ID of 0 bytes",
     new_connection_id(8, 0, b""), "FRAME_ENCODING_ERROR"),
    ("RFC 9000 § 19.15 (long ID)", "NEW_CONNECTION_ID with an ID of 21 bytes",
     new_connection_id(8, 0, bytes(21)), "FRAME_ENCODING_ERROR"),
    ("RFC 9000 § 5.1.1", "8 connection IDs at once, where 7 are allowed",
     b"".join(new_connection_id(number, 0, random_id()) for number in range(100, 108)), "CONNECTION_ID_LIMIT_ERROR"),
    ("RFC 9000 § 19.15 (another ID)", "NEW_CONNECTION_ID 100 twice, with different IDs",
     new_connection_id(100, 100, random_id()) + new_connection_id(100, 100, random_id()), "PROTOCOL_VIOLATION"),
    ("RFC 9000 § 19.20", "HANDSHAKE_DONE", b"\x1e", "PROTOCOL_VIOLATION"),
    ("RFC 9000 § 7.5", "CRYPTO at offset 2^20", b"\x06" + varint(1 << 20) + b"\x01x", "CRYPTO_BUFFER_EXCEEDED"),
    *[
        (f"RFC 8446 § 4 ({name})", f"a TLS {name} message in 1-RTT", crypto(bytes([kind, 0, 0, 1, 0])),
         "TLS alert unexpected_message")
        for name, kind in {"ClientHello": 1, "NewSessionTicket": 4, "Certificate": 11, "Finished": 20}.items()
    ],
]


RESET_OF_SEND_ONLY = librarys("ngtcp2 says PROTOCOL_VIOLATION, which RFC 9000 § 11 allows in any place")


@pytest.mark.parametrize("rule, sent, frames, error", rules(IN_1RTT, {"RFC 9000 § 19.4": RESET_OF_SEND_ONLY}))
def test_an_illegal_frame_in_1rtt_closes_the_connection(
    server: Server, rule: str, sent: str, frames: bytes, error: str | tuple[str, ...]
) -> None:
    errors = (error,) if isinstance(error, str) else error
    with Peer(server) as peer:
        peer.send_frames(frames)
        expect(rule, sent, OneOf(*map(quic_error, errors)), peer.connection_outcome())


def test_a_key_update_message_in_1rtt_closes_the_connection(own_server: Server) -> None:
    """RFC 9001 § 6. A server of its own, as the others must not lose theirs."""
    with Peer(own_server) as peer:
        peer.send_frames(crypto(KEY_UPDATE))
        expect("RFC 9001 § 6", "a TLS KeyUpdate message in 1-RTT",
               quic_error("TLS alert unexpected_message"), peer.connection_outcome())


def test_reserved_bits_in_1rtt_close_the_connection(server: Server) -> None:
    """RFC 9000 § 17.3.1"""
    with Peer(server) as peer:
        peer.send_frames(b"\x01", reserved_bits=1)
        expect("RFC 9000 § 17.3.1", "PING in a 1-RTT packet with a reserved bit set",
               quic_error("PROTOCOL_VIOLATION"), peer.connection_outcome())


IN_HANDSHAKE = [
    ("RFC 9000 § 17.2", "PING in a Handshake packet with a reserved bit set", b"\x01", 1, "PROTOCOL_VIOLATION"),
    ("RFC 9000 § 12.4 (no frames)", "a Handshake packet without a frame", b"", 0, "PROTOCOL_VIOLATION"),
    ("RFC 9000 § 17.2.4", "PATH_CHALLENGE in a Handshake packet", b"\x1a" + bytes(8), 0, "PROTOCOL_VIOLATION"),
    ("RFC 9001 § 6", "a TLS KeyUpdate message in a Handshake packet",
     crypto(KEY_UPDATE), 0, "TLS alert unexpected_message"),
    ("RFC 9001 § 8.3", "EndOfEarlyData in a Handshake packet",
     crypto(END_OF_EARLY_DATA), 0, "TLS alert unexpected_message"),
]


@pytest.mark.parametrize("rule, sent, frames, bits, error", rules(IN_HANDSHAKE))
def test_an_illegal_handshake_packet_closes_the_connection(
    server: Server, rule: str, sent: str, frames: bytes, bits: int, error: str
) -> None:
    def send(peer: Peer) -> None:
        peer.send_frames(frames, Epoch.HANDSHAKE, bits)

    with Peer(server, instead_of_finished=send) as peer:
        expect(rule, sent, quic_error(error), peer.connection_outcome())


# An IPv4 and an IPv6 address with ports, a connection ID of 8 bytes, a token (RFC 9000 § 18.2).
PREFERRED_ADDRESS = bytes(6) + bytes(18) + b"\x08" + bytes(8) + bytes(16)

PARAMETERS = [
    ("RFC 9000 § 7.3 (missing)", "no initial_source_connection_id", {0x0F: None}),
    ("RFC 9000 § 7.3 (another)", "an initial_source_connection_id other than the packets'", {0x0F: bytes(8)}),
    ("RFC 9000 § 18.2 (original_destination_connection_id)", "the parameter from a client", {0x00: bytes(8)}),
    ("RFC 9000 § 18.2 (preferred_address)", "the parameter from a client", {0x0D: PREFERRED_ADDRESS}),
    ("RFC 9000 § 18.2 (retry_source_connection_id)", "the parameter from a client", {0x10: bytes(8)}),
    ("RFC 9000 § 18.2 (stateless_reset_token)", "the parameter from a client", {0x02: bytes(16)}),
    ("RFC 9000 § 18.2 (max_udp_payload_size)", "1199", {0x03: varint(1199)}),
    ("RFC 9000 § 18.2 (ack_delay_exponent)", "21", {0x0A: varint(21)}),
    ("RFC 9000 § 18.2 (max_ack_delay)", "2^14", {0x0B: varint(1 << 14)}),
    ("RFC 9000 § 18.2 (active_connection_id_limit)", "1", {0x0E: varint(1)}),
    ("RFC 9000 § 18.2 (initial_max_streams_bidi)", "2^60 + 1", {0x08: BEYOND_STREAMS}),
    ("RFC 9000 § 18.2 (initial_max_streams_uni)", "2^60 + 1", {0x09: BEYOND_STREAMS}),
]


@pytest.mark.parametrize("rule, sent, parameters", rules(PARAMETERS))
def test_an_illegal_transport_parameter_closes_the_connection(
    server: Server, rule: str, sent: str, parameters: dict[int, bytes | None]
) -> None:
    with Peer(server, parameters=parameters) as peer:
        expect(rule, sent, quic_error("TRANSPORT_PARAMETER_ERROR"), peer.connection_outcome())


def test_unknown_transport_parameters_are_ignored(server: Server) -> None:
    """RFC 9000 § 7.4.2, § 18.1"""
    with Peer(server, parameters={27: b"", 31 * 99 + 27: b"grease", 0x1D: b""}) as peer:
        expect("RFC 9000 § 7.4.2", "reserved and unknown parameters", GOES_ON, peer.connection_outcome())


MISSING = [
    ("RFC 9001 § 8.2 (none)", "a ClientHello without quic_transport_parameters", lambda parameters: []),
    ("RFC 9001 § 8.2 (the drafts' codepoint)", "a ClientHello with the parameters under 0xffa5 alone",
     lambda parameters: [(0xFFA5, parameters)]),
]


@pytest.mark.parametrize("rule, sent, extensions", rules(MISSING))
def test_a_hello_without_transport_parameters_is_refused(
    server: Server, rule: str, sent: str, extensions: object
) -> None:
    assert QUIC_TRANSPORT_PARAMETERS == 0x39
    with Peer(server, extensions=extensions) as peer:
        expect(rule, sent, quic_error("TLS alert missing_extension"), peer.connection_outcome())


@pytest.mark.parametrize("alpn", [None, ["h0"], ["http/1.1", "h2"]], ids=["none", "h0", "http/1.1 and h2"])
def test_a_hello_without_a_known_application_protocol_is_refused(server: Server, alpn: list[str] | None) -> None:
    """RFC 9001 § 8.1 [66]"""
    with Peer(server, alpn=alpn) as peer:
        expect("RFC 9001 § 8.1", f"a ClientHello with the application protocols {alpn}",
               quic_error("TLS alert no_application_protocol"), peer.connection_outcome())
