"""What the README's quick start asks for, as a shell sees it."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from pathlib import Path

import pytest

from server import REPOSITORY, STOP_TIMEOUT, first_line

# From nothing on two loaded cores; a release build compiles what a debug build did once more.
BUILD_TIMEOUT = 1800


@pytest.fixture(scope="module")
def run() -> Path:
    """`scripts/run`, which has built. An optimised build reports errors that a debug build does not."""
    script = REPOSITORY / "scripts/run"
    built = subprocess.run(
        [script, "--help"], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=BUILD_TIMEOUT)
    assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
    assert built.stdout.startswith("OVERVIEW"), "arguments reach `apus serve`; the build speaks on standard error"
    return script


def test_run_starts_the_server(run: Path, apus: Path, tmp_path: Path) -> None:
    subprocess.run([apus, "certificate", "--output", tmp_path], check=True, stdout=subprocess.DEVNULL)
    log = tmp_path / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [run, "--port", "0", "--http-port", "0", "--certificate", tmp_path / "development.pem",
             "--key", tmp_path / "development.key"],
            stdout=subprocess.PIPE, stderr=output,
        )
    try:
        ready = json.loads(first_line(process, log))
        page = f"http://localhost:{ready['httpPort']}/"
        with urllib.request.urlopen(page, timeout=STOP_TIMEOUT) as answer:
            assert b"<title>" in answer.read()
        assert page in log.read_text(), "the log says where the lab page is"
        process.terminate()
        assert process.wait(STOP_TIMEOUT) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
