"""`apus bench --client`: the scenarios in real browsers, without a window, as a shell sees it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from conftest import missing
from server import STOP_TIMEOUT
from test_bench import assert_valid
from test_bench_network import ROUND_TRIP, descendants, is_alive, network
from test_command import EX_UNAVAILABLE, EX_USAGE, apus_command, assert_fails

PROGRAMS = {"chromium": ("chromium", "chromium-browser", "google-chrome"), "firefox": ("firefox-esr", "firefox")}
FEW = ("--handshakes", 2, "--messages", 20, "--rounds", 2, "--warm-up", 2, "--seconds", 0.3)
TRANSPORTS = ["wt-datagram", "wt-stream", "wt-stream-per-sequence", "wt-bidi-per-message", "ws"]


@pytest.fixture(params=list(PROGRAMS))
def client(request: pytest.FixtureRequest) -> str:
    if not any(map(shutil.which, PROGRAMS[request.param])):
        missing(f"there is no {request.param}", PROGRAMS[request.param][0])
    return request.param


@pytest.mark.browser
def test_a_browser_is_measured_like_our_client(apus: Path, tmp_path: Path, client: str) -> None:
    """The same scenarios run in the real browser, recorded into the same report"""
    result = apus_command(
        apus, "bench", "--client", client, "--scenarios", "handshake,round-trip,head-of-line,state", *FEW,
        "--json", "out.json", cwd=tmp_path, timeout=180)
    assert result.returncode == 0, result
    record = json.loads((tmp_path / "out.json").read_text())
    assert_valid(record)
    assert record["client"]["program"] == client
    assert {"chromium": "Chrome", "firefox": "Firefox"}[client] in record["client"]["version"]
    assert [start["transport"] for start in record["handshakes"]] == ["wt", "ws"]
    assert [each["transport"] for each in record["roundTrips"]] == [
        name for name in TRANSPORTS if name != "wt-stream-per-sequence"]
    for each in record["roundTrips"]:
        summary = each["summary"]
        assert summary["count"] + summary["lost"] == 20, each["transport"]
        # Of the browser with all its processes, and of the server.
        for program in ("client", "server"):
            assert each["cost"][program]["processorNanoseconds"] > 0
    head_of_line, state = record["paced"]
    assert [each["transport"] for each in head_of_line["transports"]] == TRANSPORTS
    for each in head_of_line["transports"]:
        age = each["age"]["summary"]
        assert age["count"] + age["lost"] == 2 * 8 * 30 * 0.3, each["transport"]
    assert state["transports"][0]["staleness"]["summary"]["count"] > 0
    assert f"Client    {client} Mozilla/5.0" in result.stdout


@pytest.mark.browser
def test_a_browser_meets_the_emulated_network(apus: Path, tmp_path: Path, network: Path, client: str) -> None:
    """On the same emulated network"""
    result = apus_command(
        apus, "bench", "--client", client, "--network", network, "--scenarios", "round-trip",
        "--transports", "wt-stream,ws", *FEW, "--json", "out.json", cwd=tmp_path, timeout=180)
    assert result.returncode == 0, result
    record = json.loads((tmp_path / "out.json").read_text())
    assert_valid(record)
    assert record["network"]["network"]["name"] == "quick"
    assert [each["summary"]["count"] for each in record["roundTrips"]] == [20, 20]
    # A browser's clock is coarse.
    assert all(each["summary"]["min"] >= ROUND_TRIP - 100_000 for each in record["roundTrips"])


@pytest.mark.browser
def test_a_browser_ends_with_the_measurement(apus: Path, tmp_path: Path, client: str) -> None:
    """Ctrl-C keeps what was measured, and nothing is left"""
    process = subprocess.Popen(
        [apus, "bench", "--client", client, "--scenarios", "handshake,state", "--handshakes", "1", "--rounds", "1000",
         "--transports", "wt-stream,ws", "--json", "out.json"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
        env=os.environ | {"TMPDIR": str(tmp_path)})
    while "Measuring state" not in (line := process.stderr.readline()):
        assert line, "it ended before it measured"
    children = descendants(process.pid)
    assert len(children) > 2, "a server, and a browser of several processes"
    process.send_signal(signal.SIGINT)
    output, said = process.communicate(timeout=2 * STOP_TIMEOUT)
    assert process.returncode == 128 + signal.SIGINT, said
    assert "Run       interrupted" in output
    assert json.loads((tmp_path / "out.json").read_text())["isInterrupted"] is True
    deadline = time.monotonic() + STOP_TIMEOUT
    while any(map(is_alive, children)):
        assert time.monotonic() < deadline, "processes are left"
        time.sleep(0.01)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["out.json"], "nor is its profile"


def test_a_browser_that_is_not_there_is_an_error(apus: Path, tmp_path: Path) -> None:
    result = apus_command(apus, "bench", "--client", "firefox", cwd=tmp_path, env={"PATH": str(tmp_path)})
    assert_fails(result, EX_UNAVAILABLE)
    assert "firefox-esr" in result.stderr and "--client swift" in result.stderr


@pytest.mark.parametrize("arguments", [("--transports", "ws-h2"), ("--scenarios", "throughput")])
def test_what_a_page_cannot_do_is_refused(apus: Path, tmp_path: Path, arguments: tuple[str, str]) -> None:
    assert_fails(apus_command(apus, "bench", "--client", "chromium", *arguments, cwd=tmp_path), EX_USAGE)
