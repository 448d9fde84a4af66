"""The lab page's comparison, on the real server."""

import json
from pathlib import Path

import pytest

from lab import Lab

TRANSPORTS = ["wt-datagram", "wt-stream", "wt-bidi-per-message", "ws"]
UNITS = {"µs": 1e-3, "ms": 1.0, "s": 1e3}


@pytest.fixture
def lab(browser, server):
    return Lab(browser, server.page)


def milliseconds(text: str) -> float:
    number, unit = text.replace(",", "").split()
    return float(number) * UNITS[unit]


def test_a_comparison_fills_tables_plot_and_file(lab, browser, tmp_path: Path):
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    lab.compare(messages=120, size=64, warm_up=10, rounds=6, connections=3)
    assert lab["run-status"].text.startswith("Finished"), lab["run-status"].text

    rows = lab.rows("round-trips")
    assert list(rows) == TRANSPORTS
    for transport, (count, *values, ratio) in rows.items():
        p50, p90, p99, largest = map(milliseconds, values)
        assert 0 < p50 <= p90 <= p99 <= largest, transport
        assert float(ratio.rstrip("×")) > 0
        assert int(count) == 120 or transport == "wt-datagram"
    assert rows["ws"][-1] == "1.00×"
    ready = lab.rows("ready-times")
    assert list(ready) == ["webtransport", "websocket"]
    assert all(cells[0] == "3" and milliseconds(cells[1]) > 0 for cells in ready.values())

    curves = lab.all("#plot path.curve")
    assert [curve.get_attribute("data-series") for curve in curves] == TRANSPORTS
    # Told apart without colour: every curve has its own dashes, every legend entry its name.
    assert len({curve.get_attribute("stroke-dasharray") for curve in curves}) == 4
    assert len(lab.all("#legend li")) == 4
    assert "Medians" in lab.all("#plot svg")[0].get_attribute("aria-label")

    lab["download"].click()
    lab.wait(lambda: list(tmp_path.glob("*.json")), "the file was saved")
    report = json.loads(next(tmp_path.glob("*.json")).read_text())
    assert report["format"] == "apus-lab-comparison" and report["ended"] == "finished"
    assert report["settings"]["size"] == 64 and report["settings"]["messages"] == 120
    assert "Chrome" in report["userAgent"] and report["date"].endswith("Z")
    for transport in TRANSPORTS:
        series = report["roundTrips"][transport]
        assert len(series["samples"]) + series["lost"] == 120
        assert series["summary"]["count"] == len(series["samples"])
    assert len(report["timeToReady"]["webtransport"]["samples"]) == 3


def test_a_comparison_can_be_cancelled_and_run_again(lab):
    lab.fill("messages", 100000)
    lab.fill("connections", 0)
    lab["run"].click()
    lab.wait(lambda: lab["progress"].get_property("value") > 0, "it runs")
    lab["cancel"].click()
    lab.wait(lambda: lab["run-status"].text.startswith("Cancelled"), "it stopped")
    lab.compare(messages=8, warm_up=1, rounds=2, connections=0)
    assert lab["run-status"].text.startswith("Finished")
    assert list(lab.rows("round-trips")) == TRANSPORTS


def test_a_message_too_large_for_a_datagram_leaves_that_row_out(lab):
    lab.compare(messages=6, size=5000, warm_up=1, rounds=2, connections=0)
    rows = lab.rows("round-trips")
    assert rows["wt-datagram"] == ["–"] * 6
    assert all(rows[transport][0] == "6" for transport in TRANSPORTS[1:])


def test_settings_out_of_range_are_refused_with_the_range(lab):
    lab.fill("size", 1)
    lab["run"].click()
    assert lab["comparison-error"].text == "Size, bytes: a whole number from 4 to 1048576."
    assert lab["size"].get_attribute("aria-invalid") == "true"
