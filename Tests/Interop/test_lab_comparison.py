"""The lab page's comparison, on the real server."""

from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from lab import Lab
from test_bench import assert_valid

ROUND_TRIP = ["wt-datagram", "wt-stream", "wt-bidi-per-message", "ws"]
ALL = ["wt-datagram", "wt-stream", "wt-stream-per-sequence", "wt-bidi-per-message", "ws"]
UNITS = {"µs": 1e-3, "ms": 1.0, "s": 1e3}


@pytest.fixture
def lab(browser, server):
    return Lab(browser, server.page)


def milliseconds(text: str) -> float:
    number, unit = text.replace(",", "").split()
    return float(number) * UNITS[unit]


def wait_for_turn(lab, transport: str) -> None:
    """Read in one step, because the rows are written anew."""
    lab.wait(lambda: lab.browser.execute_script("""
        const cell = document.querySelector(`#paced tr[data-id="${arguments[0]}"] td`);
        return cell !== null && cell.textContent !== "–";""", transport), "a turn is complete")


def assert_is_distribution(summary: dict, histogram: dict) -> None:
    """The summary is of what the histogram holds."""
    counts = [count for _, count in histogram["buckets"]]
    values = [value for value, _ in histogram["buckets"]]
    assert sum(counts) == summary["count"] > 0
    assert values == sorted(values)
    ascending = ["min", "p50", "p90", "p99", "p999", "max"]
    assert [summary[key] for key in ascending] == sorted(summary[key] for key in ascending)
    assert summary["min"] <= values[0] and summary["max"] <= values[-1]


def assert_curves(lab, transports: list[str]) -> None:
    """Told apart without colour: every curve has its own dashes, every legend entry its name."""
    curves = lab.all("#plot path.curve")
    assert [curve.get_attribute("data-series") for curve in curves] == transports
    assert len({curve.get_attribute("stroke-dasharray") for curve in curves}) == len(transports)
    assert len(lab.all("#legend li")) == len(transports)
    assert "Medians" in lab.all("#plot svg")[0].get_attribute("aria-label")


def test_a_comparison_fills_tables_plot_and_file(lab, tmp_path: Path):
    lab.compare(messages=120, size=64, warm_up=10, rounds=6, connections=3)
    assert lab["run-status"].text.startswith("Finished"), lab["run-status"].text

    rows = lab.rows("round-trips")
    assert list(rows) == ROUND_TRIP
    for transport, (count, *values, ratio) in rows.items():
        p50, p90, p99, largest = map(milliseconds, values)
        assert 0 < p50 <= p90 <= p99 <= largest, transport
        assert float(ratio.rstrip("×")) > 0
        assert int(count) == 120 or transport == "wt-datagram"
    assert rows["ws"][-1] == "1.00×"
    ready = lab.rows("ready-times")
    assert list(ready) == ["webtransport", "websocket"]
    assert all(cells[0] == "3" and milliseconds(cells[1]) > 0 for cells in ready.values())
    assert_curves(lab, ROUND_TRIP)
    assert not lab["paced"].is_displayed() and not lab["live-figure"].is_displayed()

    record = lab.download(tmp_path)
    assert [measured["transport"] for measured in record["roundTrips"]] == ROUND_TRIP
    for measured in record["roundTrips"]:
        assert measured["summary"]["count"] + measured["summary"]["lost"] == 120
        assert len(measured["turnMedians"]) == 6
        assert_is_distribution(measured["summary"], measured["histogram"])
    assert [(measured["transport"], len(measured["turnMedians"])) for measured in record["handshakes"]] == [
        ("wt", 3), ("ws", 3)]
    assert record["paced"] == []


def test_the_file_has_the_form_of_the_benchmark(lab, server, tmp_path: Path):
    """One reader reads both; what only a page has is under one key."""
    lab.compare(messages=8, size=64, warm_up=1, rounds=2, connections=1)
    record = lab.download(tmp_path)
    assert set(record) == {"schemaVersion", "date", "client", "machine", "settings", "isInterrupted", "handshakes",
                           "firstEchoes", "roundTrips", "paced", "page"}
    assert_valid(record)
    assert not record["isInterrupted"]
    assert record["schemaVersion"] == 2 and record["date"].endswith("Z") and "." not in record["date"]
    assert record["client"]["program"] == "browser" and "Chrome" in record["client"]["version"]
    assert set(record["machine"]) == {"processor", "coreCount", "kernel", "memoryByteCount"}
    assert record["settings"] == {
        "target": server.https("/echo"), "isOwnServer": False, "transports": ROUND_TRIP, "connections": 1,
        "messages": 8, "size": 64, "rounds": 2, "warmUp": 1, "handshakes": 1, "datagramTimeoutMilliseconds": 1000,
        "patienceMilliseconds": 0, "acceptsNoise": True}
    assert set(record["roundTrips"][0]) == {"transport", "counted", "summary", "turnMedians", "histogram"}
    page = record["page"]
    assert set(page) == {"ended", "pageWasHidden", "crossOriginIsolated", "clockResolution", "webSocket", "skipped"}
    assert page["ended"] == "finished" and page["crossOriginIsolated"] and page["webSocket"] == server.ws("/echo")
    assert 0 < page["clockResolution"] < 1_000_000


@pytest.mark.parametrize(("scenario", "sequences", "rate", "subject", "transports"), [
    ("latency", 1, 100, "age", ROUND_TRIP),
    ("head-of-line", 8, 30, "age", ALL),
    ("state", 1, 60, "staleness", ROUND_TRIP),
])
def test_a_scenario_of_messages_at_their_times_fills_table_plots_and_file(
        lab, tmp_path: Path, scenario, sequences, rate, subject, transports):
    lab.scenario(scenario)
    assert [lab.value(field) for field in ("sequences", "rate")] == [str(sequences), str(rate)]
    lab.compare(seconds=1, rounds=2)
    assert lab["run-status"].text.startswith("Finished"), lab["run-status"].text

    rows = lab.rows("paced")
    assert list(rows) == transports
    for transport, (*values, share, ratio) in rows.items():
        p50, p90, p99, largest = map(milliseconds, values)
        assert 0 < p50 <= p90 <= p99 <= largest, transport
        assert 0 <= float(share.rstrip(" %")) <= 100 and float(ratio.rstrip("×")) > 0
    assert rows["ws"][-1] == "1.00×"
    assert lab["paced-share"].text == ("Fresh" if subject == "staleness" else "Lost")
    assert "began to send" in lab["paced-remark"].text
    assert not lab["round-trips"].is_displayed()
    assert_curves(lab, transports)
    # A strip for each transport, with something drawn in it.
    strips = lab.all("#live-plot g[data-series]")
    assert [strip.get_attribute("data-series") for strip in strips] == transports
    assert all("M" in strip.find_element(By.TAG_NAME, "path").get_attribute("d") for strip in strips)
    label = lab.all("#live-plot svg")[0].get_attribute("aria-label")
    assert label.startswith("Age" if subject == "age" else "Staleness")

    record = lab.download(tmp_path)
    assert_valid(record)
    [paced] = record["paced"]
    assert paced["scenario"] == scenario
    assert paced["load"] == {"sequences": sequences, "rate": rate, "seconds": 1, "warmUpSeconds": 0.5}
    assert [measured["transport"] for measured in paced["transports"]] == transports
    for measured in paced["transports"]:
        age = measured["age"]["summary"]
        assert age["count"] + age["lost"] == measured["lateness"]["count"] == 2 * sequences * rate
        assert 0 <= measured["freshShare"] <= 1 and len(measured["turnMedians"]) == 2
        for distribution in (measured["age"], measured["staleness"]):
            assert_is_distribution(distribution["summary"], distribution["histogram"])


def test_one_sequence_has_no_stream_per_sequence(lab):
    """Its stream would be the one stream."""
    box = lab.all('#comparison-transports input[value="wt-stream-per-sequence"]')[0]
    assert not box.is_enabled()
    lab.scenario("head-of-line")
    assert box.is_enabled() and box.is_selected()
    lab.fill("sequences", 1)
    assert not box.is_enabled()


def test_a_turn_is_drawn_while_it_runs(lab):
    lab.scenario("latency")
    lab.transports("ws")
    lab.fill("seconds", 600)
    lab["run"].click()
    lab.wait(lambda: lab.all('#live-plot g[data-series="ws"] path[d^="M"]'), "ages are drawn")
    assert lab["cancel"].is_displayed()
    lab["cancel"].click()
    lab.wait(lambda: lab["run-status"].text.startswith("Cancelled"), "it stopped")


def test_a_comparison_can_be_cancelled_and_run_again(lab):
    lab.fill("messages", 100000)
    lab.fill("connections", 0)
    lab["run"].click()
    lab.wait(lambda: lab["progress"].get_property("value") > 0, "it runs")
    lab["cancel"].click()
    lab.wait(lambda: lab["run-status"].text.startswith("Cancelled"), "it stopped")
    lab.compare(messages=8, warm_up=1, rounds=2, connections=0)
    assert lab["run-status"].text.startswith("Finished")
    assert list(lab.rows("round-trips")) == ROUND_TRIP


def test_a_cancelled_scenario_keeps_the_turns_that_were_complete(lab, tmp_path: Path):
    lab.scenario("state")
    lab.transports("wt-stream", "ws")
    lab.fill("seconds", 1)
    lab.fill("rounds", 1000)
    lab["run"].click()
    wait_for_turn(lab, "wt-stream")
    lab["cancel"].click()
    lab.wait(lambda: lab["comparison"].get_attribute("aria-busy") == "false", "it stopped")
    assert lab["run-status"].text == "Cancelled. What was complete is shown."
    record = lab.download(tmp_path)
    assert record["page"]["ended"] == "cancelled" and record["isInterrupted"]
    for measured in record["paced"][0]["transports"]:
        # 60 for each complete turn, none of the one that was not.
        assert measured["lateness"]["count"] == 60 * len(measured["turnMedians"])
    assert record["paced"][0]["transports"][0]["age"]["summary"]["count"] > 0


@pytest.mark.parametrize("transport", ["wt-stream", "ws"])
def test_a_server_that_vanishes_is_said_to_be_gone_and_what_was_measured_stays(browser, own_server, transport):
    lab = Lab(browser, own_server.page)
    lab.scenario("latency")
    lab.transports(transport)
    lab.fill("seconds", 0.5)
    lab.fill("rounds", 1000)
    lab["run"].click()
    wait_for_turn(lab, transport)
    own_server.kill()
    lab.wait(lambda: lab["comparison"].get_attribute("aria-busy") == "false", "the page noticed")
    assert lab["run-status"].text.endswith("The connection was lost: the server no longer answers.")
    assert "scripts/run" in lab["run-advice"].text
    assert milliseconds(lab.rows("paced")[transport][0]) > 0


def test_a_message_too_large_for_a_datagram_leaves_that_row_out(lab):
    lab.compare(messages=6, size=5000, warm_up=1, rounds=2, connections=0)
    rows = lab.rows("round-trips")
    assert rows["wt-datagram"] == ["–"] * 6
    assert all(rows[transport][0] == "6" for transport in ROUND_TRIP[1:])


def test_a_scenario_leaves_out_the_datagrams_that_its_messages_do_not_fit(lab, tmp_path: Path):
    lab.scenario("latency")
    lab.transports("wt-datagram", "ws")
    lab.compare(size=5000, seconds=0.2, rounds=2)
    rows = lab.rows("paced")
    assert rows["wt-datagram"] == ["–"] * 6 and milliseconds(rows["ws"][0]) > 0
    record = lab.download(tmp_path)
    assert "do not fit" in record["page"]["skipped"]["wt-datagram"]
    assert [measured["transport"] for measured in record["paced"][0]["transports"]] == ["ws"]


@pytest.mark.parametrize(("scenario", "field", "value", "error"), [
    ("round-trip", "size", 1, "Size, bytes: a whole number from 8 to 1048576."),
    ("latency", "seconds", 0, "Seconds: a number from 0.1 to 3600."),
])
def test_settings_out_of_range_are_refused_with_the_range(lab, scenario, field, value, error):
    lab.scenario(scenario)
    lab.fill(field, value)
    lab["run"].click()
    assert lab["comparison-error"].text == error
    assert lab[field].get_attribute("aria-invalid") == "true"


def test_a_turn_of_more_messages_than_the_page_can_draw_is_refused(lab):
    lab.scenario("head-of-line")
    lab.fill("rate", 10000)
    lab["run"].click()
    assert lab["comparison-error"].text.startswith("A turn would have 200,000 messages")


def test_a_scenario_can_be_run_without_a_pointer(lab):
    lab["scenario"].send_keys("Lat")
    assert lab.value("scenario") == "latency"
    lab.fill("rounds", 1)
    lab["seconds"].send_keys(Keys.BACKSPACE, "0.2", Keys.ENTER)
    lab.wait(lambda: lab["run-status"].text.startswith("Finished"), "Enter runs it")
    assert list(lab.rows("paced")) == ROUND_TRIP
