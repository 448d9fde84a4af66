"""A page that says nothing keeps its session: browsers see to it that the idle timeout (RFC 9000 § 10.1) does not end it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver

from conftest import run_script
from firefox import Firefox
from server import Server

# In seconds. Chromium sends a PING after 15 s of silence.
IDLE_TIMEOUT, SILENCE = 17, 20


@pytest.fixture
def impatient(apus: Path, tmp_path: Path) -> Iterator[Server]:
    running = Server.start(tmp_path, "--idle-timeout", f"{IDLE_TIMEOUT}s")
    yield running
    running.stop()


def test_a_silent_page_keeps_its_session(chromium: webdriver.Chrome, firefox: Firefox, impatient: Server) -> None:
    """RFC 9000 § 10.1.2 [58]: both at once, as it takes its time"""
    for browser in (chromium, firefox):
        browser.get(impatient.page + "healthz")
        run_script(browser, impatient, "globalThis.silent = await open('/echo'); return true;")
    for browser in (chromium, firefox):
        echo = run_script(browser, impatient, """
            // The first browser's wait is enough for the second one as well.
            const rest = args.silence * 1000 - performance.now();
            await new Promise((resolve) => setTimeout(resolve, Math.max(0, rest)));
            const stream = await silent.createBidirectionalStream();
            await writeAll(stream.writable, bytes("still here"));
            const echo = text(await readAll(stream.readable));
            silent.close();
            return echo;
        """, silence=SILENCE)
        assert echo == "still here"
