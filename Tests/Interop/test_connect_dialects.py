"""`apus connect`, and so the client library, against servers of every dialect of WebTransport, and what they answer."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import DEVNULL
from pathlib import Path

import pytest

from aioquic_server import Peer, listening
from connect_command import EX_UNAVAILABLE, connecting, outcome

ENABLE_WEBTRANSPORT, WT_ENABLED = 0x2B603742, 0x2C7CF000
H3_SETTINGS_ERROR, WT_ALPN_ERROR = 0x109, 0x0817B3DD
# What stands in its place while the handshake is not confirmed (RFC 9000 § 10.2.3).
APPLICATION_ERROR = 0x0C


@pytest.mark.parametrize("dialects, protocol", [
    ([WT_ENABLED], b"webtransport-h3"), ([ENABLE_WEBTRANSPORT, WT_ENABLED], b"webtransport-h3"),
    ([ENABLE_WEBTRANSPORT], b"webtransport"),
])
def test_the_server_dialect_decides_on_the_protocol(apus: Path, dialects: list[int], protocol: bytes) -> None:
    """draft-15 § 3.1 and § 9.1: webtransport-h3 where WT_ENABLED is; without draft-02's header then."""

    async def main() -> None:
        class Part(Peer):
            settings = {0x08: 1, 0x33: 1} | dict.fromkeys(dialects, 1)

        async with listening(Part) as url, connecting(apus, url) as command:
            command.stdin.close()
            code, _, errors = await outcome(command)
            await Part.current.has_ended.wait()
        assert (code, errors.splitlines()[-1]) == (0, "apus: closed")
        settings = Part.current.http.received_settings
        request = Part.current.request
        # draft-16 § 3.1: a client sends it, too.
        assert settings[WT_ENABLED] == 1
        assert request[b":protocol"] == protocol
        assert (b"sec-webtransport-http3-draft02" in request) == (protocol == b"webtransport")

    asyncio.run(main())


def test_a_switch_with_another_value_is_a_settings_error(apus: Path) -> None:
    """draft-16 § 3.1: WT_ENABLED is 0 or 1."""

    async def main() -> None:
        class Part(Peer):
            settings = {0x08: 1, 0x33: 1, WT_ENABLED: 2}

        async with listening(Part) as url, connecting(apus, url, stdin=DEVNULL) as command:
            code, output, _ = await outcome(command)
            await Part.current.wait_closed()
        assert (code, output) == (EX_UNAVAILABLE, "")
        assert Part.current.close_code in (H3_SETTINGS_ERROR, APPLICATION_ERROR)
        assert Part.current.request == {}

    asyncio.run(main())


@pytest.mark.parametrize(
    "offered, answer, is_taken",
    [
        (["a", "b"], b'"b"', True), (["a", "b"], b'"b";x=1', True), (["a"], b'"c"', False), (["a"], b"a", True),
        (["a"], b"1", True), ([], b'"c"', True),
    ],
)
def test_an_application_protocol_that_was_not_offered_ends_the_session(
    apus: Path, offered: list[str], answer: bytes, is_taken: bool
) -> None:
    """draft-15 § 3.3: with WT_ALPN_ERROR; what is no string is ignored."""

    async def main() -> None:
        class Part(Peer):
            fields = [(b"wt-protocol", answer)]

        options = [word for name in offered for word in ("--subprotocol", name)]
        async with listening(Part) as url, connecting(apus, url, *options) as command:
            command.stdin.close()
            code, _, errors = await outcome(command)
            await (Part.current.has_ended.wait() if is_taken else Part.current.wait_closed())
        assert (code == 0) == is_taken, errors
        assert set(Part.current.resets.values()) == (set() if is_taken else {WT_ALPN_ERROR})

    asyncio.run(main())
