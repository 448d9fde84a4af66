"""A server under mixed load for a long time: its memory and its descriptors must stay flat.

Run by `scripts/soak`, or `python soak.py --minutes 30` with the server named in APUS. Writes a sample every five
seconds as CSV, and ends with a verdict; it fails when memory grows, descriptors stay, or honest clients are failed.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import os
import random
import resource
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import linear_regression, median

import soak_clients
from server import Server

INTERVAL = 5.0
# Lasting sessions of each transport.
LASTING = 10
# So that what killed clients leave behind is gone soon, and counts as a leak if it is not.
IDLE_TIMEOUT = 10
# Slack for the verdict on memory: what the allocator's free lists and the kernel's rounding come to, in kB. Shorter runs
# are all warm-up, and get no verdict.
SLACK = 4000
LEAST_MINUTES = 20
# Of a kind of honest clients, what a busy machine may fail by its time limits: one, or a part of its runs.
ALLOWED_FAILURES = 0.005
# Of each kind, so that its verdict means something.
LEAST_RUNS = 10


@dataclass
class Sample:
    seconds: float
    resident_kb: int
    descriptors: int
    threads: int
    cpu_seconds: float
    clients: int
    runs: int
    failures: int


class Soak:
    def __init__(self, server: Server) -> None:
        self.server = server
        self.stop = asyncio.Event()
        self.runs: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.longest: defaultdict[str, float] = defaultdict(float)
        self.clients = 0
        self.samples: list[Sample] = []
        self.began = time.monotonic()

    async def loop(self, body: Callable[[Server], Awaitable[None]], pause: float) -> None:
        """One client after the other."""
        while not self.stop.is_set():
            await self.once(body.__name__, lambda: body(self.server))
            await asyncio.sleep(random.uniform(0, 2 * pause))

    async def once(self, name: str, body: Callable[[], Awaitable[None]]) -> None:
        self.clients += 1
        began = time.monotonic()
        try:
            await body()
        except Exception as error:  # noqa: BLE001: whatever a client raises is counted against the server
            self.failures[name] += 1
            print(f"  {time.monotonic() - self.began:.0f} s: {name}: {error!r}", flush=True)
        finally:
            self.clients -= 1
            self.runs[name] += 1
            self.longest[name] = max(self.longest[name], time.monotonic() - began)

    async def run(self, minutes: float, pause: float) -> None:
        tasks = [
            asyncio.create_task(self.once(body.__name__, lambda body=body: body(self.server, self.stop)))
            for body in (soak_clients.lasting_webtransport, soak_clients.lasting_websocket)
            for _ in range(LASTING)
        ]
        tasks += [
            asyncio.create_task(self.loop(body, pause)) for body in soak_clients.HONEST + soak_clients.OTHERS
        ]
        while time.monotonic() - self.began < minutes * 60 and self.server.is_running:
            await asyncio.sleep(INTERVAL)
            if self.server.is_running:
                self.sample()
        self.stop.set()
        await asyncio.wait(tasks, timeout=60)

    def sample(self) -> Sample:
        process = Path(f"/proc/{self.server.process.pid}")
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        times = (process / "stat").read_text().rsplit(")", 1)[1].split()
        sample = Sample(
            seconds=round(time.monotonic() - self.began, 1),
            resident_kb=int(status["VmRSS"].split()[0]),
            descriptors=len(os.listdir(process / "fd")),
            threads=int(status["Threads"]),
            cpu_seconds=(int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK"),
            clients=self.clients,
            runs=self.runs.total(),
            failures=self.failures.total(),
        )
        self.samples.append(sample)
        if len(self.samples) % 12 == 1:
            print("  ".join(f"{name} {value}" for name, value in asdict(sample).items()), flush=True)
        return sample

    async def descriptors_return(self, baseline: int) -> int:
        """How many are open when everybody has left and every time limit is over."""
        for _ in range(60):
            await asyncio.sleep(1)
            left = self.sample().descriptors
            if left <= baseline:
                break
        return left


def growth(samples: list[Sample]) -> tuple[float, float]:
    """Of memory: kB per minute by regression, and the medians' difference of the last and the first quarter in kB."""
    quarter = max(1, len(samples) // 4)
    slope = linear_regression([s.seconds / 60 for s in samples], [s.resident_kb for s in samples]).slope
    first, last = samples[:quarter], samples[-quarter:]
    return slope, median(s.resident_kb for s in last) - median(s.resident_kb for s in first)


async def soak(options: argparse.Namespace) -> bool:
    with tempfile.TemporaryDirectory() as directory:
        server = Server.start(Path(directory), "--idle-timeout", f"{IDLE_TIMEOUT}s")
        try:
            return await observe(server, options)
        finally:
            # Says how it has ended, if that was not in order.
            server.stop()


async def observe(server: Server, options: argparse.Namespace) -> bool:
    run = Soak(server)
    baseline = run.sample()
    await run.run(options.minutes, options.pause)
    if not server.is_running:
        print("FAILED: the server goes on")
        return False
    loaded = [s for s in run.samples if s.seconds > options.minutes * 60 * options.warm_up]
    left = await run.descriptors_return(baseline.descriptors)
    with open(options.csv, "w", newline="") as file:
        writer = csv.DictWriter(file, Sample.__annotations__)
        writer.writeheader()
        writer.writerows(asdict(s) for s in run.samples)

    for name, count in sorted(run.runs.items()):
        print(f"{name:24} {count:6} runs {run.failures[name]:4} failures, {run.longest[name]:6.1f} s at most")
    slope, difference = growth(loaded)
    peak = max(s.descriptors for s in run.samples)
    honest = [body.__name__ for body in soak_clients.HONEST] + ["lasting_webtransport", "lasting_websocket"]
    failed = [name for name in honest if run.failures[name] > max(1, ALLOWED_FAILURES * run.runs[name])]
    last = run.samples[-1]
    print(
        f"{last.runs} runs in {options.minutes:g} minutes, {last.cpu_seconds:.0f} s of CPU.\n"
        f"Memory: {baseline.resident_kb} kB before, {loaded[0].resident_kb} kB after the warm-up, "
        f"{loaded[-1].resident_kb} kB at the end, {last.resident_kb} kB when all have left; "
        f"{slope:+.0f} kB/min, {difference:+.0f} kB from the first quarter to the last.\n"
        f"Descriptors: {baseline.descriptors} before, {peak} at most, {left} when all have left."
    )
    verdict = {
        "descriptors return": left <= baseline.descriptors,
        "honest clients are served": failed == [],
        "every kind of client has run": all(
            run.runs[body.__name__] >= LEAST_RUNS for body in soak_clients.HONEST + soak_clients.OTHERS),
    }
    if options.minutes >= LEAST_MINUTES:
        verdict["memory is flat"] = difference < SLACK
    else:
        print(f"Whether memory is flat, {LEAST_MINUTES} minutes tell at least.")
    for rule, holds in verdict.items():
        print(f"{'ok' if holds else 'FAILED'}: {rule}")
    return all(verdict.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--pause", type=float, default=0.5, help="mean time between two clients of a kind, in seconds")
    parser.add_argument("--warm-up", type=float, default=0.25, help="part of the time whose samples do not count")
    parser.add_argument("--csv", default="soak.csv")
    options = parser.parse_args()
    # Each client has a socket.
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    sys.exit(0 if asyncio.run(soak(options)) else 1)


if __name__ == "__main__":
    main()
