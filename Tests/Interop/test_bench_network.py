"""`apus bench --network`: the measurement over an emulated network, as a shell sees it, and what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from server import STOP_TIMEOUT
from test_bench import assert_valid
from test_command import EX_NOINPUT, EX_UNAVAILABLE, EX_USAGE, apus_command, assert_fails

# Enough of everything to be measured, and no more.
FEW = ("--messages", "40", "--rounds", "2", "--warm-up", "2", "--handshakes", "2")
# In nanoseconds, there and back.
ROUND_TRIP = 10_000_000


@pytest.fixture
def network(apus: Path, tmp_path: Path) -> Path:
    """A network of a file, on a machine that can have one."""
    file = tmp_path / "quick.json"
    link = {"delayMilliseconds": 5, "bandwidthMegabits": 50}
    file.write_text(json.dumps({"name": "quick", "up": link | {"loss": 0.05}, "down": link}))
    namespaces = subprocess.run(["unshare", "--user", "--net", "true"], capture_output=True, text=True)
    if namespaces.returncode != 0 or not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        pytest.skip(f"this machine allows no user namespace or has no /dev/net/tun: {namespaces.stderr.strip()}")
    return file


def descendants(process: int) -> set[int]:
    """The ids of its children, theirs, and so on."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name, in parentheses, may hold anything.
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except FileNotFoundError:
            continue
        if state != "Z":
            parents[int(stat.parent.name)] = int(parent)
    found = {process}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {process}


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_comparison_over_a_network_meets_it_and_says_so(apus: Path, tmp_path: Path, network: Path) -> None:
    result = apus_command(
        apus, "bench", "--network", network, "--seed", 7, "--json", tmp_path / "out.json", *FEW, cwd=tmp_path)
    assert result.returncode == 0, result
    assert "Network quick, emulated, seed 7" in result.stdout
    assert "5.00 %" in result.stdout, "loss as configured"
    record = json.loads((tmp_path / "out.json").read_text())
    assert record["settings"]["isOwnServer"] is True
    assert record["network"]["seed"] == 7 and record["network"]["network"]["name"] == "quick"
    for measured in record["roundTrips"]:
        assert measured["summary"]["min"] >= ROUND_TRIP, measured["transport"]
    report = record["network"]["report"]
    for direction in ("up", "down"):
        assert report[direction]["counts"]["packets"] > 0
        assert report[direction]["lateness"]["count"] > 0
    assert_valid(record)
    up = report["up"]
    assert up["observedLoss"] == pytest.approx(up["counts"]["lost"] / up["counts"]["packets"])
    assert up["counts"]["lost"] > 0 and report["down"]["counts"]["lost"] == 0


def test_messages_at_fixed_times_meet_the_network_too(apus: Path, tmp_path: Path, network: Path) -> None:
    result = apus_command(
        apus, "bench", "--network", network, "--json", tmp_path / "out.json", "--scenarios", "head-of-line,state",
        "--rounds", 1, "--seconds", 0.5, "--sequences", 4, cwd=tmp_path)
    assert result.returncode == 0, result
    record = json.loads((tmp_path / "out.json").read_text())
    assert [paced["scenario"] for paced in record["paced"]] == ["head-of-line", "state"]
    assert record["handshakes"] == record["roundTrips"] == []
    for paced, rate in zip(record["paced"], (30, 60)):
        assert (paced["load"]["sequences"], paced["load"]["rate"]) == (4, rate)
        for measured in paced["transports"]:
            age = measured["age"]["summary"]
            assert age["count"] + age["lost"] == rate * 4 * 0.5, measured["transport"]
            assert age["min"] >= ROUND_TRIP and measured["staleness"]["summary"]["min"] >= ROUND_TRIP


@pytest.mark.parametrize(("number", "code"), [
    (signal.SIGINT, 128 + signal.SIGINT), (signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGKILL, -signal.SIGKILL),
])
def test_nothing_is_left_however_it_ends(
    apus: Path, tmp_path: Path, network: Path, number: signal.Signals, code: int
) -> None:
    process = subprocess.Popen(
        [apus, "bench", "--network", network, "--messages", "1000000"], cwd=tmp_path, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL, start_new_session=True,
        # A command that is killed leaves its files.
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    # The client's half writes this: all processes run.
    while "Opening sessions" not in (line := process.stderr.readline()):
        assert line, "it ended before it measured"
    children = descendants(process.pid)
    assert len(children) == 3, "emulator, server, client"
    if number == signal.SIGINT:
        # As a terminal does, which knows of process groups only.
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    assert process.wait(STOP_TIMEOUT) == code
    said = process.stderr.read()
    process.stderr.close()
    assert said.count("apus:") == (number != signal.SIGKILL), said
    deadline = time.monotonic() + STOP_TIMEOUT
    while any(map(is_alive, children)):
        assert time.monotonic() < deadline, "processes are left"
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_ends_a_run_keeps_what_was_measured(
    apus: Path, tmp_path: Path, network: Path, number: signal.Signals
) -> None:
    """Ctrl-C ends cleanly with what was measured so far, with the network that it was measured on"""
    process = subprocess.Popen(
        [apus, "bench", "--network", network, "--handshakes", "1", "--messages", "1000000", "--warm-up", "1",
         "--json", "out.json"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    while "Measuring round trips" not in (line := process.stderr.readline()):
        assert line, "it ended before it measured"
    process.send_signal(number)
    output, said = process.communicate(timeout=STOP_TIMEOUT)
    assert process.returncode == 128 + number
    assert said.count("apus:") == 1 and "interrupted" in said
    assert "Run       interrupted" in output and "Network quick, emulated" in output
    record = json.loads((tmp_path / "out.json").read_text())
    assert record["isInterrupted"] is True and record["network"]["network"]["name"] == "quick"


@pytest.mark.parametrize("victim", ["emulate", "serve"])
def test_a_process_that_is_lost_is_an_error(apus: Path, tmp_path: Path, network: Path, victim: str) -> None:
    process = subprocess.Popen(
        [apus, "bench", "--network", network, "--messages", "1000000"], cwd=tmp_path, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
    )
    while "Opening sessions" not in (line := process.stderr.readline()):
        assert line, "it ended before it measured"
    (lost,) = [
        child for child in descendants(process.pid)
        if Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[1] == victim.encode()
    ]
    os.kill(lost, signal.SIGKILL)
    output, errors = process.communicate(timeout=STOP_TIMEOUT)
    assert process.returncode == EX_UNAVAILABLE, errors
    assert output == ""
    assert "ended" in errors.splitlines()[-1] and "signal 9" in errors.splitlines()[-1]


def test_a_machine_that_allows_no_namespaces_is_told_which_sysctl_to_set(
    apus: Path, tmp_path: Path, network: Path
) -> None:
    """The limit is set for the user namespace of this test alone."""
    script = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$0" bench --network lan'
    result = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", script, apus],
        cwd=tmp_path, capture_output=True, text=True, timeout=30,
    )
    if "cannot create" in result.stderr:
        pytest.skip("/proc/sys is read-only here")
    assert_fails(result, EX_UNAVAILABLE, "sysctl user.max_user_namespaces=")


@pytest.mark.parametrize(("arguments", "code", "word"), [
    (("--network", "5g"), EX_USAGE, "wifi-lossy"),
    (("--network", "/dev/zero"), EX_NOINPUT, "regular file"),
    (("--network", "missing.json"), EX_NOINPUT, "missing.json"),
    (("--network", "wrong.json"), EX_USAGE, "both.mtu is 12"),
    (("--seed", "1"), EX_USAGE, "--network"),
    (("--network", "lan", "--seed", "-1"), EX_USAGE, "seed"),
    (("--network", "lan", "--target", "https://localhost:1"), EX_USAGE, "--target"),
])
def test_a_wrong_network_is_one_clear_error(
    apus: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, word: str
) -> None:
    (tmp_path / "wrong.json").write_text('{"both": {"delayMilliseconds": 1, "mtu": 12}}')
    assert_fails(apus_command(apus, "bench", *arguments, cwd=tmp_path), code, word)
