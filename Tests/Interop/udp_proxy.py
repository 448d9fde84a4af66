"""A bad network between a client and the server under test: a UDP proxy in user space, without privileges.

What happens to a packet is decided by the seed, the direction and the packet's number alone: the same packets in the
same order meet the same fate in every run. APUS_NETWORK_SEED chooses another fate. What has happened is counted, so
that a test can show that its network was as bad as it says.
"""

from __future__ import annotations

import dataclasses
import heapq
import math
import os
import random
import selectors
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from server import Server

Address = tuple[str, int]

# The codepoints of RFC 3168 § 5; Python has no name for the option that delivers them.
NOT_ECT, ECT_1, ECT_0, CE = range(4)
IP_RECVTOS = 13

SEED = int(os.environ.get("APUS_NETWORK_SEED", "1"))


@dataclass(frozen=True)
class Conditions:
    """What one direction does to packets. Chances are between 0 and 1, times in seconds, sizes in bytes."""

    delay: float = 0
    loss: float = 0
    # One bit of one byte is turned over.
    corruption: float = 0
    # The second one follows at once.
    duplication: float = 0
    # So many packets come later than others by the time below.
    reordering: float = 0
    setback: float = 0.02
    # Which packets are lost, by number, beside those lost by chance.
    loses: Callable[[int], bool] | None = None
    # Larger UDP payloads vanish without a word: what a path-MTU black hole does.
    largest: int | None = None
    # In bytes a second, with a queue that holds so many seconds' worth, and drops what comes on top.
    rate: float | None = None
    queue: float = 0.1
    # The codepoint that packets leave with; None keeps what they came with.
    ecn: int | None = None


@dataclass(frozen=True)
class Copy:
    """One of a packet's copies: its number, when it arrived and when it is to leave, and as what."""

    number: int
    arrival: float
    due: float
    data: bytes
    codepoint: int


class Direction:
    """One direction: its conditions, which may change at any time, and what has been counted."""

    def __init__(self, name: str, conditions: Conditions) -> None:
        self.conditions = conditions
        self.packets = self.bytes = 0
        self.delivered_packets = self.delivered_bytes = 0
        # Of the packets that arrived here: how many had each size, and each codepoint of ECN.
        self.sizes: Counter[int] = Counter()
        self.codepoints: Counter[int] = Counter()
        # How many were hit, each by the name of the condition, or "darkness". Of `rate` those that had to wait for
        # others, of `queue` those that it had no room for, and of `reordering` those that a later one has overtaken.
        self.hits: Counter[str] = Counter()
        # The least time, in seconds, that one was held before it left.
        self.least_held = math.inf
        self.dark_until = -math.inf
        self._name = name
        self._busy_until = -math.inf
        self._last_left = -1
        self._overtaken: set[int] = set()

    def black_hole(self, seconds: float = math.inf) -> None:
        """Loses everything for a time. `light` ends it early."""
        self.dark_until = time.monotonic() + seconds

    def light(self) -> None:
        self.dark_until = -math.inf

    def fates(self, packet: bytes, codepoint: int, now: float) -> list[Copy]:
        """Which copies of a packet leave; none when it is lost."""
        copies = self._copies(self.packets, packet, codepoint, now)
        self.bytes += len(packet)
        self.sizes[len(packet)] += 1
        self.codepoints[codepoint] += 1
        self.delivered_packets += len(copies)
        self.delivered_bytes += sum(len(copy.data) for copy in copies)
        if copies:
            self.hits["corruption"] += copies[0].data != packet
            self.hits["duplication"] += len(copies) > 1
            self.hits["ecn"] += copies[0].codepoint != codepoint
        # At last: where a packet has been counted, so has its fate.
        self.packets += 1
        return copies

    def _copies(self, number: int, packet: bytes, codepoint: int, now: float) -> list[Copy]:
        conditions = self.conditions
        chance = random.Random(f"{SEED} {self._name} {number}")  # noqa: S311: it is to be foreseeable
        # All are drawn for every packet, so that one condition does not change what another one hits.
        loss, corruption, duplication, reordering = (chance.random() for _ in range(4))
        reasons = {
            "darkness": now < self.dark_until,
            "loss": loss < conditions.loss,
            "loses": conditions.loses is not None and conditions.loses(number),
            "largest": conditions.largest is not None and len(packet) > conditions.largest,
        }
        if any(reasons.values()):
            self.hits.update(name for name, is_hit in reasons.items() if is_hit)
            return []
        due = now + conditions.delay
        if conditions.rate is not None:
            begin = max(now, self._busy_until)
            if begin - now > conditions.queue:
                self.hits["queue"] += 1
                return []
            self.hits["rate"] += begin > now
            self._busy_until = begin + len(packet) / conditions.rate
            due += self._busy_until - now
        data = packet
        if packet and corruption < conditions.corruption:
            altered = bytearray(packet)
            altered[chance.randrange(len(altered))] ^= 1 << chance.randrange(8)
            data = bytes(altered)
        if reordering < conditions.reordering:
            due += conditions.setback
        marked = codepoint if conditions.ecn is None else conditions.ecn
        return [Copy(number, now, due, data, marked)] * (2 if duplication < conditions.duplication else 1)

    def leaves(self, copy: Copy, now: float) -> None:
        """Is called when a copy leaves: whether it was held and overtaken shows only then."""
        self.least_held = min(self.least_held, now - copy.arrival)
        # Once for both copies.
        if copy.number < self._last_left and copy.number not in self._overtaken:
            self._overtaken.add(copy.number)
            self.hits["reordering"] += 1
        self._last_left = max(self._last_left, copy.number)

    def assert_met(self) -> None:
        """That all conditions have hit as they say, and no others have. They must have been the same all along."""
        conditions = self.conditions
        survivors = self.delivered_packets - self.hits["duplication"]
        for name, packets in {
            "loss": self.packets, "corruption": survivors, "duplication": survivors, "reordering": survivors,
        }.items():
            chance, hits = getattr(conditions, name), self.hits[name]
            expected = packets * chance
            # Four standard deviations: with a given seed none of its fates is that rare.
            tolerance = 4 * math.sqrt(expected * (1 - chance))
            # Nothing comes to overtake what is the last for a while.
            least = 0 if name == "reordering" else expected - tolerance
            said = f"{self._name}: {name} has hit {hits} of {packets} packets, by {chance} each"
            assert least <= hits <= expected + tolerance, said
            assert (hits > 0) == (chance > 0), said
        for name in ("loses", "largest", "rate", "ecn"):
            assert (self.hits[name] > 0) == (getattr(conditions, name) is not None), f"{self._name}: {name}"
        assert self.least_held >= conditions.delay, f"{self._name}: delay"


class Network:
    """Listens on 127.0.0.1 and hands packets on to a server; each client is a flow with a socket of its own towards it.

    Use it as a context manager. It runs on a thread of its own.

    - server: the server as clients shall address it.
    - target: where packets are handed on to; it may change.
    """

    def __init__(self, server: Server, up: Conditions = Conditions(), down: Conditions = Conditions()):
        self.up, self.down = Direction("up", up), Direction("down", down)
        self.target = ("127.0.0.1", server.port)
        # Where new flows come from.
        self._source = "127.0.0.1"
        # Bytes that the server was sent from each address, and that it sent there.
        self.sent_from: Counter[str] = Counter()
        self.sent_to: Counter[str] = Counter()
        self._front = self._socket("127.0.0.1")
        self.server = dataclasses.replace(server, host="127.0.0.1", port=self._front.getsockname()[1])
        self._flows: dict[Address, socket.socket] = {}
        self._sockets = [self._front]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._front, selectors.EVENT_READ, self._from_client)
        self._queue: list[tuple[float, int, Callable[[], object]]] = []
        self._order = count()
        # Guards the flows: a rebinding comes from the test's thread.
        self._lock = threading.Lock()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="network")

    def __enter__(self) -> Network:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_stopping = True
        self._thread.join()
        self._selector.close()
        for each in self._sockets:
            each.close()

    def black_hole(self, seconds: float = math.inf) -> None:
        """Loses everything in both directions for a time."""
        for direction in (self.up, self.down):
            direction.black_hole(seconds)

    def light(self) -> None:
        for direction in (self.up, self.down):
            direction.light()

    def rebind(self, address: str = "127.0.0.1") -> None:
        """The server sees every client with another port from now on, and with this address. What it sends to the
        former ones is lost, as with a NAT that has forgotten them."""
        with self._lock:
            self._source = address
            for client, former in self._flows.items():
                self._selector.unregister(former)
                self._flows[client] = self._open(client)

    def _socket(self, address: str) -> socket.socket:
        new = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        new.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        new.setsockopt(socket.IPPROTO_IP, IP_RECVTOS, 1)
        new.setblocking(False)
        new.bind((address, 0))
        return new

    def _open(self, client: Address) -> socket.socket:
        flow = self._socket(self._source)
        self._sockets.append(flow)
        self._selector.register(flow, selectors.EVENT_READ, lambda flow: self._from_server(flow, client))
        return flow

    def _run(self) -> None:
        while not self._is_stopping:
            now = time.monotonic()
            while self._queue and self._queue[0][0] <= now:
                heapq.heappop(self._queue)[2]()
            # Not for long, to notice the end.
            wait = min(0.05, self._queue[0][0] - now) if self._queue else 0.05
            for key, _ in self._selector.select(wait):
                key.data(key.fileobj)

    def _from_client(self, front: socket.socket) -> None:
        for packet, codepoint, client in arrivals(front):
            with self._lock:
                if client not in self._flows:
                    self._flows[client] = self._open(client)
            for copy in self.up.fates(packet, codepoint, time.monotonic()):
                # By the address that the client has when the packet leaves.
                self._schedule(copy, lambda copy=copy, client=client: self._to_server(client, copy))

    def _to_server(self, client: Address, copy: Copy) -> None:
        flow = self._flows[client]
        self.sent_from[flow.getsockname()[0]] += len(copy.data)
        self.up.leaves(copy, time.monotonic())
        send(flow, copy.data, copy.codepoint, self.target)

    def _from_server(self, flow: socket.socket, client: Address) -> None:
        for packet, codepoint, _ in arrivals(flow):
            self.sent_to[flow.getsockname()[0]] += len(packet)
            for copy in self.down.fates(packet, codepoint, time.monotonic()):
                self._schedule(copy, lambda copy=copy: self._to_client(client, copy))

    def _to_client(self, client: Address, copy: Copy) -> None:
        self.down.leaves(copy, time.monotonic())
        send(self._front, copy.data, copy.codepoint, client)

    def _schedule(self, copy: Copy, action: Callable[[], object]) -> None:
        heapq.heappush(self._queue, (copy.due, next(self._order), action))


def arrivals(receiver: socket.socket) -> list[tuple[bytes, int, Address]]:
    """What has arrived at a socket, with codepoints and senders. A batch, so that both directions get their turn."""
    received = []
    for _ in range(64):
        try:
            packet, ancillary, _, sender = receiver.recvmsg(65536, 64)
        except BlockingIOError:
            break
        codepoint = next((data[0] & 3 for level, kind, data in ancillary if kind == socket.IP_TOS), NOT_ECT)
        received.append((packet, codepoint, sender))
    return received


def send(sender: socket.socket, packet: bytes, codepoint: int, to: Address) -> None:
    # A full buffer, or the peer's end: one more lost packet.
    try:
        sender.sendmsg([packet], [(socket.IPPROTO_IP, socket.IP_TOS, struct.pack("i", codepoint))], 0, to)
    except OSError:
        pass
