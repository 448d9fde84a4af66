"""`apus bench` on loopback, as a shell sees it."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import jsonschema
import pytest

from server import REPOSITORY, STOP_TIMEOUT
from test_command import EX_NOINPUT, EX_USAGE, apus_command, assert_fails

# Enough of everything to be measured, and no more.
FEW = ("--messages", "40", "--rounds", "2", "--warm-up", "2", "--handshakes", "2", "--seconds", "0.2")


def test_every_result_says_what_it_cost_and_where_it_ran(apus: Path, tmp_path: Path) -> None:
    """CPU time and context switches of both programs, and what was on the wire, measured from outside"""
    result = apus_command(
        apus, "bench", "--scenarios", "handshake,round-trip,throughput", "--json", tmp_path / "out.json", *FEW,
        cwd=tmp_path)
    assert result.returncode == 0, result
    record = json.loads((tmp_path / "out.json").read_text())
    assert record["isInterrupted"] is False
    throughput, = record["paced"]
    measured = record["handshakes"] + record["roundTrips"] + throughput["transports"]
    for each in measured:
        cost = each["cost"]
        assert cost["count"] > 0
        for program in ("client", "server"):
            assert cost[program]["processorNanoseconds"] > 0, (each["transport"], program)
        assert cost["wire"]["bytes"] > 0 and cost["wire"]["packets"] > 0
    for each in record["roundTrips"]:
        assert each["cost"]["count"] == 40
        # There and back.
        assert each["cost"]["wire"]["bytes"] >= 40 * 2 * record["settings"]["size"], each["transport"]
    for each in throughput["transports"]:
        assert len(each["turnRates"]) == 2 and min(each["turnRates"]) > 0, each["transport"]
        assert each["quietAge"]["summary"]["count"] > 0
    assert "cost of a session" in result.stdout and "cost of a message" in result.stdout
    assert "cost of a MB" in result.stdout
    noise = record["noise"]
    assert noise["elapsed"] > 0 and noise["coreCount"] > 0
    assert "Noise     others used" in result.stdout
    plan = record["processors"]
    if plan["client"]:
        assert not set(plan["client"]) & set(plan["server"])
        assert "Pinned    client to processor" in result.stdout


def test_nothing_is_pinned_when_the_user_wants_it_so(apus: Path, tmp_path: Path) -> None:
    result = apus_command(
        apus, "bench", "--scenarios", "round-trip", "--transports", "ws", "--no-pinning", "--json", "/dev/stdout", *FEW,
        cwd=tmp_path)
    assert result.returncode == 0, result
    assert json.loads(result.stdout.splitlines()[-1])["processors"] == {"client": [], "server": [], "emulator": []}
    assert "Pinned" not in result.stdout


def test_the_process_of_a_target_can_be_named(apus: Path, tmp_path: Path, server) -> None:
    """Then what it uses counts for its cost, and not as noise"""
    result = apus_command(
        apus, "bench", "--target", f"https://127.0.0.1:{server.port}", "--hash", server.sha256,
        "--server-process", server.process.pid, "--scenarios", "round-trip", "--transports", "ws",
        "--json", "/dev/stdout", *FEW, cwd=tmp_path)
    assert result.returncode == 0, result
    record = json.loads(result.stdout.splitlines()[-1])
    assert record["roundTrips"][0]["cost"]["server"]["processorNanoseconds"] > 0
    assert record["noise"] is not None
    unnamed = apus_command(
        apus, "bench", "--target", f"https://127.0.0.1:{server.port}", "--hash", server.sha256,
        "--scenarios", "round-trip", "--transports", "ws", "--json", "/dev/stdout", *FEW, cwd=tmp_path)
    assert unnamed.returncode == 0, unnamed
    record = json.loads(unnamed.stdout.splitlines()[-1])
    assert "server" not in record["roundTrips"][0]["cost"] and "noise" not in record


def test_a_process_without_a_target_is_refused(apus: Path, tmp_path: Path) -> None:
    assert_fails(apus_command(apus, "bench", "--server-process", "1", cwd=tmp_path), EX_USAGE)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_ends_a_run_keeps_what_was_measured(apus: Path, tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C ends cleanly with what was measured so far"""
    process = subprocess.Popen(
        [apus, "bench", "--handshakes", "1", "--messages", "100000000", "--json", "out.json"], cwd=tmp_path,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    while "Measuring round trips" not in (line := process.stderr.readline()):
        assert line, "it ended before it measured"
    process.send_signal(number)
    output, said = process.communicate(timeout=STOP_TIMEOUT)
    assert process.returncode == 128 + number
    assert "interrupted" in said
    assert "Run       interrupted" in output and "Time to a usable session" in output
    record = json.loads((tmp_path / "out.json").read_text())
    assert record["isInterrupted"] is True
    assert {each["summary"]["count"] for each in record["handshakes"]} == {1}


def assert_valid(record: dict) -> None:
    """The published schema, and nothing beside it, so that a field that is added to one is added to both."""
    schema = json.loads((REPOSITORY / "Benchmarks/schema/apus-bench-2.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    errors = sorted(jsonschema.Draft202012Validator(schema).iter_errors(record), key=str)
    assert not errors, "\n".join(f"{error.json_path}: {error.message}" for error in errors)


@pytest.mark.parametrize(("scenarios", "transports", "lines"), [
    # Eight ways to begin, with their first echoes.
    ("handshake,round-trip", "wt-datagram,wt-bidi-per-message,ws,ws-h2,ws-h3", 2 * 8 + 5),
    # Ages, staleness, and ages in quiet.
    ("throughput", "wt-stream,ws", 3 * 2),
])
def test_a_file_of_results_follows_the_published_schema(
    apus: Path, tmp_path: Path, scenarios: str, transports: str, lines: int
) -> None:
    result = apus_command(
        apus, "bench", "--scenarios", scenarios, "--transports", transports, "--json", "out.json", "--html", "out.html",
        "--csv", "out.csv", *FEW, "--rounds", "5", "--seconds", "0.1", cwd=tmp_path)
    assert result.returncode == 0, result
    record = json.loads((tmp_path / "out.json").read_text())
    assert_valid(record)
    page = (tmp_path / "out.html").read_text()
    assert "What this shows" in page or "Nothing is concluded: " in page, "neither findings nor why there are none"
    rows = (tmp_path / "out.csv").read_text().splitlines()
    assert len({row.count(",") for row in rows}) == 1
    assert len(rows) == 1 + lines


def test_two_files_of_results_are_compared(apus: Path, tmp_path: Path) -> None:
    """A difference is called only where the interval is on one side of 1"""
    for name in ("before", "after"):
        result = apus_command(
            apus, "bench", "--scenarios", "round-trip", "--transports", "ws", "--json", f"{name}.json", *FEW,
            "--rounds", "5", "--allow-noise", cwd=tmp_path)
        assert result.returncode == 0, result
    after = json.loads((tmp_path / "after.json").read_text())
    measured = after["roundTrips"][0]
    measured["summary"]["p50"] *= 10
    measured["turnMedians"] = [median * 10 for median in measured["turnMedians"]]
    after["settings"]["size"] = 1
    (tmp_path / "after.json").write_text(json.dumps(after))
    result = apus_command(apus, "bench", "diff", "before.json", "after.json", cwd=tmp_path)
    assert result.returncode == 0, result
    row, = (line for line in result.stdout.splitlines() if line.startswith("round-trip ws"))
    assert row.endswith("longer")
    assert "Warning   messages have different sizes" in result.stdout
    assert_fails(apus_command(apus, "bench", "diff", "before.json", "none.json", cwd=tmp_path), EX_NOINPUT)


def test_a_suite_that_is_ended_keeps_what_it_has(apus: Path, tmp_path: Path) -> None:
    """In its first part; each part hears of a signal for itself"""
    process = subprocess.Popen(
        [apus, "bench", "suite", "--quick"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        stdin=subprocess.DEVNULL)
    while "Measuring round trips" not in (line := process.stderr.readline()):
        assert line, "it ended before it measured"
    process.send_signal(signal.SIGINT)
    output, said = process.communicate(timeout=STOP_TIMEOUT)
    assert process.returncode == 128 + signal.SIGINT
    assert said.count("apus:") == 1 and "bench-results/index.html" in said
    folder = tmp_path / "bench-results"
    assert sorted(file.name for file in folder.iterdir()) == ["index.html", "loopback.json", "results.csv"]
    record = json.loads((folder / "loopback.json").read_text())
    assert record["isInterrupted"] is True
    assert_valid(record)
