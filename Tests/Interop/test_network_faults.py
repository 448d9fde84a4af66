"""Sessions across networks that lose, alter, delay, reorder and repeat packets. The client is aioquic."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from aioquic.quic.events import QuicEvent, StreamDataReceived, StreamReset
from selenium import webdriver

from conftest import run_script
from http3_client import Client, client, echo_datagrams, echo_stream, exchange
from server import Server
from udp_proxy import Conditions, Network

# In seconds: a net, far above what any of this takes.
PATIENCE = 120
# As a client waits when it knows nothing of the path, so that the first packets are not all probes.
SLOW = {"initial_rtt": 1.5}
# An application's code 0 as it travels.
RESET_0 = 0x52E4A40FA8DB

FAULTS = {
    "2 % are lost": (Conditions(loss=0.02, delay=0.01), 1_000_000, {}),
    "30 % are lost": (Conditions(loss=0.3, delay=0.005), 10_000, {}),
    "10 % are altered": (Conditions(corruption=0.1, delay=0.005), 200_000, {}),
    "750 ms of delay": (Conditions(delay=0.75), 20_000, SLOW),
    "20 % come late": (Conditions(reordering=0.2, delay=0.005), 500_000, {}),
    "30 % come twice": (Conditions(duplication=0.3, delay=0.005), 500_000, {}),
    "a narrow path": (Conditions(rate=500_000, delay=0.02), 500_000, {}),
    "all at once": (
        Conditions(loss=0.05, corruption=0.05, reordering=0.1, duplication=0.1, delay=0.01, rate=1_000_000),
        200_000, {},
    ),
}


@pytest.fixture(scope="module")
def patient(apus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that does not give up where a chain of losses, each waited for twice as long, takes half a minute."""
    running = Server.start(tmp_path_factory.mktemp("patient"), "--idle-timeout", f"{PATIENCE}s")
    yield running
    running.stop()


@pytest.mark.parametrize(("conditions", "size", "options"), FAULTS.values(), ids=FAULTS)
def test_sessions_cross_a_bad_network(patient: Server, conditions: Conditions, size: int, options: dict) -> None:
    """RFC 9000 § 13.3, RFC 9002: from the handshake on, what is lost is repaired, and what was altered is not taken [59]."""

    async def main(network: Network) -> None:
        async with client(network.server, patience=PATIENCE, idle_timeout=PATIENCE, **options) as protocol:
            await exchange(protocol, size, datagrams=5)

    with Network(patient, conditions, conditions) as network:
        asyncio.run(main(network))
    for direction in (network.up, network.down):
        assert direction.bytes > size, "the session has gone past the network"
        direction.assert_met()


def test_handshakes_complete_where_30_percent_are_lost(server: Server) -> None:
    """RFC 9002 § 6.2: several at once [59]."""

    async def one(network: Network) -> None:
        # The server's time for a handshake is ten seconds, within which a chain of losses may fall.
        for attempt in range(4):
            try:
                async with client(network.server, patience=PATIENCE, idle_timeout=15) as protocol:
                    assert (await protocol.request("GET", "/healthz")).body == b"ok"
                    return
            except ConnectionError:
                assert attempt < 3

    async def main(network: Network) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(8):
                group.create_task(one(network))

    lossy = Conditions(loss=0.3, delay=0.005)
    with Network(server, lossy, lossy) as network:
        asyncio.run(main(network))
    for direction in (network.up, network.down):
        direction.assert_met()


def test_a_session_outlives_an_outage_of_two_seconds(server: Server) -> None:
    """RFC 9000 § 10.1: nothing arrives in the midst of a transfer, and afterwards it goes on where it was [59]."""

    async def main(network: Network) -> None:
        async with client(network.server, patience=PATIENCE) as protocol:
            session = await protocol.session("/echo")
            transfer = asyncio.ensure_future(echo_stream(protocol, session, 1_000_000))
            await protocol.until(lambda: sum(map(len, protocol.streams.values())) > 100_000)
            assert not transfer.done()
            network.black_hole(2)
            await transfer
            await echo_datagrams(protocol, session, 20)

    # Narrow enough for the outage to come in between.
    narrow = Conditions(delay=0.005, rate=1_000_000)
    with Network(server, narrow, narrow) as network:
        asyncio.run(main(network))
    for direction in (network.up, network.down):
        assert direction.hits["darkness"] > 0
        direction.assert_met()


class Witness(Client):
    """Remembers in which order the first data and the reset of each stream arrived."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.arrivals: dict[int, list[type[QuicEvent]]] = {}

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, StreamDataReceived | StreamReset):
            kinds = self.arrivals.setdefault(event.stream_id, [])
            if type(event) not in kinds:
                kinds.append(type(event))
        super().quic_event_received(event)


def test_a_reset_waits_until_the_prefix_of_its_stream_has_arrived(server: Server) -> None:
    """draft-ietf-webtrans-http3 § 4.4: without its prefix a reset stream belongs to no session [20].

    The echo gives up the streams on which it answers when the client gives up its own. All that the server says then is
    lost at first: a reset sent at once would be all that is repeated afterwards.
    """
    count = 8

    async def main(network: Network) -> None:
        async with client(network.server, patience=PATIENCE, kind=Witness) as protocol:

            async def until_it_speaks() -> None:
                spoken = network.down.packets
                async with asyncio.timeout(PATIENCE):
                    while network.down.packets == spoken:
                        await asyncio.sleep(0.01)

            session = await protocol.session("/echo")
            await protocol.ping()
            network.down.black_hole()
            sent = [protocol.open(session, b"never mind", is_unidirectional=True) for _ in range(count)]
            await until_it_speaks()
            for stream in sent:
                protocol.reset(stream, RESET_0)
            await until_it_speaks()
            assert network.down.hits["darkness"] > 0
            network.down.light()
            await protocol.until(lambda: len(protocol.resets) == count)
            assert [protocol.resets[stream] for stream in protocol.resets] == [{RESET_0}] * count
            orders = [protocol.arrivals[stream] for stream in protocol.resets]
            assert orders == [[StreamDataReceived, StreamReset]] * count

    with Network(server, Conditions(delay=0.005), Conditions(delay=0.005)) as network:
        asyncio.run(main(network))


def test_a_page_in_chromium_holds_a_session_where_30_percent_are_lost(
    server: Server, browser: webdriver.Chrome
) -> None:
    """The same of a browser's transport [59]."""
    lossy = Conditions(loss=0.3, delay=0.005)
    with Network(server, lossy, lossy) as network:
        browser.get(network.server.page + "healthz")
        assert run_script(browser, network.server, """
            const session = await open("/echo");
            const data = pattern(50_000);
            const stream = await session.createBidirectionalStream();
            const answer = readAll(stream.readable);
            await writeAll(stream.writable, data);
            const isWhole = equal(await answer, data);
            const writer = session.datagrams.writable.getWriter();
            const reader = session.datagrams.readable.getReader();
            const repeat = setInterval(() => writer.write(data.subarray(0, 1000)), 50);
            const { value } = await reader.read();
            clearInterval(repeat);
            session.close();
            return isWhole && equal(value, data.subarray(0, 1000));
        """)
    for direction in (network.up, network.down):
        direction.assert_met()
