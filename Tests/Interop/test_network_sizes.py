"""How large packets and datagrams may be: what the peer takes, what a path carries, and what it carries no longer."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import missing
from http3_client import Client, client, echo_stream
from server import Server
from udp_proxy import Conditions, Network

# In seconds: a net, far above what any of this takes.
PATIENCE = 60
NEAR = Conditions(delay=0.005)
# In bytes of UDP payload: what every path carries (RFC 9000 § 14), and the largest probe of the server's library: what
# Ethernet carries for PPP, less the headers of IPv6 and UDP.
SMALLEST, LARGEST = 1200, 1492 - 48
# More than that, and as much as aioquic can.
LARGE_CLIENT = 1500
# What a datagram's packet has beside it: first byte, connection ID, packet number and tag; type, length and session.
OVERHEAD = 1 + 8 + 4 + 16 + 3 + 1


async def comes_back(protocol: Client, session: int, size: int) -> bool:
    """Whether a datagram of that size is echoed. A small one behind it tells when the server has seen it."""
    data = bytes([size & 0xFF]) * size
    # Either may be lost, even on loopback.
    for attempt in range(3):
        mark = b"mark %d" % attempt
        protocol.datagrams.clear()
        async with asyncio.timeout(PATIENCE):
            while mark not in protocol.datagrams and data not in protocol.datagrams:
                protocol.send_datagram(session, data)
                protocol.send_datagram(session, mark)
                await protocol.ping()
        if data in protocol.datagrams:
            return True
    return False


async def largest_datagram(protocol: Client, session: int, low: int, high: int) -> int:
    """By bisection; `low` comes back and `high` does not."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if await comes_back(protocol, session, middle) else (low, middle)
    return low


@pytest.mark.parametrize("frame", [70, 200, 1000])
def test_datagrams_are_as_large_as_the_peer_takes_and_no_larger(server: Server, frame: int) -> None:
    """RFC 9221 § 3 [26]: with type and length. One byte more is dropped, and the session goes on; 0 and 1 are sizes, too."""
    largest = frame - 3 - 1

    async def main() -> None:
        # aioquic closes the connection over a frame that is too large.
        async with client(server, patience=PATIENCE, max_datagram_frame_size=frame) as protocol:
            session = await protocol.session("/echo")
            for size in (0, 1, largest - 1, largest):
                assert await comes_back(protocol, session, size), size
            for size in (largest + 1, largest + 100):
                assert not await comes_back(protocol, session, size), size
            await echo_stream(protocol, session, 10_000)

    asyncio.run(main())


async def until_it_comes_back(protocol: Client, session: int, size: int) -> None:
    """The path's size is found out by and by, while there is something to send."""
    async with asyncio.timeout(PATIENCE):
        while not await comes_back(protocol, session, size):
            await echo_stream(protocol, session, 100_000)


# The library's probes are of 1,232, 1,342, 1,406 and 1,444 bytes.
@pytest.mark.parametrize(("path", "found"), [
    (1231, SMALLEST), (1232, 1232), (1405, 1342), (1406, 1406), (9000, LARGEST),
])
def test_datagrams_are_as_large_as_the_path_carries(server: Server, path: int, found: int) -> None:
    """RFC 9000 § 14.3: found out by probes, which are not taken for congestion. At first 1,200 bytes fit [26, 57]."""

    async def main(network: Network) -> None:
        async with client(network.server, patience=PATIENCE, max_datagram_size=LARGE_CLIENT) as protocol:
            session = await protocol.session("/echo")
            assert await comes_back(protocol, session, SMALLEST - OVERHEAD)
            await until_it_comes_back(protocol, session, found - OVERHEAD)
            assert await largest_datagram(protocol, session, 100, 1500) == found - OVERHEAD

    with Network(server, NEAR, replace(NEAR, largest=path)) as network:
        asyncio.run(main(network))
    assert (network.down.hits["largest"] > 0) == (path < LARGEST), "a probe was too large for the path"


def test_a_session_goes_on_when_the_path_carries_less(server: Server) -> None:
    """RFC 8899 § 4.3: large packets vanish from one moment to the next, without a word. Streams and datagrams adapt [57]."""

    async def main(network: Network) -> None:
        async with client(network.server, patience=PATIENCE, max_datagram_size=LARGE_CLIENT) as protocol:
            session = await protocol.session("/echo")
            await until_it_comes_back(protocol, session, LARGEST - OVERHEAD)
            network.down.conditions = replace(NEAR, largest=SMALLEST)
            await echo_stream(protocol, session, 300_000)
            assert network.down.hits["largest"] > 0
            assert await comes_back(protocol, session, SMALLEST - OVERHEAD)
            assert not await comes_back(protocol, session, SMALLEST - OVERHEAD + 1)
            network.down.sizes.clear()
            await echo_stream(protocol, session, 300_000)
            assert max(network.down.sizes) == SMALLEST, "it does not try again at once"

    with Network(server, NEAR, NEAR) as network:
        asyncio.run(main(network))


def test_after_an_outage_packets_are_as_large_as_before(server: Server) -> None:
    """Nothing gets through, and then everything does: that says nothing about sizes [57]."""

    async def main(network: Network) -> None:
        async with client(network.server, patience=PATIENCE, max_datagram_size=LARGE_CLIENT) as protocol:
            session = await protocol.session("/echo")
            await until_it_comes_back(protocol, session, LARGEST - OVERHEAD)
            network.up.conditions = network.down.conditions = replace(NEAR, rate=2_000_000)
            begun = sum(map(len, protocol.streams.values()))
            transfer = asyncio.ensure_future(echo_stream(protocol, session, 2_000_000))
            await protocol.until(lambda: sum(map(len, protocol.streams.values())) > begun + 500_000)
            network.black_hole(1)
            await transfer
            assert network.up.hits["darkness"] > 0 and network.down.hits["darkness"] > 0
            assert await comes_back(protocol, session, LARGEST - OVERHEAD)

    with Network(server, NEAR, NEAR) as network:
        asyncio.run(main(network))


# MARK: Real links


@pytest.fixture(scope="session")
def namespace() -> list[str]:
    """What runs a program in a network namespace of its own."""
    for tool in ("unshare", "ip"):
        if shutil.which(tool) is None:
            missing(f"{tool} is not installed", package="iproute2" if tool == "ip" else "util-linux")
    tried = []
    for command in (["unshare", "--user", "--map-root-user", "--net"], ["unshare", "--net"]):
        attempt = subprocess.run([*command, "ip", "link", "add", "type", "veth"], capture_output=True, text=True)
        if attempt.returncode == 0:
            return command
        tried.append(attempt.stderr.strip())
    # Containers may forbid it, and then nothing can be installed against that.
    pytest.skip(f"this machine allows no network namespace with a link in it: {'; '.join(tried)}")


@pytest.mark.parametrize(("server_mtu", "client_mtus"), [
    # The client's are MTU and UDP payload that the server makes use of.
    (9000, {9000: LARGEST}),
    (1500, {1500: LARGEST}),
    (1280, {1280: 1280 - 48}),
    (1500, {1280: 1280 - 48}),
    (1500, {1500: LARGEST, 1300: SMALLEST}),
], ids=["9000", "1500", "1280", "1280 at the far end", "1300 at the far end later"])
def test_packets_are_as_large_as_the_link_carries(
    apus: Path, namespace: list[str], tmp_path: Path, server_mtu: int, client_mtus: dict[int, int]
) -> None:
    """RFC 8899 [57]: where the server's own kernel refuses larger ones, and where they are lost on the way."""
    program = Path(__file__).parent / "path_mtu.py"
    mtus = [str(server_mtu), *(f"{mtu}={payload}" for mtu, payload in client_mtus.items())]
    result = subprocess.run(
        [*namespace, sys.executable, program, tmp_path, *mtus], capture_output=True, text=True, timeout=300,
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == list(client_mtus.values())
