"""The bad network itself: sockets at its ends see each condition hit what the seed foresees, as often as it counts."""

from __future__ import annotations

import random
import select
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest

import udp_proxy
from server import Server
from udp_proxy import CE, IP_RECVTOS, NOT_ECT, Address, Conditions, Direction, Network, arrivals

# In seconds: a net, far above what any of this takes.
PATIENCE = 30
COUNT = 200
# How many the network may be behind before more are sent: the buffer of a socket has room for a hundred or so.
WINDOW = 32
# Each has its number, and a size of its own.
PACKETS = [number.to_bytes(2, "big") + random.Random(number).randbytes(40 + number) for number in range(COUNT)]

pytestmark = pytest.mark.parametrize("name", ["up", "down"])


@dataclass
class Crossing:
    """What has arrived, how it was marked, and how many seconds after the first packet was sent."""

    direction: Direction
    packets: list[bytes]
    codepoints: list[int]
    times: list[float]

    @property
    def numbers(self) -> list[int]:
        return [int.from_bytes(packet[:2], "big") for packet in self.packets]


def cross(
    name: str, conditions: Conditions, sent: list[bytes] = PACKETS, act: Callable[[Direction], None] = lambda _: None,
) -> Crossing:
    """Sends packets through a network in one direction; the other one changes nothing."""
    with udp() as client, udp() as server:
        # Its port is all that matters.
        target = Server(None, server.getsockname()[1], 0, "")
        with Network(target, **{name: conditions}) as network:
            sender, receiver, to = client, server, ("127.0.0.1", network.server.port)
            if name == "down":
                # What the server sends goes to a client that has been heard of.
                client.sendto(b"first", to)
                sender, receiver, to = server, client, wait(server)[0][2]
            direction = getattr(network, name)
            act(direction)
            crossing = Crossing(direction, [], [], [])
            begin = time.monotonic()

            def take(timeout: float) -> None:
                assert time.monotonic() < begin + PATIENCE, f"{len(crossing.packets)} have arrived"
                for packet, codepoint, _ in wait(receiver, timeout):
                    crossing.packets.append(packet)
                    crossing.codepoints.append(codepoint)
                    crossing.times.append(time.monotonic() - begin)

            for number, packet in enumerate(sent):
                take(0)
                while number - direction.packets >= WINDOW:
                    take(0.001)
                sender.sendto(packet, to)
            while direction.packets < len(sent) or len(crossing.packets) < direction.delivered_packets:
                take(0.01)
        assert arrivals(receiver) == []
        assert (direction.packets, direction.bytes) == (len(sent), sum(map(len, sent)))
        assert direction.delivered_bytes == sum(map(len, crossing.packets))
        return crossing


def udp() -> socket.socket:
    new = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    new.setsockopt(socket.IPPROTO_IP, IP_RECVTOS, 1)
    new.setblocking(False)
    new.bind(("127.0.0.1", 0))
    return new


def wait(receiver: socket.socket, timeout: float = PATIENCE) -> list[tuple[bytes, int, Address]]:
    select.select([receiver], [], [], timeout)
    return arrivals(receiver)


def foreseen(name: str, condition: str, chance: float) -> list[int]:
    """Which packets the seed has a condition hit."""
    place = ["loss", "corruption", "duplication", "reordering"].index(condition)
    hit = []
    for number in range(COUNT):
        fate = random.Random(f"{udp_proxy.SEED} {name} {number}")  # noqa: S311: as foreseeable as the network
        if [fate.random() for _ in range(4)][place] < chance:
            hit.append(number)
    return hit


def test_a_good_network_changes_nothing(name: str) -> None:
    crossing = cross(name, Conditions())
    assert crossing.packets == PACKETS
    assert set(crossing.codepoints) == {NOT_ECT}
    assert crossing.direction.hits == Counter()
    crossing.direction.assert_met()


@pytest.mark.parametrize("loss", [0.1, 0.3, 1])
def test_packets_are_lost(name: str, loss: float) -> None:
    crossing = cross(name, Conditions(loss=loss))
    lost = foreseen(name, "loss", loss)
    assert crossing.packets == [packet for number, packet in enumerate(PACKETS) if number not in lost]
    assert crossing.direction.hits == Counter(loss=len(lost))
    crossing.direction.assert_met()


def test_packets_are_altered_by_one_bit(name: str) -> None:
    crossing = cross(name, Conditions(corruption=0.1))
    altered = foreseen(name, "corruption", 0.1)
    assert list(map(len, crossing.packets)) == list(map(len, PACKETS))
    bits = [
        (int.from_bytes(before, "big") ^ int.from_bytes(after, "big")).bit_count()
        for before, after in zip(PACKETS, crossing.packets, strict=True)
    ]
    assert bits == [int(number in altered) for number in range(COUNT)]
    assert crossing.direction.hits == Counter(corruption=len(altered))
    crossing.direction.assert_met()


def test_packets_come_twice(name: str) -> None:
    crossing = cross(name, Conditions(duplication=0.3))
    doubled = foreseen(name, "duplication", 0.3)
    assert crossing.packets == [packet for number, packet in enumerate(PACKETS) for _ in range(1 + (number in doubled))]
    assert crossing.direction.hits == Counter(duplication=len(doubled))
    crossing.direction.assert_met()


def test_packets_are_overtaken(name: str) -> None:
    crossing = cross(name, Conditions(reordering=0.2))
    late = foreseen(name, "reordering", 0.2)
    assert sorted(crossing.packets) == PACKETS
    others = [number for number in crossing.numbers if number not in late]
    assert others == sorted(others), "only they come late"
    overtaken = [number for place, number in enumerate(crossing.numbers) if number < max(crossing.numbers[:place + 1])]
    assert set(overtaken) <= set(late)
    assert crossing.direction.hits == Counter(reordering=len(overtaken))
    crossing.direction.assert_met()


def test_packets_are_delayed(name: str) -> None:
    crossing = cross(name, Conditions(delay=0.2))
    assert crossing.packets == PACKETS
    assert min(crossing.times) >= 0.2
    assert crossing.direction.least_held >= 0.2
    crossing.direction.assert_met()


def test_a_narrow_path_holds_packets_up_and_drops_what_its_queue_cannot_hold(name: str) -> None:
    size, rate = 1000, 100_000
    crossing = cross(name, Conditions(rate=rate, queue=0.1), [bytes(size)] * COUNT)
    hits, passed = crossing.direction.hits, len(crossing.packets)
    assert hits["queue"] == COUNT - passed > 0
    # The first of a burst waits for none.
    assert 0 < hits["rate"] < passed
    assert crossing.times[-1] >= passed * size / rate
    crossing.direction.assert_met()


def test_packets_are_lost_by_number_and_by_size_and_in_darkness(name: str) -> None:
    crossing = cross(name, Conditions(loses=lambda number: number in (0, 7)))
    assert crossing.packets == [packet for number, packet in enumerate(PACKETS) if number not in (0, 7)]
    assert crossing.direction.hits == Counter(loses=2)
    crossing.direction.assert_met()
    crossing = cross(name, Conditions(largest=100))
    assert crossing.packets == [packet for packet in PACKETS if len(packet) <= 100]
    assert crossing.direction.hits == Counter(largest=COUNT - len(crossing.packets))
    crossing.direction.assert_met()
    crossing = cross(name, Conditions(), act=Direction.black_hole)
    assert crossing.packets == []
    assert crossing.direction.hits == Counter(darkness=COUNT)


def test_packets_are_marked(name: str) -> None:
    crossing = cross(name, Conditions(ecn=CE))
    assert set(crossing.codepoints) == {CE}
    assert crossing.direction.hits == Counter(ecn=COUNT)
    crossing.direction.assert_met()


def test_the_same_seed_is_the_same_fate_and_another_one_another(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    conditions = Conditions(loss=0.1, corruption=0.2, duplication=0.2, reordering=0.2)

    def fate(seed: int) -> tuple[list[bytes], Counter[str]]:
        monkeypatch.setattr(udp_proxy, "SEED", seed)
        crossing = cross(name, conditions)
        # Which come late is in the seed; whether another one has overtaken them is a matter of time.
        assert 0 < crossing.direction.hits.pop("reordering") <= len(foreseen(name, "reordering", conditions.reordering))
        return sorted(crossing.packets), crossing.direction.hits

    assert fate(1) == fate(1)
    assert fate(1) != fate(2)


@pytest.mark.parametrize("conditions", [
    Conditions(loss=0.1), Conditions(corruption=0.1), Conditions(duplication=0.1), Conditions(reordering=0.1),
    Conditions(delay=5), Conditions(rate=1000), Conditions(loses=lambda number: number == 0), Conditions(largest=100),
    Conditions(ecn=CE),
], ids=["loss", "corruption", "duplication", "reordering", "delay", "rate", "loses", "largest", "ecn"])
def test_a_condition_that_has_not_hit_is_noticed(name: str, conditions: Conditions) -> None:
    direction = cross(name, Conditions()).direction
    direction.conditions = conditions
    with pytest.raises(AssertionError, match=name):
        direction.assert_met()
