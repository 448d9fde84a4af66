"""Paths that change under a session: rebindings, new keys, marks of congestion, silence. The client is aioquic."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aioquic.buffer import Buffer
from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet import QuicFrameType, pull_ack_frame
from aioquic.tls import CipherSuite, Epoch
from selenium import webdriver

from abuse import await_metric, metrics
from conftest import run_script
from http3_client import Client, client, echo_datagrams, echo_stream, exchange
from server import Server
from udp_proxy import CE, ECT_0, ECT_1, NOT_ECT, Conditions, Network

# In seconds: a net, far above what any of this takes.
PATIENCE = 60
NEAR = Conditions(delay=0.005)
# A transfer takes long enough for something to happen in its midst.
NARROW = Conditions(delay=0.005, rate=2_000_000)


@pytest.fixture(scope="module", params=[1, 2], ids=["one loop", "two loops"])
def looped(request: pytest.FixtureRequest, apus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one socket, and one whose kernel spreads flows over two."""
    running = Server.start(tmp_path_factory.mktemp("looped"), "--loops", str(request.param))
    yield running
    running.stop()


async def in_midst(protocol: Client, session: int, act: object, size: int = 300_000) -> None:
    """Does something while a stream's bytes come back, which they do all the same."""
    before = sum(map(len, protocol.streams.values()))
    transfer = asyncio.ensure_future(echo_stream(protocol, session, size))
    await protocol.until(lambda: sum(map(len, protocol.streams.values())) > before + size // 10)
    assert not transfer.done()
    act()
    await transfer


# MARK: Addresses


@pytest.mark.parametrize("addresses", [["127.0.0.1"] * 8, ["127.0.0.2", "127.0.0.3", "127.0.0.1"]],
                         ids=["another port", "another address"])
def test_a_session_survives_rebindings(looped: Server, addresses: list[str]) -> None:
    """RFC 9000 § 9.3: in mid-transfer, again and again [54]."""

    async def main(network: Network) -> None:
        async with client(network.server, patience=PATIENCE) as protocol:
            session = await exchange(protocol, 10_000)
            for address in addresses:
                await in_midst(protocol, session, lambda address=address: network.rebind(address))
                await echo_datagrams(protocol, session, 5)

    with Network(looped, NARROW, NARROW) as network:
        asyncio.run(main(network))


def test_a_rebinding_that_reaches_another_loop(apus: Path, tmp_path: Path) -> None:
    """RFC 9000 § 9.3 [54]: the kernel decides which loop gets a port's packets; the connection stays where it was."""
    server = Server.start(tmp_path, "--loops", "2")

    async def main(network: Network) -> None:
        async with client(network.server, patience=PATIENCE) as protocol:
            session = await exchange(protocol, 10_000)
            # Each has a chance of one half.
            for _ in range(64):
                await in_midst(protocol, session, lambda: network.rebind("127.0.0.1"))
                if metrics(server)["apus_quic_udp_datagrams_handed_over_total"] > 0:
                    break
            await_metric(server, "apus_quic_udp_datagrams_handed_over_total", bool)
            await echo_datagrams(protocol, session, 5)

    try:
        with Network(server, NARROW, NARROW) as network:
            asyncio.run(main(network))
    finally:
        server.stop()


def test_a_session_survives_a_client_that_moves(looped: Server) -> None:
    """RFC 9000 § 9.5: with another address the client takes another of the server's connection IDs [54]."""

    async def main(network: Network) -> None:
        async with client(network.server, patience=PATIENCE) as protocol:
            session = await exchange(protocol, 10_000)
            for address in ("127.0.0.2", "127.0.0.3", "127.0.0.2", "127.0.0.1"):
                former = protocol._quic._peer_cid.cid

                def move(address: str = address) -> None:
                    network.rebind(address)
                    protocol.change_connection_id()

                await in_midst(protocol, session, move)
                assert protocol._quic._peer_cid.cid != former
                await echo_datagrams(protocol, session, 5)

    with Network(looped, NARROW, NARROW) as network:
        asyncio.run(main(network))


def test_little_is_sent_to_an_address_that_is_not_validated(server: Server) -> None:
    """RFC 9000 § 9.3.1, § 8.1 [52]: three times what came from it. One packet with another source must not turn a stream on
    somebody else."""

    async def main(network: Network) -> None:
        async with client(network.server, patience=PATIENCE) as protocol:
            await protocol.session("/source?bytes=2000000")
            await protocol.until(lambda: sum(map(len, protocol.streams.values())) > 500_000)
            # One more packet, or a few, with another source; then none, so that no challenge is answered.
            network.rebind("127.0.0.2")
            await protocol.until(lambda: network.sent_from["127.0.0.2"])
            network.up.black_hole()
            # What the server sends in this time, it sends into the dark.
            await asyncio.sleep(1)
            assert 0 < network.sent_to["127.0.0.2"] <= 3 * network.sent_from["127.0.0.2"]
            assert network.up.hits["darkness"] > 0, "the client has answered"
            network.up.light()
            await protocol.until(lambda: sum(map(len, protocol.streams.values())) >= 2_000_000)

    with Network(server, Conditions(delay=0.005), NARROW) as network:
        asyncio.run(main(network))


def test_a_page_in_chromium_keeps_its_session_over_rebindings(looped: Server, browser: webdriver.Chrome) -> None:
    """Chromium's connection ID is empty: only the server's leads to the connection [54]."""
    with Network(looped, NEAR, NEAR) as network:
        browser.get(network.server.page + "healthz")
        body = """
            const echo = async () => {
              const data = pattern(100_000);
              const stream = await globalThis.session.createBidirectionalStream();
              const answer = readAll(stream.readable);
              await writeAll(stream.writable, data);
              return equal(await answer, data);
            };
        """
        assert run_script(browser, network.server, body + "globalThis.session = await open('/echo'); return echo();")
        for address in ("127.0.0.1", "127.0.0.2", "127.0.0.1"):
            network.rebind(address)
            assert run_script(browser, network.server, body + "return echo();")


# MARK: Keys


def test_keys_are_updated_when_the_client_does(server: Server) -> None:
    """RFC 9001 § 6 [55]: in mid-transfer, twice, so that both key phases come."""

    async def main(network: Network) -> None:
        async with client(network.server, patience=PATIENCE) as protocol:
            session = await exchange(protocol, 10_000)
            for phase in (1, 0):
                await in_midst(protocol, session, protocol.request_key_update)
                await protocol.ping()
                keys = protocol._quic._cryptos[Epoch.ONE_RTT]
                # The server has followed: what it sends is read with the new keys.
                assert (keys.send.key_phase, keys.recv.key_phase) == (phase, phase)

    with Network(server, NARROW, NARROW) as network:
        asyncio.run(main(network))


def test_a_client_that_knows_chacha20_only_is_served(server: Server) -> None:
    """RFC 9001 § 5.4.4: its header protection is another one, too [67]."""

    async def main() -> None:
        async with client(server, cipher_suites=[CipherSuite.CHACHA20_POLY1305_SHA256]) as protocol:
            assert protocol._quic.tls.key_schedule.cipher_suite == CipherSuite.CHACHA20_POLY1305_SHA256
            await exchange(protocol, 100_000)

    asyncio.run(main())


def test_the_key_log_is_the_clients(apus: Path, tmp_path: Path) -> None:
    """What decrypts for the client's log decrypts for the server's: the same secrets under the same client random [64]."""
    running = Server.start(tmp_path, "--keylog", str(tmp_path / "server.keys"))

    async def main() -> None:
        with open(tmp_path / "client.keys", "w") as log:
            async with client(running, secrets_log_file=log) as protocol:
                await exchange(protocol, 10_000)

    try:
        asyncio.run(main())
    finally:
        running.stop()
    ours, theirs = (
        {tuple(line.split()) for line in (tmp_path / name).read_text().splitlines() if not line.startswith("#")}
        for name in ("server.keys", "client.keys")
    )
    traffic = {f"{side}_{kind}" for side in ("CLIENT", "SERVER")
               for kind in ("HANDSHAKE_TRAFFIC_SECRET", "TRAFFIC_SECRET_0")}
    assert {name for name, _, _ in theirs} == traffic
    assert {entry for entry in ours if entry[0] in traffic} == theirs


# MARK: Congestion marks


def test_marks_of_congestion_are_counted_and_reported(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9000 § 13.4.1: what arrives with ECT(0) and with CE comes back in the ACK frames' counts [56]."""
    reports: list[tuple[int, int, int]] = []
    handle = QuicConnection._handle_ack_frame

    def peek(quic: QuicConnection, context: object, kind: int, buffer: Buffer) -> None:
        if kind == QuicFrameType.ACK_ECN:
            position = buffer.tell()
            pull_ack_frame(buffer)
            reports.append(tuple(buffer.pull_uint_var() for _ in range(3)))
            buffer.seek(position)
        handle(quic, context, kind, buffer)

    monkeypatch.setattr(QuicConnection, "_handle_ack_frame", peek)

    async def main(network: Network) -> None:
        async with client(network.server, patience=PATIENCE) as protocol:
            session = await exchange(protocol, 100_000)
            ect_0, ect_1, ce = max(reports)
            assert 50 < ect_0 <= network.up.packets
            assert (ect_1, ce) == (0, 0)
            network.up.conditions = replace(NEAR, ecn=CE)
            await echo_stream(protocol, session, 100_000)
            later = reports[-1]
            assert ect_0 <= later[0] and later[1] == 0
            assert 50 < later[2] <= network.up.packets - later[0]

    with Network(server, replace(NEAR, ecn=ECT_0), NEAR) as network:
        asyncio.run(main(network))


def test_marking_ends_where_nobody_reports_it(server: Server) -> None:
    """RFC 9000 § 13.4.2: the first packets are marked ECT(0); a peer that does not count them makes it end [56]."""

    async def main(network: Network) -> None:
        async with client(network.server, patience=PATIENCE) as protocol:
            session = await exchange(protocol, 200_000)
            assert network.down.codepoints[ECT_0] > 0
            assert network.down.codepoints[ECT_1] == network.down.codepoints[CE] == 0
            network.down.codepoints.clear()
            await echo_stream(protocol, session, 100_000)
            assert set(network.down.codepoints) == {NOT_ECT}

    with Network(server, NEAR, NEAR) as network:
        asyncio.run(main(network))


# MARK: Silence


class Listener(Client):
    """Keeps the last datagram that came."""

    last = b""

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.last = data
        super().datagram_received(data, addr)

    @property
    def was_reset(self) -> bool:
        """RFC 9000 § 10.3.1: at its end is the token that came with the connection ID. aioquic does not look."""
        return self.last[-16:] == self._quic._peer_cid.stateless_reset_token

    def be_patient(self) -> None:
        """Forgets the idle timeout that was agreed."""
        self._quic._remote_max_idle_timeout = None
        self._quic._configuration.idle_timeout = 1000

    async def until_reset(self, pause: float) -> None:
        """Says something after each pause, until the answer is a reset."""
        async with asyncio.timeout(self.patience):
            while not self.was_reset:
                await asyncio.sleep(pause)
                self.last = b""
                self._quic.send_ping(0)
                self.transmit()
                while not self.last:
                    await asyncio.sleep(0.01)


@pytest.mark.parametrize(("clients", "servers"), [(1, 30), (30, 1)], ids=["the client's", "the server's"])
def test_a_silent_connection_ends_at_the_shorter_of_both_timeouts(
    apus: Path, tmp_path: Path, clients: int, servers: int
) -> None:
    """RFC 9000 § 10.1: silently. Packets in time keep it; for later ones the server knows nothing of it (§ 10.3) [58]."""
    running = Server.start(tmp_path, "--idle-timeout", f"{servers}s")

    async def main(network: Network) -> None:
        async with client(network.server, patience=PATIENCE, kind=Listener, idle_timeout=clients) as protocol:
            protocol.be_patient()
            await exchange(protocol, 1000)
            begin = time.monotonic()
            while time.monotonic() < begin + 1.5:
                await protocol.ping()
                await asyncio.sleep(0.05)
            assert not protocol.was_reset
            spoken = network.down.packets
            # Three probe timeouts may be longer than the second (§ 10.1), not longer than this.
            await protocol.until_reset(pause=2.5)
            assert network.down.packets - spoken < 10, "answers, and nothing else: no CONNECTION_CLOSE"
            assert protocol.termination is None

    try:
        with Network(running, NEAR, NEAR) as network:
            asyncio.run(main(network))
    finally:
        running.stop()


def test_clients_of_a_server_that_was_restarted_learn_of_it(apus: Path, tmp_path: Path) -> None:
    """RFC 9000 § 10.3.2: with the token that the former process had given out, and in a smaller packet than theirs [53]."""
    former = Server.start(tmp_path)

    async def main(network: Network) -> None:
        async with client(network.server, patience=PATIENCE, kind=Listener) as protocol:
            await exchange(protocol, 1000)
            former.kill()
            restarted = Server.start(tmp_path, "--port", str(former.port))
            try:
                network.target = ("127.0.0.1", restarted.port)
                network.up.sizes.clear()
                await protocol.until_reset(pause=0.05)
                assert 21 <= len(protocol.last) < max(network.up.sizes)
            finally:
                restarted.stop()

    try:
        with Network(former, NEAR, NEAR) as network:
            asyncio.run(main(network))
    finally:
        former.stop()
